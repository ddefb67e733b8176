"""Gain against cost, and the strategies that no other one beats in both."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row


@dataclass(frozen=True)
class Priced:
    """A strategy with its cost and its gain over plain training, over all tasks.

    `cost` is the median ratio of its seconds to those of plain training, whose own is 1. `gain` is the mean
    difference in the units of the metric, positive where the strategy is better. `low` and `high` are the
    ends of its 95 % interval, None if unknown. `complete` says that it has a result in every trial; only then
    can it be on the `front`: no complete strategy is both cheaper and better, or equal in one and better in
    the other.
    """

    strategy: str
    uses: tuple[str, ...]
    cost: float
    gain: float
    low: float | None
    high: float | None
    verdict: str
    complete: bool
    front: bool


def costs(board: Leaderboard) -> tuple[Priced, ...]:
    """Every strategy with a gain and a cost, the cheapest first."""
    sign = 1 if board.metric.higher_is_better else -1
    known = [(row, *found) for row in board.overall if (found := _place(row, board, sign))]
    whole = [(cost, gain) for row, cost, gain in known if row.complete]
    return tuple(
        _priced(row, cost, gain, sign, row.complete and not _beaten(cost, gain, whole))
        for row, cost, gain in sorted(known, key=lambda item: (item[1], -item[2], item[0].strategy))
    )


def _place(row: Row, board: Leaderboard, sign: int) -> tuple[float, float] | None:
    """The cost and the gain of a row, None if one of them is unknown."""
    if row.cost is None:
        return None
    if row.strategy == board.baseline:
        return row.cost, 0.0
    return (row.cost, sign * row.difference.mean) if row.difference else None


def _beaten(cost: float, gain: float, others: list[tuple[float, float]]) -> bool:
    return any(
        other <= cost and better >= gain and (other, better) != (cost, gain) for other, better in others
    )


def _priced(row: Row, cost: float, gain: float, sign: int, front: bool) -> Priced:
    low = row.difference.low if row.difference else None
    high = row.difference.high if row.difference else None
    if low is not None and high is not None:
        low, high = sorted((sign * low, sign * high))
    return Priced(row.strategy, row.uses, cost, gain, low, high, row.verdict, row.complete, front)
