"""Gain against cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsbench.metrics import Metric
from fsbench.report.charts import Priced
from fsbench.report.escape import figure
from fsbench.report.plots.style import BASELINE, COLOURS, OTHERS, scale, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MANY = 30
"""With more strategies, only those on the front have names."""


def draw(costs: Sequence[Priced], metric: Metric, ax: Axes) -> None:
    """Draw a point for each strategy and join those that no other one beats in both.

    Those on the front have names and intervals; the others have names unless there are many. A hollow point
    has no result on some tasks.
    """
    by = scale(metric)
    front = [each for each in costs if each.front]
    ax.step(
        [each.cost for each in front],
        [by * each.gain for each in front],
        where="post",
        color=COLOURS[0],
        linewidth=1,
        alpha=0.6,
    )
    for each in costs:
        colour = BASELINE if each.verdict == "baseline" else COLOURS[0] if each.front else OTHERS
        face = colour if each.complete else "white"
        if each.front and each.low is not None and each.high is not None:
            ax.plot([each.cost] * 2, [by * each.low, by * each.high], color=colour, linewidth=1)
        ax.plot(each.cost, by * each.gain, "o", markerfacecolor=face, markeredgecolor=colour, markersize=5)
        if not each.front and len(costs) > _MANY:
            continue
        style = {"fontsize": 8} if each.front else {"fontsize": 6, "color": "#777777"}
        ax.annotate(
            figure(each.strategy), (each.cost, by * each.gain), (4, 3), textcoords="offset points", **style
        )
    ax.axhline(0, color="#999999", linewidth=0.8, zorder=0)
    if costs and min(each.cost for each in costs) > 0:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("cost (seconds, divided by those of plain training)")
    ax.set_ylabel(f"gain in {figure(metric.title)}{unit(metric, difference=True)}")
    ax.set_title("Gain over plain training against cost")
