"""Whether the recipe trains plain training enough for a comparison with it to be about the strategies."""

from __future__ import annotations

from collections.abc import Iterator

from fsbench.report.leaderboard import Leaderboard
from fsbench.words import plural

_FITTED = 0.8
"""The accuracy on its training labels that plain training exceeds under a recipe that trains enough."""


def underfitted(board: Leaderboard) -> Iterator[str]:
    """A sentence if plain training does not fit its training labels on some tasks.

    A tuned recipe is not questioned: cross-validation may choose one that does not fit noisy labels.
    """
    plain = [
        (row.train_accuracy, label)
        for label, rows in board.tasks
        for row in rows
        if row.strategy == board.baseline
    ]
    low = sorted((fit, label) for fit, label in plain if fit is not None and fit < _FITTED)
    if board.tuning or not low:
        return
    fit, label = low[0]
    where = f" on {label}" if len(board.tasks) > 1 else ""
    if len(low) > 1:
        where += f", the lowest of {plural(len(low), 'task')} below {100 * _FITTED:.0f} %"
    yield (
        f"Underfitted: {board.baseline} is right on only {100 * fit:.1f} % of its own training labels"
        f"{where}; what helps there may only make up for the recipe. Give all strategies more steps or a "
        "higher lr with --recipe, or let each choose its own with --tune."
    )
