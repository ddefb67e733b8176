"""Training against test accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsbench.report.charts import Charts
from fsbench.report.html.chart import Chart, Column, Row, grouped
from fsbench.report.html.specs.dumbbells import NARROW, dumbbells


def fit(boards: Sequence[Charts]) -> Chart | None:
    """The accuracy of each strategy on its training labels and on the test part, task by task."""
    groups = grouped(boards, _rows)
    if not groups:
        return None
    return Chart(
        name="fit",
        title="Training against test accuracy",
        about="A wide gap is overfitting: the strategy knows its labels by heart. Two low values are "
        "underfitting. Wrong labels of a noisy task count as right here if a strategy reproduces them.",
        spec=dumbbells(
            "strategy", "accuracy in %", ("training labels", "test part"), "Training and test accuracy"
        ),
        groups=groups,
        columns=[
            Column("strategy", "strategy"),
            Column("from", "training accuracy in %", 1),
            Column("to", "test accuracy in %", 1),
            Column("change", "gap in points", 1),
        ],
        lines="strategy",
        narrower=NARROW,
    )


def _rows(of: Charts) -> Iterator[tuple[str, Row]]:
    for each in of.fits:
        yield (
            each.task,
            {
                "strategy": each.strategy,
                "from": 100 * each.train,
                "to": 100 * each.test,
                "change": 100 * (each.test - each.train),
            },
        )
