"""The figures of a report, in the order in which a reader asks."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from fsbench.report import text
from fsbench.report.charts import Bins, Charts
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.plots import costs, gains, learning, predictions, ranks
from fsbench.report.plots.slim import slim
from fsbench.report.plots.style import COLOURS, styled
from fsbench.words import capital

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = (7.0, 3.8)


@dataclass(frozen=True)
class Figure:
    """A figure: its name, with which its file begins, what it shows, and how it is drawn on axes.

    `size` is its width and height in inches.
    """

    name: str
    caption: str
    draw: Callable[[Axes], None]
    size: tuple[float, float] = _WIDE

    @property
    def kind(self) -> str:
        """The name without the numbers that distinguish figures of one kind."""
        return next(part for part in self.name.split("-") if part.isalpha())

    def save(self, format: Literal["svg", "pdf"]) -> bytes:
        """The figure as a file, the same bytes for the same numbers."""
        from matplotlib.figure import Figure as Canvas

        buffer = io.BytesIO()
        date = {"svg": "Date", "pdf": "CreationDate"}[format]
        with styled(), warnings.catch_warnings():
            # A name in another script is drawn as boxes in PDF; SVG contains the text.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            canvas = Canvas(figsize=self.size, layout="constrained")
            self.draw(canvas.subplots())
            canvas.savefig(buffer, format=format, metadata={date: None}, bbox_inches="tight")
        found = buffer.getvalue()
        return slim(found.decode()).encode() if format == "svg" else found


def figures(charts: Charts, mark: str = "") -> Iterator[Figure]:
    """The figures of a leaderboard that have something to show; `mark` distinguishes their names."""
    board = charts.board
    metric, baseline = board.metric, board.baseline
    for number, each in enumerate(charts.curves, 1):
        title = capital(metric.title)
        caption = f"{title} of {each.family} over the number of labels; bands are 95 % intervals"
        yield Figure(f"{mark}curves-{number}", caption, partial(learning.draw, each, metric))
    if charts.gains.strategies:
        caption = (
            f"{text.difference_to(board)}: only what is settled is in colour and bold, blue helps, orange "
            "hurts; white is not settled, grey is equivalent, hatched is withheld; * on some tasks or trials "
            "only; × failed, – was skipped, n/a has no value of the metric"
        )
        if charts.gains.has("not compared"):
            caption += ", ? has nothing to be compared with"
        draw = partial(gains.draw, charts.gains, metric)
        yield Figure(f"{mark}gains", caption, draw, gains.size(charts.gains))
    if charts.ranks and charts.ranks.p is not None:
        caption = (
            "Mean ranks over independent groups of tasks, the best on the left; bars join strategies that "
        )
        caption += "do not differ significantly (Nemenyi test, 5 % level)"
        yield Figure(f"{mark}ranks", caption, partial(ranks.draw, charts.ranks), ranks.size(charts.ranks))
    if charts.costs:
        caption = (
            "Gain against cost; the line joins, of the strategies with a result on every task, those that no "
            "other one beats in both; vertical lines are their 95 % intervals; hollow points have no result "
            "on some tasks or trials"
        )
        yield Figure(f"{mark}costs", caption, partial(costs.draw, charts.costs, metric))
    names = by_interest(board)
    if charts.fits:
        caption = "Accuracy on the test part over that on the training labels, a point per strategy and task"
        yield Figure(f"{mark}fit", caption, partial(predictions.fit, charts.fits, names, baseline))
    if pooled := pooled_bins(charts, names[: len(COLOURS) + 1]):
        caption = (
            "Accuracy over confidence, all tasks together; the area of a point is its share of the samples"
        )
        yield Figure(f"{mark}reliability", caption, partial(predictions.reliability, pooled, baseline))


def by_interest(board: Leaderboard) -> list[str]:
    """The baseline, then the other strategies, the best first."""
    return [board.baseline, *(row.strategy for row in board.overall if row.strategy != board.baseline)]


def pooled_bins(charts: Charts, names: list[str], task: str | None = None) -> dict[str, Bins]:
    """The bins of some strategies, on one task or over all, in the order of the names."""
    found: dict[str, Bins] = {}
    for each in charts.predicted:
        if each.strategy in names and task in (None, each.task):
            known = found.get(each.strategy)
            found[each.strategy] = each.bins if known is None else known + each.bins
    return {name: found[name] for name in names if name in found}
