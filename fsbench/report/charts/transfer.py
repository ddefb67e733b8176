"""What strategies that start from source data gain from each source, and what of the source they forget."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.spec import Value, format_value, parse_call

SOURCE = "source"


@dataclass(frozen=True)
class Forgotten:
    """The mean accuracies, in [0, 1], on held-out samples of the source, before and after the training.

    `task` is the label of the task; what is lost from `before` to `after` has been forgotten.
    """

    task: str
    strategy: str
    source: str
    before: float
    after: float


@dataclass(frozen=True)
class SourceGain:
    """What a strategy gains over plain training from one source.

    `difference` is the mean over `tasks`, which has the label and the row of each, in the metric's units.
    """

    strategy: str
    source: str
    difference: float
    tasks: tuple[tuple[str, Row], ...]


def source_of(task: str) -> str:
    """The source in a task's text: that of `source=`, or else its first dataset, as of shift and episodes."""
    call = parse_call(task)
    found: Value = call.keywords.get(SOURCE) or (call.args[0] if call.args else "")
    return format_value(found)


def forgotten(board: Leaderboard) -> tuple[Forgotten, ...]:
    """What is known about forgetting, in the order of the tables."""
    return tuple(
        Forgotten(label, row.strategy, source_of(row.task), row.source_before, row.source_after)
        for label, rows in board.tasks
        for row in rows
        if row.source_before is not None and row.source_after is not None
    )


def source_gains(board: Leaderboard) -> tuple[SourceGain, ...]:
    """The gain of each strategy that uses source data, by source: by strategy, the best source first."""
    sign = 1 if board.metric.higher_is_better else -1
    by_strategy: dict[str, dict[str, list[tuple[str, Row]]]] = defaultdict(lambda: defaultdict(list))
    for label, rows in board.tasks:
        for row in rows:
            if SOURCE in row.uses and row.difference:
                by_strategy[row.strategy][source_of(row.task)].append((label, row))
    found = []
    for strategy, by_source in by_strategy.items():
        several = [
            SourceGain(strategy, source, _mean(tasks), tuple(tasks)) for source, tasks in by_source.items()
        ]
        found += sorted(several, key=lambda each: (-sign * each.difference, each.source))
    return tuple(found)


def _mean(tasks: list[tuple[str, Row]]) -> float:
    return math.fsum(row.difference.mean for _, row in tasks if row.difference) / len(tasks)
