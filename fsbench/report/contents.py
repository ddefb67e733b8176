"""What a report is about, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fsbench.columns import Columns
from fsbench.errors import UsageError
from fsbench.metrics import DEFAULT_METRIC, METRICS, get_metric
from fsbench.report.budgets import by_search, leaderboards_of
from fsbench.report.charts import Charts
from fsbench.report.leaderboard import Leaderboard


@dataclass(frozen=True)
class Report:
    """The records behind a report, as columns, and their leaderboards: that without tuning, then the others.

    `name` is that of the suite, if the records are those of one, or "". `by` makes the leaderboards by
    another metric, of those that the columns have.
    """

    columns: Columns
    boards: tuple[Leaderboard, ...]
    name: str
    by: Callable[[str], Sequence[Leaderboard]]

    @cached_property
    def charts(self) -> tuple[Charts, ...]:
        """The charts of each leaderboard."""
        return tuple(map(Charts, self.boards))

    def place(self, *strategies: str) -> int:
        """The place of the first leaderboard with some strategies, by their names there; 0 if none knows any.

        Raises UsageError if no leaderboard has them all, but several have some.
        """
        known = [
            {board.name(name) for setting in board.settings for name in setting.entries}
            for board in self.boards
        ]
        for place, names in enumerate(known):
            if names.issuperset(strategies):
                return place
        if all(any(each in names for names in known) for each in strategies):
            raise UsageError(
                f"{' and '.join(strategies)} are on different leaderboards, because different numbers of "
                "configurations were tried; `fsbench compare` compares two sides of any kind"
            )
        return 0

    @cached_property
    def by_metric(self) -> tuple[dict[str, Leaderboard], ...]:
        """For each of `boards`, it and those of the same records by the other metrics that have values."""
        own = self.boards[0].metric.name
        values = self.columns.values
        others = [name for name in values if name != own and np.isfinite(values[name]).any()]
        found = {own: self.boards, **{name: self.by(name) for name in others}}
        return tuple({name: each[place] for name, each in found.items()} for place in range(len(self.boards)))


def metrics_of_a_report(metric: str) -> list[str]:
    """The metrics that the columns of a report must have: its own, then all others. Raises UnknownName."""
    chosen = get_metric(metric).name
    return [chosen, *(name for name in METRICS if name != chosen)]


def report_of(
    columns: Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float | None = None,
    name: str = "",
) -> Report:
    """The report about some records, which must have the values of `metrics_of_a_report`.

    Arguments and errors are those of `leaderboard`.
    """

    given = by_search(columns, all_versions)

    def by(metric: str) -> tuple[Leaderboard, ...]:
        return tuple(leaderboards_of(given, metric, baseline, margin))

    return Report(columns, by(metric), name, by)
