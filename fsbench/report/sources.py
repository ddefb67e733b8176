"""What starting from source data brings, source by source, and what of the source is forgotten."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator

from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.spec import Value, format_value, parse_call
from fsbench.words import plural

SOURCE = "source"


def source_of(task: str) -> str:
    """The source in a task's text: that of `source=`, or else its first dataset, as of shift and episodes."""
    call = parse_call(task)
    found: Value = call.keywords.get(SOURCE) or (call.args[0] if call.args else "")
    return format_value(found)


def kept(row: Row) -> str:
    """`93.2 > 89.4`: accuracies in % on held-out source samples, before and after the fit; "" if unknown."""
    if row.source_before is None or row.source_after is None:
        return ""
    return f"{100 * row.source_before:.1f} > {100 * row.source_after:.1f}"


def gains(board: Leaderboard, number: Callable[[float], str]) -> Iterator[str]:
    """A sentence for each strategy with several sources: its mean gain over the baseline by source.

    `number` formats a difference.
    """
    by_strategy: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _, rows in board.tasks:
        for row in rows:
            if SOURCE in row.uses and row.difference:
                by_strategy[row.strategy][source_of(row.task)].append(row.difference.mean)
    for strategy, by_source in by_strategy.items():
        if len(by_source) > 1:
            means = {name: (math.fsum(found) / len(found), len(found)) for name, found in by_source.items()}
            shown = "; ".join(
                f"{name} {number(mean)} ({plural(tasks, 'task')})"
                for name, (mean, tasks) in sorted(means.items(), key=lambda item: -item[1][0])
            )
            yield f"Gain of {strategy} over {board.baseline} by source: {shown}."
