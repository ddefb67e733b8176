"""What a report is about, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fsbench.columns import Columns
from fsbench.metrics import DEFAULT_METRIC, METRICS, get_metric
from fsbench.report.budgets import leaderboards
from fsbench.report.charts import Charts
from fsbench.report.leaderboard import DEFAULT_MARGIN, Leaderboard


@dataclass(frozen=True)
class Report:
    """The records behind a report, as columns, and their leaderboards: that without tuning, then the others.

    `name` is that of the suite, if the records are those of one, or "".
    """

    columns: Columns
    boards: tuple[Leaderboard, ...]
    name: str = ""

    @cached_property
    def charts(self) -> tuple[Charts, ...]:
        """The charts of each leaderboard."""
        return tuple(map(Charts, self.boards))


def metrics_of_a_report(metric: str) -> list[str]:
    """The metrics that the columns of a report must have: its own, then all others. Raises UnknownName."""
    chosen = get_metric(metric).name
    return [chosen, *(name for name in METRICS if name != chosen)]


def report_of(
    columns: Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float = DEFAULT_MARGIN,
    name: str = "",
) -> Report:
    """The report about some records, which must have the values of `metrics_of_a_report`.

    Arguments and errors are those of `leaderboard`.
    """
    boards = leaderboards(columns, metric, all_versions, baseline, margin)
    return Report(columns, tuple(boards), name)
