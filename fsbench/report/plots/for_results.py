"""`results.plot`: the charts of results drawn by matplotlib, in a notebook or for a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fsbench.errors import UnknownName, UsageError
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report.ablation import ablation_of
from fsbench.report.charts import Charts
from fsbench.report.charts.predicted import predicted_on
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.plots import ablation, costs, gains, learning, predictions, ranks
from fsbench.report.plots.figures import by_interest, pooled_bins
from fsbench.report.plots.style import COLOURS, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Plots:
    """Draws the charts of results; each method returns the matplotlib axes that it has drawn on.

    `ax` are axes to draw on; by default each method makes a figure. The charts are by a metric, of the
    results without tuning, if there are any, or of those with the strategies that are named.
    """

    def __init__(self, charts: Callable[..., Charts]) -> None:
        self._charts = charts

    def curves(self, family: str | None = None, metric: str = DEFAULT_METRIC, ax: Axes | None = None) -> Axes:
        """Learning curves: the scores over the number of labels, with 95 % intervals.

        `family` is the text that tasks have in common but for the number of labels, such as `kshot(digits)`;
        it must be given where there are several. Raises UsageError where no tasks differ in the number of
        labels only, UnknownName for another family.
        """
        charts = self._charts(metric)
        known = {each.family: each for each in charts.curves}
        if not known:
            raise UsageError(
                "no tasks differ in the number of labels only; run some that do: kshot(digits, k=[1, 5, 20])"
            )
        if family is None and len(known) > 1:
            raise UsageError(f"there are several families of tasks; give family=, one of: {', '.join(known)}")
        chosen = next(iter(known)) if family is None else family
        if chosen not in known:
            raise UnknownName("family of tasks", chosen, known)
        return drawn(partial(learning.draw, known[chosen], charts.board.metric), ax)

    def heatmap(self, metric: str = DEFAULT_METRIC, ax: Axes | None = None) -> Axes:
        """The gain of each strategy on each task: blue helps, orange hurts, the rest is not settled."""
        charts = self._charts(metric)
        return drawn(partial(gains.draw, charts.gains, charts.board.metric), ax, gains.size(charts.gains))

    def critical_difference(self, metric: str = DEFAULT_METRIC, ax: Axes | None = None) -> Axes:
        """Mean ranks; bars join strategies that do not differ significantly (Demsar 2006).

        Raises UsageError with fewer than two strategies that have a result in every trial.
        """
        found = self._charts(metric).ranks
        if found is None:
            raise UsageError("fewer than two strategies have a result in every trial, so there are no ranks")
        return drawn(partial(ranks.draw, found), ax, ranks.size(found))

    def pareto(self, metric: str = DEFAULT_METRIC, ax: Axes | None = None) -> Axes:
        """Gain against cost, with the strategies that no other one beats in both."""
        charts = self._charts(metric)
        return drawn(partial(costs.draw, charts.costs, charts.board.metric), ax)

    def reliability(
        self, strategies: str | Iterable[str] | None = None, task: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Accuracy over confidence of some strategies, on one task or on all together.

        Strategies are named as in the tables; by default they are the baseline and the best few. Raises
        UnknownName for a strategy or a task without results, and UsageError without stored predictions.
        """
        chosen = (
            [strategies] if isinstance(strategies, str) else list(() if strategies is None else strategies)
        )
        charts = self._charts(DEFAULT_METRIC, *chosen)
        _check_names(charts.board, chosen, task)
        names = chosen or by_interest(charts.board)[: len(COLOURS) + 1]
        bins = pooled_bins(charts, names, task)
        lacking = [name for name in names if name not in bins] if chosen or not bins else []
        if lacking:
            raise UsageError(f"there are no stored predictions of {', '.join(lacking)}")
        return drawn(partial(predictions.reliability, bins, charts.board.baseline), ax)

    def confusion(self, strategy: str, task: str, ax: Axes | None = None) -> Axes:
        """The confusion matrix of a strategy on a task, with the recall of each class.

        Raises UnknownName for a strategy or a task without results, UsageError without stored predictions or
        where the classes of test episodes differ.
        """
        found = predicted_on(self._charts(DEFAULT_METRIC, strategy).board, strategy, task)
        if found is None or found.confusion is None:
            raise UsageError(f"{strategy} has no stored predictions of fixed classes on {task}")
        side = 2.5 + 0.3 * min(len(found.classes), 20)
        return drawn(partial(predictions.confusion, found), ax, (side + 0.8, side))

    def ablation(self, spec: str, metric: str = DEFAULT_METRIC, ax: Axes | None = None) -> Axes:
        """What each component of a sum contributes, and how they interact, with 95 % intervals.

        There must be results of all sums of the components: `fsbench ablate` runs them. Raises UsageError
        without a task with such results.
        """
        found = ablation_of(self._charts(metric).board, spec)
        return drawn(partial(ablation.draw, found, found.metric), ax, ablation.size(found))

    def fit(self, ax: Axes | None = None) -> Axes:
        """Accuracy on the test part over that on the training labels, a point for each strategy and task."""
        charts = self._charts(DEFAULT_METRIC)
        return drawn(
            partial(predictions.fit, charts.fits, by_interest(charts.board), charts.board.baseline), ax
        )


def _check_names(board: Leaderboard, strategies: Sequence[str], task: str | None) -> None:
    """Raise UnknownName for a strategy or a task that a board does not have."""
    known, tasks = by_interest(board), [label for label, _ in board.tasks]
    for each in strategies:
        if each not in known:
            raise UnknownName("strategy with results:", each, known)
    if task is not None and task not in tasks:
        raise UnknownName("task with results:", task, tasks)
