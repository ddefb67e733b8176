"""The heat map of gains, a table with a number in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsbench.metrics import Metric
from fsbench.report import text
from fsbench.report.charts import Cell, Charts
from fsbench.report.charts.gains import MEAN
from fsbench.report.leaderboard import Leaderboard

_STYLES = {
    "equivalent": "equivalent",
    "not settled": "unsettled",
    "withheld": "withheld",
    "baseline": "baseline",
    "not compared": "unsettled",
    "no value": "skipped",
    "failed": "failed",
    "skipped": "skipped",
    "not run": "skipped",
}
_SHADES = (0.05, 0.1)
"""Differences from which the second and the third shade are used, in the units of metrics in %."""


@dataclass(frozen=True)
class Field:
    """A cell: its class in the style sheet, its text, its state in words, and all about it as a title."""

    style: str
    shown: str
    state: str
    title: str


@dataclass(frozen=True)
class HeatMap:
    """The heat map of a leaderboard: the mean over tasks first, then task by task."""

    title: str
    about: str
    tasks: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Field, ...]], ...]


def heat_maps(boards: Sequence[Charts]) -> list[HeatMap]:
    """The heat map of each leaderboard that has a strategy beside the baseline."""
    return [_heat_map(each) for each in boards if len(each.board.overall) > 1]


def _heat_map(charts: Charts) -> HeatMap:
    board, found = charts.board, charts.gains
    several = len(found.tasks) > 1
    tasks = ((MEAN,) if several else ()) + found.tasks
    rows = []
    for name, overall, cells in zip(found.strategies, found.overall, found.cells, strict=True):
        shown = ((overall,) if several else ()) + cells
        rows.append((name, tuple(_field(cell, task, board) for cell, task in zip(shown, tasks, strict=True))))
    alone = " ? is where there is nothing to compare with." if found.has("not compared") else ""
    better = "" if board.metric.higher_is_better else "; lower is better, so what helps has a minus"
    return HeatMap(
        title=text.difference_to(board),
        about=f"Each number is the difference to {board.baseline}, whose own row has its scores{better}. "
        "Only what is significant is in colour, the stronger the larger the difference. * marks a difference "
        f"on some of the tasks or trials only, those where both have a result.{alone}",
        tasks=tasks,
        rows=tuple(rows),
    )


def _field(cell: Cell, task: str, board: Leaderboard) -> Field:
    metric, row = board.metric, cell.row
    if row is None or not row.done:
        shown = {"failed": "failed", "no value": "n/a"}.get(cell.state, "·")
        return Field(_STYLES[cell.state], shown, cell.state, f"{task}: {cell.state}")
    if cell.state in ("baseline", "not compared") or cell.gain is None:
        score = text.interval(row.score, metric)
        shown = text.number(row.score.mean, metric) if row.score else text.NOTHING
        if cell.state != "baseline":
            shown = "?"
        return Field(_STYLES[cell.state], shown, cell.state, f"{task}: {score}, {cell.state}")
    title = f"{task}: {text.difference(row, metric)}, {text.verdict(row)}, {row.done} of {row.planned} done"
    shown = text.number(cell.gain.mean, metric, sign=True) + text.star(row)
    return Field(_style(cell, metric), shown, cell.state, title)


def _style(cell: Cell, metric: Metric) -> str:
    if cell.state in _STYLES or cell.gain is None:
        return _STYLES[cell.state]
    size = abs(cell.gain.mean)
    shade = 1 + sum(size >= limit for limit in _SHADES) if metric.percent else 2
    return f"{cell.state}-{shade}"
