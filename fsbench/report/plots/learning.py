"""Learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.metrics import Metric, scale
from fsbench.report.charts import Curves
from fsbench.report.charts.learning import Line
from fsbench.report.escape import figure
from fsbench.report.plots.style import OTHERS, coloured, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(curves: Curves, metric: Metric, ax: Axes) -> None:
    """Draw the curves, in colour the baseline and the best few; it and the best have bands of 95 % intervals.

    The others share an entry of the legend. The number of labels has a logarithmic scale, or a linear
    one if it can be 0.
    """
    names = [line.strategy for line in curves.lines]
    looks = coloured(names, names[0] if names else "")
    named = [name for name in names if looks[name][0] != OTHERS]
    if len(named) < len(names):
        ax.plot([], [], color=OTHERS, linewidth=0.8, label="others")
    for line in reversed(curves.lines):
        _draw_line(line, metric, looks[line.strategy], line.strategy in named, ax)
    for line in curves.lines[:2]:
        _draw_band(line, metric, looks[line.strategy][0], ax)
    if min(curves.labels) > 0:
        ax.set_xscale("log")
    ax.set_xticks(curves.labels, labels=[str(each) for each in curves.labels])
    ax.minorticks_off()
    ax.set_xlabel("labels per class")
    ax.set_ylabel(f"{figure(metric.title)}{unit(metric)}")
    ax.set_title(figure(curves.family))
    handles, shown = ax.get_legend_handles_labels()
    if handles:
        ax.legend(handles[::-1], shown[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


def _draw_line(line: Line, metric: Metric, look: tuple[str, str], named: bool, ax: Axes) -> None:
    colour, marker = look
    by = scale(metric)
    known = [(point.labels, point.row.score) for point in line.points if point.row.score]
    labels = [labels for labels, _ in known]
    pale = colour == OTHERS
    ax.plot(
        labels,
        [by * score.mean for _, score in known],
        color=colour,
        marker="" if pale else marker,
        markersize=5,
        linewidth=0.8 if pale else 1.6,
        label=figure(line.strategy) if named else None,
    )


def _draw_band(line: Line, metric: Metric, colour: str, ax: Axes) -> None:
    by = scale(metric)
    known = [(point.labels, point.row.score) for point in line.points if point.row.score]
    bands = [(n, by * s.low, by * s.high) for n, s in known if s.low is not None and s.high is not None]
    if bands:
        at, low, high = zip(*bands, strict=True)
        ax.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)
