"""What starting from source data brings, source by source, and what of the source is forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from fsbench.report.charts.transfer import SourceGain, source_gains
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.words import plural


def kept(row: Row) -> str:
    """`93.2 > 89.4`: accuracies in % on held-out source samples, before and after the fit; "" if unknown."""
    if row.source_before is None or row.source_after is None:
        return ""
    return f"{100 * row.source_before:.1f} > {100 * row.source_after:.1f}"


def gains(board: Leaderboard, number: Callable[[float], str]) -> Iterator[str]:
    """A sentence for each strategy with several sources: its mean gain over the baseline by source.

    `number` formats a difference.
    """
    by_strategy: dict[str, list[SourceGain]] = defaultdict(list)
    for each in source_gains(board):
        by_strategy[each.strategy].append(each)
    for strategy, found in by_strategy.items():
        if len(found) > 1:
            unit = " points" if board.metric.percent else ""
            shown = "; ".join(
                f"{each.source} {number(each.difference)}{'' if place else unit} "
                f"({plural(len(each.tasks), 'task')})"
                for place, each in enumerate(found)
            )
            yield f"By source, {strategy}: {shown}."
