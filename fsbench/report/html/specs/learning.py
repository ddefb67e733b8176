"""Learning curves: scores over the number of labels per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsbench.metrics import scale
from fsbench.report import text
from fsbench.report.charts import Charts, Curves
from fsbench.report.html.chart import (
    EMPHASIS,
    ROLE_COLOUR,
    Chart,
    Column,
    Row,
    axis_title,
    digits,
    emphasised,
    group_name,
)
from fsbench.report.leaderboard import Leaderboard


def learning(boards: Sequence[Charts]) -> Chart | None:
    """The learning curves, where tasks differ in the number of labels only."""
    found = [(of.board, each) for of in boards for each in sorted(of.curves, key=_largest_gain, reverse=True)]
    if not found:
        return None
    board = found[0][0]
    return Chart(
        name="curves",
        title="Learning curves",
        about="How the score grows with the labels, and where a strategy stops helping. The chosen strategy "
        "is in colour, the one that it is compared with in black or white, each with its 95 % interval; all "
        "others are thin lines.",
        spec=_spec(board),
        groups={group_name(of, boards, each.family): _rows(of, each) for of, each in found},
        columns=[
            Column("strategy", "strategy"),
            Column("labels", "labels per class", 0),
            Column("score", axis_title(board.metric), digits(board.metric)),
            Column("shown", "with its interval"),
        ],
        signals=emphasised(board),
        group="Tasks",
        ticks="labels",
    )


def _largest_gain(found: Curves) -> float:
    """The largest settled gain in a family of tasks, which a reader sees first."""
    rows = [point.row for line in found.lines for point in line.points]
    return max((abs(r.difference.mean) for r in rows if r.verdict == "helps" and r.difference), default=0.0)


def _rows(board: Leaderboard, found: Curves) -> list[Row]:
    factor = scale(board.metric)
    return [
        {
            "strategy": line.strategy,
            "labels": point.labels,
            "score": factor * score.mean,
            "low": factor * (score.mean if score.low is None else score.low),
            "high": factor * (score.mean if score.high is None else score.high),
            "shown": text.interval(score, board.metric),
            "last": point is line.points[-1],
        }
        for line in found.lines
        for point in line.points
        if (score := point.row.score)
    ]


def _spec(board: Leaderboard) -> dict[str, Any]:
    x = {
        "field": "labels",
        "type": "quantitative",
        "title": "labels per class",
        "scale": {"type": "log", "nice": False, "padding": 12},
        "axis": {"values": {"expr": "ticks"}, "grid": False, "format": "d"},
    }
    y = {
        "field": "score",
        "type": "quantitative",
        "title": axis_title(board.metric),
        "scale": {"zero": False},
    }
    tooltip = [
        {"field": "strategy", "title": "strategy"},
        {"field": "labels", "title": "labels per class"},
        {"field": "shown", "title": board.metric.title},
    ]
    chosen = [{"filter": "datum.role !== 'rest'"}]
    rest: dict[str, Any] = {"strokeWidth": 1, "color": "var(--faint)"}
    return {
        "height": 360,
        "description": "Learning curves of the strategies",
        "transform": [EMPHASIS],
        "encoding": {"x": x, "tooltip": tooltip},
        "layer": [
            {
                "transform": [{"filter": "datum.role === 'rest'"}],
                "mark": {"type": "line", "point": {"size": 18, "color": "var(--faint)"}, **rest},
                "encoding": {"y": y, "detail": {"field": "strategy"}},
            },
            {
                "transform": chosen,
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {
                    "y": {"field": "low", "type": "quantitative"},
                    "y2": {"field": "high"},
                    "color": ROLE_COLOUR,
                },
            },
            {
                "transform": chosen,
                "mark": {"type": "line", "strokeWidth": 2.5},
                "encoding": {"y": y, "color": ROLE_COLOUR},
            },
            {
                "transform": chosen,
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"y": y, "color": ROLE_COLOUR},
            },
            _names(y),
        ],
    }


def _names(y: dict[str, Any]) -> dict[str, Any]:
    """The names at the ends: of the higher line above it, of the other below, so that they do not meet."""
    place = {
        "window": [{"op": "row_number", "as": "place"}],
        "sort": [{"field": "score", "order": "descending"}],
    }
    label = {"type": "text", "align": "right", "fontWeight": 600, "baseline": "middle"}
    return {
        "transform": [{"filter": "datum.last && datum.role !== 'rest'"}, place],
        "mark": {**label, "dy": {"expr": "datum.place === 1 ? -16 : 16"}},
        "encoding": {"y": y, "text": {"field": "strategy"}, "color": ROLE_COLOUR},
    }
