"""Gain against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsbench.metrics import Metric, scale
from fsbench.report.charts import Priced
from fsbench.report.charts.placing import PLACES, placed
from fsbench.report.escape import figure
from fsbench.report.plots.style import BASELINE_COLOUR, COLOURS, OTHERS, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_LETTER, _LARGE, _SMALL = 0.58, 8, 6
"""The width of a letter in ems, and the sizes of names in points: on the front, and elsewhere."""


def draw(costs: Sequence[Priced], metric: Metric, ax: Axes) -> None:
    """Draw a point for each strategy and join those that no other one beats in both.

    Those on the front have intervals. A name is left out where it would cover another name, the axis or,
    unless its strategy is on the front, another point. A hollow point has no result on some tasks.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

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
        colour = BASELINE_COLOUR if each.verdict == "baseline" else COLOURS[0] if each.front else OTHERS
        face = colour if each.complete else "white"
        if each.front and each.low is not None and each.high is not None:
            ax.plot([each.cost] * 2, [by * each.low, by * each.high], color=colour, linewidth=1)
        ax.plot(each.cost, by * each.gain, "o", markerfacecolor=face, markeredgecolor=colour, markersize=5)
    ax.axhline(0, color="#999999", linewidth=0.8, zorder=0)
    if costs and min(each.cost for each in costs) > 0:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("cost (seconds, divided by those of plain training)")
    ax.set_ylabel(f"gain in {figure(metric.title)}{unit(metric, difference=True)}")
    ax.set_title("Gain over plain training against cost")
    _name(costs, by, ax)


def _name(costs: Sequence[Priced], by: float, ax: Axes) -> None:
    """Write names beside the points, where there is room."""
    ax.autoscale_view()
    pixels = ax.transData.transform([(each.cost, by * each.gain) for each in costs]) if costs else ()
    point = ax.figure.dpi / 72
    points = [(x / point, -y / point) for x, y in pixels]
    room = ax.bbox.x0 / point, math.inf
    sizes = [_LARGE if each.front else _SMALL for each in costs]
    names = [figure(each.strategy) for each in costs]
    widths = [_LETTER * size * len(name) for size, name in zip(sizes, names, strict=True)]
    for each, name, size, (place, clear) in zip(
        costs, names, sizes, placed(points, widths, [each.front for each in costs], room), strict=True
    ):
        align, dx, dy = PLACES[place]
        if clear:
            ax.annotate(
                name,
                (each.cost, by * each.gain),
                (0.75 * dx, -0.75 * dy),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=size,
                color="black" if each.front else "#555555",
            )
