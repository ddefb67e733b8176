"""The heat map of gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.metrics import Metric, number
from fsbench.report.charts import Cell, Gains
from fsbench.report.charts.gains import MEAN
from fsbench.report.escape import figure
from fsbench.report.plots.style import HELPS, HURTS, unit
from fsbench.report.text import star

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {
    "failed": "×",
    "skipped": "–",
    "no value": "n/a",
    "not run": "",
    "baseline": "0",
    "not compared": "?",
}
"""What cells without a gain show."""
_WEAK, _STRONG = 0.35, 0.75
_SETTLED = ("helps", "hurts")
_GREY = {"not run": 0.0, "no value": 0.0, "not settled": 0.0, "equivalent": 0.3}


def size(gains: Gains) -> tuple[float, float]:
    """The width and height in inches that a heat map needs."""
    longest = max(len(figure(name)) for name in (*gains.strategies, ""))
    return 2.5 + 0.075 * longest + 0.52 * (len(gains.tasks) + 1), 2.6 + 0.27 * len(gains.strategies)


def draw(gains: Gains, metric: Metric, ax: Axes) -> None:
    """Draw a cell for each strategy and task, and for the mean over tasks.

    Bold on blue helps and on orange hurts, the larger the gain the stronger. Grey on white is not settled, on
    grey equivalent; a withheld verdict is hatched, × failed, – was skipped, n/a has no value of the metric.
    """
    from matplotlib.patches import Rectangle

    table = [(*cells, over) for cells, over in zip(gains.cells, gains.overall, strict=True)]
    largest = max((abs(cell.gain.mean) for row in table for cell in row if cell.gain), default=0.0) or 1.0
    for i, row in enumerate(table):
        for j, cell in enumerate(row):
            colour, strength = _colour(cell, largest, metric.higher_is_better)
            hatch = "////" if cell.state == "withheld" else None
            ax.add_patch(
                Rectangle(
                    (j - 0.5, i - 0.5),
                    1,
                    1,
                    facecolor=(colour, strength),
                    edgecolor="white",
                    hatch=hatch,
                    clip_on=False,
                )
            )
            settled = cell.state in _SETTLED
            ax.text(
                j,
                i,
                shown(cell, metric),
                ha="center",
                va="center",
                fontsize=7,
                weight="bold" if settled else "normal",
                color="black" if settled else "#555555",
            )
    ax.axvline(len(gains.tasks) - 0.5, color="black", linewidth=0.8)
    ax.set_xlim(-0.5, len(gains.tasks) + 0.5)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xticks(
        range(len(gains.tasks) + 1),
        labels=[*map(figure, gains.tasks), MEAN],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
        fontsize=7,
    )
    ax.set_yticks(range(len(table)), labels=list(map(figure, gains.strategies)), fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"Difference to plain training{unit(metric, difference=True)}")


def shown(cell: Cell, metric: Metric) -> str:
    """The text of a cell: its gain, with its star, or a mark."""
    if cell.state in MARKS:
        return MARKS[cell.state]
    return number(cell.gain.mean, metric, sign=True) + star(cell.row) if cell.row and cell.gain else ""


def _colour(cell: Cell, largest: float, higher_is_better: bool) -> tuple[str, float]:
    """The colour of a cell and its strength from 0 to 1."""
    if cell.state not in _SETTLED or cell.gain is None:
        return "#888888", _GREY.get(cell.state, 0.12)
    helps = (cell.gain.mean > 0) == higher_is_better
    return HELPS if helps else HURTS, _WEAK + (_STRONG - _WEAK) * abs(cell.gain.mean) / largest
