"""Reliability diagrams, recall by class and confusion matrices, from stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fsbench.report.charts import Charts, Predicted
from fsbench.report.html.chart import (
    EMPHASIS,
    ROLE_COLOUR,
    Chart,
    Column,
    Row,
    Signal,
    emphasised,
    grouped,
    highlighted,
)
from fsbench.report.leaderboard import Leaderboard

_WIDE, _NARROW, _FEW = 58, 34, 12
MOST_CLASSES = 30
"""Tasks with more classes have no confusion matrix: its cells would be too small to read."""


def from_predictions(boards: Sequence[Charts]) -> list[Chart]:
    """The charts that need stored predictions; those that there is data for."""

    def groups(rows: Callable[[Predicted], list[Row]]) -> dict[str, list[Row]]:
        return grouped(boards, lambda of: ((each.task, row) for each in of.predicted for row in rows(each)))

    board = boards[0].board
    charts = [
        _reliability(groups(_bins), board),
        _recall(groups(_recalls), board),
        _confusion(groups(_cells), board),
    ]
    return [chart for chart in charts if chart.groups]


def _reliability(groups: dict[str, list[Row]], board: Leaderboard) -> Chart:
    return Chart(
        name="reliability",
        title="Reliability",
        about="How often predictions are right that are made with some confidence. On the diagonal, "
        "confidence can be taken at its word; below it, a strategy is overconfident. Larger points stand for "
        "more predictions.",
        spec=_reliability_spec(),
        groups=groups,
        columns=[
            Column("strategy", "strategy"),
            Column("confidence", "mean confidence", 3),
            Column("accuracy", "accuracy", 3),
            Column("count", "predictions", 0),
        ],
        signals=emphasised(board),
    )


def _recall(groups: dict[str, list[Row]], board: Leaderboard) -> Chart:
    return Chart(
        name="recall",
        title="Recall by class",
        about="How much of each class is found. Bars are the chosen strategy, ticks the one that it is "
        "compared with.",
        spec=_recall_spec(),
        groups=groups,
        columns=[
            Column("strategy", "strategy"),
            Column("class", "class"),
            Column("recall", "recall in %", 1),
        ],
        signals=emphasised(board),
        lines="class",
    )


def _confusion(groups: dict[str, list[Row]], board: Leaderboard) -> Chart:
    sizes = [len({row["class"] for row in rows}) for rows in groups.values()]
    return Chart(
        name="confusion",
        title="Confusion",
        about="Test samples of all trials, by their class (rows) and the predicted class (columns). Colour "
        f"is the share of the row. Tasks with more than {MOST_CLASSES} classes, and episodes, have none.",
        spec=_confusion_spec(max(sizes, default=0)),
        groups=groups,
        columns=[
            Column("strategy", "strategy"),
            Column("class", "class"),
            Column("predicted", "predicted as"),
            Column("count", "samples", 0),
        ],
        signals=[Signal("strategy", "Strategy", "strategy", highlighted(board), only=True)],
    )


def _bins(found: Predicted) -> list[Row]:
    bins = found.bins
    return [
        {
            "strategy": found.strategy,
            "confidence": float(bins.confidence[place]),
            "accuracy": float(bins.accuracy[place]),
            "count": int(count),
            "share": float(count / bins.counts.sum()),
        }
        for place, count in enumerate(bins.counts)
        if count
    ]


def _recalls(found: Predicted) -> list[Row]:
    return [
        {"strategy": found.strategy, "class": name, "recall": 100 * float(value)}
        for name, value in zip(found.classes, found.recall, strict=True)
    ]


def _cells(found: Predicted) -> list[Row]:
    if found.confusion is None or len(found.classes) > MOST_CLASSES:
        return []
    return [
        {"strategy": found.strategy, "class": true, "predicted": other, "count": int(found.confusion[i, j])}
        for i, true in enumerate(found.classes)
        for j, other in enumerate(found.classes)
    ]


def _reliability_spec() -> dict[str, Any]:
    ends: dict[str, Any] = {"scale": {"domain": [0, 1]}, "type": "quantitative"}
    axis = {"format": "%", "tickCount": 5}
    x = {"field": "confidence", "title": "confidence", "axis": axis, **ends}
    y = {"field": "accuracy", "title": "accuracy", "axis": axis, **ends}
    tooltip = [
        {"field": "strategy", "title": "strategy"},
        {"field": "confidence", "title": "mean confidence", "format": ".1%"},
        {"field": "accuracy", "title": "accuracy", "format": ".1%"},
        {"field": "count", "title": "predictions", "format": ","},
    ]
    size = {
        "field": "share",
        "type": "quantitative",
        "scale": {"range": [20, 500], "domain": [0, 1]},
        "legend": None,
    }
    return {
        "height": 360,
        "description": "Accuracy of predictions by their confidence",
        "layer": [
            {
                "data": {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--faint)", "strokeWidth": 1.5},
                "encoding": {"x": x, "y": y},
            },
            {
                "transform": [EMPHASIS, {"filter": "datum.role !== 'rest'"}],
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "color": ROLE_COLOUR},
            },
            {
                "transform": [EMPHASIS, {"filter": "datum.role !== 'rest'"}],
                "mark": {"type": "point", "filled": True, "opacity": 0.9},
                "encoding": {"x": x, "y": y, "size": size, "color": ROLE_COLOUR, "tooltip": tooltip},
            },
        ],
    }


def _recall_spec() -> dict[str, Any]:
    tooltip = [
        {"field": "strategy", "title": "strategy"},
        {"field": "class", "title": "class"},
        {"field": "recall", "title": "recall in %", "format": ".1f"},
    ]
    return {
        "description": "Recall of each class",
        "encoding": {
            "y": {"field": "class", "type": "nominal", "sort": None, "title": "class"},
            "x": {
                "field": "recall",
                "type": "quantitative",
                "title": "recall in %",
                "scale": {"domain": [0, 100]},
            },
            "tooltip": tooltip,
        },
        "layer": [
            {
                "transform": [{"filter": "datum.strategy === strategy"}],
                "mark": {"type": "bar", "height": {"band": 0.55}, "color": "var(--accent)", "opacity": 0.75},
            },
            {
                "transform": [{"filter": "datum.strategy === other"}],
                "mark": {"type": "tick", "thickness": 3, "color": "var(--ink)", "height": {"band": 0.8}},
            },
        ],
    }


def _confusion_spec(classes: int) -> dict[str, Any]:
    steps = [0.005, 0.05, 0.2, 0.5, 0.8]
    colours = [f"var(--share-{place})" for place in range(len(steps) + 1)]
    tooltip = [
        {"field": "class", "title": "class"},
        {"field": "predicted", "title": "predicted as"},
        {"field": "count", "title": "samples", "format": ","},
        {"field": "share", "title": "share of the class", "format": ".1%"},
    ]
    axis = {"grid": False, "ticks": False, "domain": False, "labelLimit": 110}
    return {
        "width": {"step": _WIDE if classes <= _FEW else _NARROW},
        "height": {"step": 30},
        "autosize": {"type": "pad"},
        "description": "Confusion matrix",
        "transform": [
            {"filter": "datum.strategy === strategy"},
            {"joinaggregate": [{"op": "sum", "field": "count", "as": "total"}], "groupby": ["class"]},
            {"calculate": "datum.total ? datum.count / datum.total : 0", "as": "share"},
        ],
        "encoding": {
            "y": {"field": "class", "type": "nominal", "sort": None, "axis": axis},
            "x": {
                "field": "predicted",
                "type": "nominal",
                "sort": None,
                "title": "predicted as",
                "axis": {**axis, "orient": "top"},
            },
            "tooltip": tooltip,
        },
        "layer": [
            {
                "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
                "encoding": {
                    "color": {
                        "field": "share",
                        "type": "quantitative",
                        "legend": None,
                        "scale": {"type": "threshold", "domain": steps, "range": colours},
                    }
                },
            },
            {
                "transform": [{"filter": "datum.count > 0"}],
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {"text": {"field": "count", "format": "," if classes <= _FEW else "~s"}},
            },
        ],
    }
