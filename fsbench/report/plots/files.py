"""The figures of a report as files."""

from __future__ import annotations

from collections.abc import Iterator

from fsbench.errors import UsageError
from fsbench.report.contents import Report
from fsbench.report.plots.figures import Figure, figures


def figures_of(report: Report) -> Iterator[tuple[int, Figure]]:
    """The figures of a report, each with the place of its leaderboard; names differ between leaderboards."""
    for place, charts in enumerate(report.charts):
        for figure in figures(charts, f"{place + 1}-" if place else ""):
            yield place, figure


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """The figures in a folder. Raises UsageError without a record."""
    if not any(board.overall for board in report.boards):
        raise UsageError(
            "no result to draw, because there is no record of a trial; `fsbench run` produces some, and "
            "--results, --suite and --tasks choose others"
        )
    for _, each in figures_of(report):
        yield f"{stem}/{each.name}.svg", each.save("svg")
