"""How many more split seeds would settle what is open in a leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fsbench import stats
from fsbench.columns import Columns
from fsbench.composition import BASELINE
from fsbench.looks import OPEN
from fsbench.metrics import get_metric
from fsbench.report.baselines import WITHHELD
from fsbench.report.choice import obstacle
from fsbench.report.differences import Measured, measured
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.looking import COLLECTED, with_looks
from fsbench.report.rows import Row
from fsbench.stats import Estimate, Sample

MORE_DATA = "more data, not more seeds"
"""What differences need whose uncertainty is mostly that of the test samples that splits share."""
_LEVEL = 1 - stats.LEVEL


@dataclass(frozen=True)
class Need:
    """An open comparison with ERM: `more` is the number of further split seeds that would settle it.

    That is with a probability of 80 %, if the true difference is the present `difference`. Where no number
    can be promised, `more` is None and `reason` says why.
    """

    task: str
    strategy: str
    difference: Estimate
    more: int | None
    reason: str = ""


def looked_board(columns: Columns, metric: str, margin: float | None = None) -> Leaderboard:
    """The leaderboard that `needs` is about, with the verdicts of looks, if there were any.

    Raises as `leaderboard`.
    """
    chosen = get_metric(metric)
    return with_looks(leaderboard(columns, chosen.name, margin=margin), columns.evidence.looks)


def needs(board: Leaderboard) -> list[Need]:
    """What the open comparisons on single tasks need, those with the fewest seeds first."""
    table, levels = measured(board.settings, board.metric), _levels(board)
    every = [
        _need(label, row, board, levels, table)
        for label, rows in board.tasks
        for row in rows
        if row.difference and (row.verdict == OPEN or row.verdict.startswith(WITHHELD))
    ]
    return sorted(every, key=lambda need: (need.more is None, need.more or 0))


def needing_data(board: Leaderboard) -> int:
    """How many open comparisons on single tasks more data would settle, if split seeds would settle none.

    0 if a number of split seeds would settle one, at a single look. `board` has no tuned rows.
    """
    levels, table, count = _levels(board), measured(board.settings, board.metric), 0
    for label, rows in board.tasks:
        for row in rows:
            if row.difference and row.verdict == OPEN:
                need = _need(label, row, board, levels, table)
                if need.more is not None:
                    return 0
                count += need.reason == MORE_DATA
    return count


def said(found: list[Need], board: Leaderboard, looked: bool = False) -> Iterator[str]:
    """What to do about the needs of a board, in sentences.

    `looked` says that `--until-settled` collected the results.
    """
    known = [need for need in found if need.more is not None]
    if not found:
        if any(row.difference for _, rows in board.tasks for row in rows):
            yield "All comparisons are settled."
        else:
            yield f"There is nothing to settle: {obstacle(board) or f'only {BASELINE} has results'}."
            yield from board.warnings
        return
    if known:
        most = max(need.more or 0 for need in known)
        yield (
            f"{len(known)} of {len(found)} open comparisons would be settled, each with a probability of "
            f"80 %, by at most {most} more split seeds, if the true differences are as they seem now."
        )
        yield (
            "Your `fsbench run` command, with --until-settled --budget 20m added, runs seeds where they are "
            "needed."
        )
        if looked:
            yield (
                f"The results folder {COLLECTED}, and its looks share the 5 %; these numbers are those of a "
                "single look, so expect more."
            )
    if len(known) < len(found):
        yield f"{len(found) - len(known)} cannot be promised by any number up to {stats.MOST}."
    if any(need.reason == MORE_DATA for need in found):
        yield (
            f"{MORE_DATA.capitalize()}: the splits draw their test samples from data so small that no number "
            "of seeds can settle the difference."
        )


def _levels(board: Leaderboard) -> tuple[float, float]:
    """What the p-values of the next difference, and of the next equivalence, must not exceed (Holm)."""
    words = [row.verdict for _, rows in board.tasks for row in rows if row.compared]
    differ, equal = sum(word in ("helps", "hurts") for word in words), words.count("equivalent")
    return _LEVEL / max(len(words) - differ, 1), _LEVEL / max(len(words) - equal, 1)


def _need(label: str, row: Row, board: Leaderboard, levels: tuple[float, float], table: Measured) -> Need:
    assert row.difference is not None
    sample = table.gains[row.task, row.recipe, row.strategy]
    assert sample is not None
    reason, more = _obstacle(row, sample), None
    if not reason:
        total = stats.splits_needed(sample, table.gain_prior, levels, board.margin)
        more = None if total is None else total - len(sample.values)
        reason = "" if total else _limit(sample)
    return Need(label, row.strategy, row.difference, more, reason)


def _obstacle(row: Row, sample: Sample) -> str:
    """Why more split seeds are no remedy, or why nothing is known; "" otherwise."""
    if row.verdict != OPEN:
        return row.verdict
    if row.unstable:
        return f"unstable: {row.unstable}"
    if len(sample.values) < 2:
        return "one split seed says nothing about the spread"
    return "all splits have equal values" if sample.spread is None else ""


def _limit(sample: Sample) -> str:
    """Why not even the largest number of splits would suffice."""
    if sample.common > (sample.spread or 0.0) / stats.MOST:
        return MORE_DATA
    if sample.shared or sample.overlap:
        return "splits share too many training samples"
    return f"more than {stats.MOST} split seeds"
