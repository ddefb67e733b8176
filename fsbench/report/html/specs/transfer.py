"""What strategies gain from each source, and what they forget of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fsbench.metrics import scale
from fsbench.report.charts import Charts
from fsbench.report.html.chart import Chart, Column, Row, compared_with, digits, gain_title, grouped
from fsbench.report.html.specs.dumbbells import NARROW, dumbbells
from fsbench.words import plural

_SETTLED = ("helps", "hurts")


def source_gain(boards: Sequence[Charts]) -> Chart | None:
    """The mean gain of a strategy over plain training, source by source."""
    groups = grouped(boards, _gains)
    if not groups:
        return None
    shown = [of for of in boards if of.source_gains]
    return Chart(
        name="sources",
        title="Gain by source",
        about=f"The mean gain over {compared_with(shown)} of a strategy that starts from a source. To the "
        "left, plain training scored better; only what is settled on one of the tasks at least is in colour.",
        spec=_spec(gain_title(shown), f"+.{digits(boards[0].board.metric)}f"),
        groups=groups,
        columns=[
            Column("source", "source"),
            Column("gain", "gain", digits(boards[0].board.metric)),
            Column("tasks", "on"),
            Column("settled", "settled"),
        ],
        lines="source",
        group="Strategy",
    )


def forgetting(boards: Sequence[Charts]) -> Chart | None:
    """The accuracy on held-out samples of the source, before and after the training on the task."""
    groups = grouped(boards, _forgotten)
    if not groups:
        return None
    return Chart(
        name="forgetting",
        title="What is forgotten",
        about="Accuracy on held-out samples of the source, before and after the training on the task. What "
        "is lost has been forgotten.",
        spec=dumbbells(
            "task", "accuracy on the source in %", ("before", "after"), "Forgetting of the source"
        ),
        groups=groups,
        columns=[
            Column("task", "task"),
            Column("source", "source"),
            Column("from", "before, in %", 1),
            Column("to", "after, in %", 1),
            Column("change", "change in points", 1),
        ],
        lines="task",
        narrower=NARROW,
        group="Strategy",
    )


def _gains(of: Charts) -> Iterator[tuple[str, Row]]:
    metric = of.board.metric
    sign = scale(metric) if metric.higher_is_better else -scale(metric)
    for each in of.source_gains:
        words = Counter(row.verdict for _, row in each.tasks)
        verdict = "helps" if sign * each.difference > 0 else "hurts"
        yield (
            each.strategy,
            {
                "source": each.source,
                "gain": sign * each.difference,
                "tasks": plural(len(each.tasks), "task"),
                "settled": ", ".join(f"{word} on {words[word]}" for word in _SETTLED if words[word])
                or "none",
                "verdict": verdict if words[verdict] else "none",
            },
        )


def _forgotten(of: Charts) -> Iterator[tuple[str, Row]]:
    for each in of.forgotten:
        yield (
            each.strategy,
            {
                "task": each.task,
                "source": each.source,
                "from": 100 * each.before,
                "to": 100 * each.after,
                "change": 100 * (each.after - each.before),
            },
        )


def _spec(title: str, places: str) -> dict[str, Any]:
    return {
        "description": "Gain of a strategy by source",
        "encoding": {
            "y": {"field": "source", "type": "nominal", "sort": None, "title": None},
            "x": {"field": "gain", "type": "quantitative", "title": title},
            "tooltip": [
                {"field": "source", "title": "source"},
                {"field": "gain", "title": "gain", "format": places},
                {"field": "tasks", "title": "on"},
                {"field": "settled", "title": "settled"},
            ],
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.6}},
                "encoding": {
                    "color": {
                        "condition": [
                            {"test": f"datum.verdict === '{word}'", "value": f"var(--{word})"}
                            for word in _SETTLED
                        ],
                        "value": "var(--faint)",
                    }
                },
            },
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": "var(--faint)", "aria": False},
                "encoding": {"x": {"datum": 0}, "y": None, "tooltip": None},
            },
        ],
    }
