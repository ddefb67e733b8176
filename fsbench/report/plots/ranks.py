"""The critical-difference diagram (Demsar 2006)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fsbench.report.charts import Ranks
from fsbench.report.escape import figure
from fsbench.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.26


def size(ranks: Ranks) -> tuple[float, float]:
    """The width and height in inches that a diagram needs."""
    rows = math.ceil(len(ranks.strategies) / 2) + len(ranks.cliques)
    return 7.5, 1.1 + _ROW * rows


def draw(ranks: Ranks, ax: Axes) -> None:
    """Draw mean ranks on a line, the best on the left; bars join those that do not differ significantly."""
    count = len(ranks.strategies)
    low, high = 1, max(2, math.ceil(max(ranks.mean)))
    width = high - low
    ax.set_axis_off()
    ax.plot([low, high], [0, 0], color="black", linewidth=1)
    for tick in range(low, high + 1):
        ax.plot([tick, tick], [0, 0.25], color="black", linewidth=1)
        if count <= 15 or tick % 5 == 0 or tick == low:
            ax.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=8)
    first = len(ranks.cliques) * 0.45 + 0.9
    half = math.ceil(count / 2)
    for place, (name, mean) in enumerate(zip(ranks.strategies, ranks.mean, strict=True)):
        left = place < half
        level = -(first + (place if left else count - 1 - place))
        edge = low - 0.04 * width if left else high + 0.04 * width
        ax.plot([mean, mean, edge], [0, level, level], color="#555555", linewidth=0.8)
        label = f"{figure(name)}  {mean:.2f}" if left else f"{mean:.2f}  {figure(name)}"
        gap = -0.01 * width if left else 0.01 * width
        ax.text(edge + gap, level, label, ha="right" if left else "left", va="center", fontsize=8)
    for row, (begin, end) in enumerate(ranks.cliques):
        level = -0.45 * (row + 1)
        ends = [ranks.mean[begin] - 0.01 * width, ranks.mean[end] + 0.01 * width]
        ax.plot(ends, [level, level], color="black", linewidth=3, solid_capstyle="butt")
    _draw_distance(ranks, low, high, ax)
    ax.set_xlim(low - 0.45 * width, high + 0.45 * width)
    ax.set_ylim(-(first + half), 2.6)


def _draw_distance(ranks: Ranks, low: int, high: int, ax: Axes) -> None:
    """Draw the critical difference as a ruler, or say why there is none."""
    over = f"mean ranks over {plural(len(ranks.groups), 'independent group')} of tasks"
    if ranks.critical_difference is None:
        ax.text(low, 1.9, f"{over}: too few for a critical difference", fontsize=8)
        return
    shown = min(ranks.critical_difference, high - low)
    more = " (longer than this line)" if shown < ranks.critical_difference else ""
    ax.plot([low, low + shown], [1.5, 1.5], color="black", linewidth=1.5, marker="|")
    ax.text(
        low,
        1.8,
        f"critical difference {ranks.critical_difference:.2f}{more}; {over}",
        fontsize=8,
        va="bottom",
    )
