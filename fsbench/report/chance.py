"""Whether anything was learnt: scores compared with the chance level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fsbench.metrics import Metric, chance, number
from fsbench.report.entries import Setting
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import first_few
from fsbench.report.rows import Row
from fsbench.words import plural

_FEWEST = 5
"""With fewer split seeds, hardly anything is shown to be better than chance."""
_ERROR = 0.05
_ADVICE = "Check the labels and the inputs, or collect more samples, before you choose a strategy."


def no_better_than_chance(board: Leaderboard) -> Iterator[str]:
    """A sentence if no strategy is shown to be better than chance on some tasks.

    Nothing is said about tasks with fewer than five split seeds, without stored test labels, or by a metric
    without a chance level.
    """
    settings = {setting.label: setting for setting in board.settings}
    levels = {
        label: chance_level(settings[label], board.metric) for label, _ in board.tasks if label in settings
    }
    judged = {
        label: _any_better(rows, level, board)
        for label, rows in board.tasks
        if (level := levels.get(label)) is not None and _seeds(rows) >= _FEWEST
    }
    found = [label for label, better in judged.items() if not better]
    if not found:
        return
    if len(board.tasks) == 1:
        shown = number(levels[found[0]] or 0.0, board.metric) + (" %" if board.metric.percent else "")
        yield f"Nothing is shown to be better than chance, {shown}. {_ADVICE}"
    elif len(found) == len(board.tasks):
        yield f"On none of {plural(len(found), 'task')} is anything shown to be better than chance. {_ADVICE}"
    else:
        of = f"On {len(found)} of {plural(len(judged), 'task')}"
        yield f"{of}, nothing is shown to be better than chance: {first_few(found)}."


def chance_level(setting: Setting, metric: Metric) -> float | None:
    """The mean chance level over the splits of a setting; None if it is not known.

    Raises PluginError for a metric whose chance level cannot be computed.
    """
    known, prints = setting.columns.evidence.drawn, list(setting.fingerprints.values())
    if metric.chance is None or not prints or not set(prints) <= known.keys():
        return None
    levels = [level for each in prints if (level := chance(metric, known[each].test_y)) is not None]
    return float(np.mean(levels)) if len(levels) == len(prints) else None


def _seeds(rows: Sequence[Row]) -> int:
    return max((row.score.n for row in rows if row.score), default=0)


def _any_better(rows: Sequence[Row], level: float, board: Leaderboard) -> bool:
    """Whether a strategy is shown to be better than a level, one-sided.

    Plain training, which is in every table, has half of the error; the others share the rest (Bonferroni).
    """
    plain = [row.score for row in rows if row.score and row.strategy == board.baseline]
    others = [row.score for row in rows if row.score and row.strategy != board.baseline]
    return any(
        (score.p_above(level) if board.metric.higher_is_better else score.p_below(level)) * len(family)
        < _ERROR / 2
        for family in (plain, others)
        for score in family
    )
