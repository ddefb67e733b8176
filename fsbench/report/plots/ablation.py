"""The contributions of components and their interactions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fsbench.metrics import Metric, scale
from fsbench.report.ablation import Ablation, Effect
from fsbench.report.ablation_sheet import TOGETHER, spec_of
from fsbench.report.contrasts import Contrast
from fsbench.report.escape import figure
from fsbench.report.plots.figures import Figure
from fsbench.report.plots.style import BASELINE_COLOUR, HELPS, HURTS, OTHERS, unit
from fsbench.report.rows import OVERALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 48


def size(found: Ablation) -> tuple[float, float]:
    """The width and height in inches that the picture needs."""
    return 8.0, 1.6 + 0.34 * len(_effects(found))


def picture(found: Ablation) -> Figure:
    """The picture as a figure of a report."""
    caption = "Contributions of components (Shapley values) and their interactions, with 95 % intervals"
    return Figure("ablation", caption, partial(draw, found, found.metric), size(found))


def draw(found: Ablation, metric: Metric, ax: Axes) -> None:
    """Draw a line for each contribution, each interaction and the gain of the sum, with 95 % intervals.

    Large points are over tasks: blue helps, orange hurts, grey is not settled; small ones are single tasks.
    """
    effects = _effects(found)
    for place, effect in enumerate(effects):
        tasks = [row for row in effect.rows if row.task != OVERALL]
        if len(tasks) > 1:
            values = [scale(metric) * row.estimate.mean for row in tasks]
            ax.plot(values, [place] * len(values), "|", color=OTHERS, markersize=9, zorder=1)
        if effect.overall:
            _draw(effect.overall, place, metric, ax)
    ax.axvline(0, color="#999999", linewidth=0.8, zorder=0)
    for line in (0.5, 0.5 + len(found.contributions)):
        ax.axhline(line, color="#DDDDDD", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(effects)), labels=[_label(effect) for effect in effects], fontsize=8)
    ax.set_ylim(len(effects) - 0.5, -0.5)
    ax.set_xlabel(f"gain in {figure(metric.title)}{unit(metric, difference=True)}")
    ax.set_title("The whole sum, contributions of components, and interactions")


def _effects(found: Ablation) -> list[Effect]:
    whole = Effect((spec_of(found),), found.gain.rows)
    return [whole, *found.contributions, *found.interactions]


def _label(effect: Effect) -> str:
    name = TOGETHER.join(effect.components)
    return figure(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}...")


def _draw(row: Contrast, place: int, metric: Metric, ax: Axes) -> None:
    by, found = scale(metric), row.estimate
    colour = {"helps": HELPS, "hurts": HURTS, "equivalent": BASELINE_COLOUR}.get(row.verdict, "#888888")
    if found.low is not None and found.high is not None:
        ax.plot([by * found.low, by * found.high], [place] * 2, color=colour, linewidth=1.6, zorder=2)
    ax.plot(by * found.mean, place, "o", color=colour, markersize=6, zorder=3)
