"""Gain against cost, with the strategies that no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fsbench.metrics import scale
from fsbench.report.charts import Charts, Priced
from fsbench.report.charts.placing import PLACES, placed
from fsbench.report.html.chart import (
    Chart,
    Column,
    Row,
    Signal,
    compared_with,
    digits,
    gain_title,
    group_name,
    highlighted,
)
from fsbench.report.leaderboard import Leaderboard

WIDTHS = (840, 560, 400, 270)
"""Widths in pixels for which names are placed: a chart takes the places for the largest that it has."""
_WIDE = 560
_HEIGHT, _LETTER, _PADDING = 350, 6.2, 40


def _by_width(field: str) -> str:
    """The field of a row that is for the width of the chart."""
    *wide, narrow = WIDTHS
    return "".join(f"width >= {each} ? datum.{field}_{each} : " for each in wide) + f"datum.{field}_{narrow}"


_PLACE = f"({_by_width('place')})"
_NAMED = f"(datum.strategy === strategy || (width >= {_WIDE} || datum.front) && ({_by_width('clear')}))"
"""Which names are shown: in a narrow window those on the front, always that of the chosen strategy."""


def pareto(boards: Sequence[Charts]) -> Chart | None:
    """The gain of each strategy over all tasks against its cost."""
    shown = [of for of in boards if of.costs]
    if not shown:
        return None
    board = shown[0].board
    return Chart(
        name="pareto",
        title="Gain against cost",
        about="Further up gains more, further left costs less. The line joins, of the strategies with a "
        "result on every task, those that no other one beats in both. Hollow points have no result on some "
        "tasks, and are compared on the others. "
        "Vertical lines are 95 % intervals. Where names would cover each other, some are left out: point at "
        "a strategy, or choose it.",
        spec=_spec(shown),
        groups={
            group_name(of.board, boards): labelled([_row(of.board, each) for each in of.costs])
            for of in shown
        },
        columns=[
            Column("strategy", "strategy"),
            Column("cost", f"cost, times {compared_with(shown)}", 2),
            Column("gain", "gain", digits(board.metric)),
            Column("low", "from", digits(board.metric)),
            Column("high", "to", digits(board.metric)),
            Column("verdict", "verdict"),
        ],
        signals=[Signal("strategy", "Highlight", "strategy", highlighted(board))],
        group="Results",
    )


def _row(board: Leaderboard, found: Priced) -> dict[str, Any]:
    factor = scale(board.metric)
    return {
        "strategy": found.strategy,
        "cost": found.cost,
        "gain": factor * found.gain,
        "low": None if found.low is None else factor * found.low,
        "high": None if found.high is None else factor * found.high,
        "verdict": found.verdict,
        "complete": found.complete,
        "front": found.front,
    }


def labelled(rows: list[dict[str, Any]]) -> list[Row]:
    """The rows with a place for each name, and whether it has room, for each of `WIDTHS`."""
    for width in WIDTHS:
        names = placed(
            pixels(rows, width),
            [_LETTER * len(str(row["strategy"])) for row in rows],
            [row["front"] for row in rows],
            (0, width),
        )
        for row, (place, clear) in zip(rows, names, strict=True):
            row.update({f"place_{width}": place, f"clear_{width}": clear})
    return list(rows)


def pixels(rows: Sequence[Row], width: float) -> list[tuple[float, float]]:
    """About where the points are in a chart of some width."""
    xs = [math.log(max(row["cost"], 1e-3)) for row in rows]
    ys = [-row["gain"] for row in rows]
    ends = [row[name] for row in rows for name in ("low", "high") if row[name] is not None]
    tall = (max([*ends, *map(abs, ys)]) - min([*ends, 0.0])) or 1.0
    wide = (max(xs) - min(xs)) or 1.0
    scaled = (width - 2 * _PADDING) / wide
    return [(_PADDING + scaled * (x - min(xs)), _HEIGHT * y / tall) for x, y in zip(xs, ys, strict=True)]


def _spec(boards: Sequence[Charts]) -> dict[str, Any]:
    x = {
        "field": "cost",
        "type": "quantitative",
        "title": f"seconds of a trial, times those of {compared_with(boards)}",
        "scale": {"type": "log", "nice": False, "padding": _PADDING},
        "axis": {"grid": False, "tickCount": 6, "format": "~g"},
    }
    y = {"field": "gain", "type": "quantitative", "title": gain_title(boards)}
    places = f".{digits(boards[0].board.metric)}f"
    tooltip = [
        {"field": "strategy", "title": "strategy"},
        {"field": "cost", "title": "cost", "format": ".2f"},
        {"field": "gain", "title": "gain", "format": f"+{places}"},
        {"field": "low", "title": "from", "format": f"+{places}"},
        {"field": "high", "title": "to", "format": f"+{places}"},
        {"field": "verdict", "title": "verdict"},
    ]
    chosen = "datum.strategy === strategy"
    colour = [
        {"test": chosen, "value": "var(--accent)"},
        {"test": "datum.front", "value": "var(--ink)"},
    ]
    return {
        "height": 380,
        "description": "Gain of the strategies against their cost",
        "encoding": {"x": x, "tooltip": tooltip},
        "layer": [
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": "var(--faint)", "aria": False},
                "encoding": {"x": None, "y": {"datum": 0}, "tooltip": None},
            },
            {
                "transform": [{"filter": "datum.front"}],
                "mark": {
                    "type": "line",
                    "interpolate": "step-after",
                    "color": "var(--faint)",
                    "strokeWidth": 1.5,
                },
                "encoding": {"y": y, "order": {"field": "cost"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1.2},
                "encoding": {
                    "y": {"field": "low", "type": "quantitative"},
                    "y2": {"field": "high"},
                    "color": {"condition": colour, "value": "var(--faint)"},
                },
            },
            {
                "mark": {"type": "point", "size": 80, "opacity": 1, "strokeWidth": 2},
                "encoding": {
                    "y": y,
                    "stroke": {"condition": colour, "value": "var(--muted)"},
                    "fill": {
                        "condition": [{"test": "!datum.complete", "value": "var(--paper)"}, *colour],
                        "value": "var(--muted)",
                    },
                },
            },
            *_names(y, colour),
        ],
    }


def _names(y: dict[str, Any], colour: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The names of the strategies: a layer for each place that a name can have beside its point."""
    return [
        {
            "transform": [{"filter": f"{_PLACE} === {number} && {_NAMED}"}],
            "mark": {
                "type": "text",
                "align": align,
                "dx": dx,
                "dy": dy,
                "fontSize": 11,
                "baseline": "middle",
            },
            "encoding": {
                "y": y,
                "text": {"field": "strategy"},
                "color": {"condition": colour, "value": "var(--muted)"},
            },
        }
        for number, (align, dx, dy) in enumerate(PLACES)
    ]
