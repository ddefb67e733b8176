"""A chart of the page: its Vega-Lite specification, its rows, and what a reader can choose in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsbench.metrics import Metric
from fsbench.report.charts import Charts
from fsbench.report.choice import recommended
from fsbench.report.leaderboard import Leaderboard
from fsbench.words import printable

Row = Mapping[str, Any]
_DIGITS = 6


@dataclass(frozen=True)
class Signal:
    """A choice among the values of a field, which the specification knows as a parameter.

    `fallback` is chosen first, if it is there. With `only`, the table of numbers has the chosen rows only.
    """

    name: str
    label: str
    field: str
    fallback: str = ""
    only: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table of numbers; numbers have `digits` decimals, texts None."""

    field: str
    title: str
    digits: int | None = None


@dataclass(frozen=True)
class Chart:
    """A chart.

    `groups` has the rows that are drawn together, by name; a reader picks one, called `group`. If there is a
    field `lines`, the chart has a line of pixels for each of its values, which is higher in a chart that is
    `narrower` than some pixels. If there is a field `ticks`, the specification knows its values, in ascending
    order, as a parameter of this name.
    """

    name: str
    title: str
    about: str
    spec: Mapping[str, Any]
    groups: Mapping[str, Sequence[Row]]
    columns: Sequence[Column]
    signals: Sequence[Signal] = ()
    group: str = "Task"
    lines: str = ""
    ticks: str = ""
    narrower: int = 0

    @property
    def data(self) -> dict[str, Any]:
        """What the script of the page needs, as plain values."""
        groups = [{"name": name, "columns": packed(rows)} for name, rows in self.groups.items()]
        return {
            "spec": {**BASE, **self.spec},
            "group": self.group,
            "groups": groups,
            "columns": [vars(column) for column in self.columns],
            "signals": [vars(signal) for signal in self.signals],
            "lines": self.lines,
            "ticks": self.ticks,
            "narrower": self.narrower,
        }


_FONT = 'system-ui, "Segoe UI", Roboto, Arial, sans-serif'
_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--ink)",
    "gridColor": "var(--line)",
    "domainColor": "var(--faint)",
    "tickColor": "var(--faint)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "labelLimit": {"expr": "max(96, 0.34 * containerSize()[0])"},
    "titlePadding": 8,
}
BASE: dict[str, Any] = {
    "width": "container",
    "autosize": {"type": "fit-x", "contains": "padding"},
    "background": None,
    "config": {
        "font": _FONT,
        "view": {"stroke": None},
        "axis": _AXIS,
        "axisQuantitative": {"tickCount": 6},
        "legend": {
            "labelColor": "var(--ink)",
            "orient": "top",
            "title": None,
            "labelFontSize": 12,
            "labelLimit": 300,
        },
        "text": {"fontSize": 12, "fill": "var(--ink)"},
    },
}
"""What all specifications have in common. Colours are those of the page, in either theme."""


def packed(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as columns: numbers in a list, texts as distinct texts and their places."""
    names = list(rows[0]) if rows else []
    return {name: _column([row[name] for row in rows]) for name in names}


def _column(values: list[Any]) -> Any:
    if any(isinstance(value, str) for value in values):
        places: dict[str, int] = {}
        codes = [places.setdefault(printable(str(value)), len(places)) for value in values]
        return {"texts": list(places), "codes": codes}
    return [_number(value) for value in values]


def _number(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def axis_title(metric: Metric) -> str:
    """The name of a metric with its unit."""
    return f"{metric.title} in %" if metric.percent else metric.title


def digits(metric: Metric) -> int:
    """The decimals of a metric as it is shown."""
    return 1 if metric.percent else 3


def compared_with(boards: Sequence[Charts]) -> str:
    """The baseline of some leaderboards by its name, in words if that of tuned results is another."""
    names = {of.board.baseline for of in boards}
    return names.pop() if len(names) == 1 else "plain training"


def gain_title(boards: Sequence[Charts]) -> str:
    """The name of the difference to the baseline with its unit."""
    metric = boards[0].board.metric
    return f"gain over {compared_with(boards)}, {'points of ' if metric.percent else ''}{metric.title}"


def highlighted(board: Leaderboard) -> str:
    """The strategy that charts show first: the recommended one or, if that is the baseline, the next."""
    best = recommended(board)
    others = [row.strategy for row in board.overall if row.strategy != board.baseline and row.done]
    if best and best.strategy != board.baseline:
        return best.strategy
    return others[0] if others else board.baseline


def emphasised(board: Leaderboard) -> list[Signal]:
    """The choice of the strategy in colour, and of the one that it is compared with (`EMPHASIS`)."""
    return [
        Signal("strategy", "Strategy (in colour)", "strategy", highlighted(board)),
        Signal("other", "Compared with", "strategy", board.baseline),
    ]


def group_name(board: Leaderboard, boards: Sequence[object], text: str = "") -> str:
    """The name of a group of rows, which says what was tuned if there are several leaderboards."""
    if len(boards) == 1:
        return text or "all"
    of = str(board.tuning) if board.tuning else "not tuned"
    return f"{of}: {text}" if text else of


def grouped(
    boards: Sequence[Charts], rows: Callable[[Charts], Iterable[tuple[str, Row]]]
) -> dict[str, list[Row]]:
    """The rows of all leaderboards by group; `rows` gives each with the text for `group_name`."""
    found: dict[str, list[Row]] = {}
    for of in boards:
        for text, row in rows(of):
            found.setdefault(group_name(of.board, boards, text), []).append(row)
    return found


EMPHASIS = {
    "calculate": "datum.strategy === strategy ? 'chosen' : datum.strategy === other ? 'compared' : 'rest'",
    "as": "role",
}
"""A transform that gives rows a role by the signals of the reader."""

ROLE_COLOUR: dict[str, Any] = {
    "field": "role",
    "type": "nominal",
    "legend": None,
    "scale": {"domain": ["chosen", "compared"], "range": ["var(--accent)", "var(--ink)"]},
}
