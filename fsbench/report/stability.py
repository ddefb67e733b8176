"""What a mean over trials hides: results that fall apart into two, and the noise of initialisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fsbench.metrics import Metric
from fsbench.report.by_split import alike, by_split
from fsbench.report.differences import Measured
from fsbench.report.entries import Setting
from fsbench.report.names import some

# Two clusters of scores are this far apart at least, and this many times the spread within them. In
# simulations, one in a thousand rows of ten normally distributed scores is flagged, one in thirty of five.
_APART = 0.1
_TIMES_WIDER = 8.0
_FEWEST = 5


def instability(values: np.ndarray, metric: Metric) -> str:
    """A remark about scores in two clusters far from each other, such as training that sometimes collapses.

    `values` are those of trials, NaN where there is none. Empty for fewer than five, and for metrics that are
    not in %.
    """
    values = np.sort(values[np.isfinite(values)])
    if not metric.percent or len(values) < _FEWEST:
        return ""
    gaps = np.diff(values)
    if gaps.max() < _APART:
        return ""
    cut = int(gaps.argmax()) + 1
    clusters = values[:cut], values[cut:]
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in clusters)
    within = (squares / (len(values) - 2)) ** 0.5
    if gaps.max() < _TIMES_WIDER * within:
        return ""
    small, large = sorted(clusters, key=len)
    distance, side = 100 * abs(small.mean() - large.mean()), "below" if small is clusters[0] else "above"
    verb = "is" if len(small) == 1 else "are"
    return f"{len(small)} of {len(values)} scores {verb} {distance:.0f} points {side} the others"


def deviations(setting: Setting, metric: Metric) -> list[tuple[float | None, float | None]]:
    """For each entry, the standard deviations of its results between splits and between init seeds.

    That between splits is freed from what the init seeds contribute to it. Each is None if nothing is known
    about it.
    """
    values = setting.values(metric.name)[:-1]
    found: list[tuple[float | None, float | None]] = [(None, None)] * len(values)
    for rows, done in alike(values):
        each = by_split(setting.pairs, values[rows], done)
        weight, several = float((1 / each.counts).mean()), len(each.seeds) > 1
        variances = each.means.var(axis=1, ddof=1) if several else np.zeros(len(rows))
        for row, variance, noise in zip(rows, variances.tolist(), each.noise, strict=True):
            between = max(variance - (noise or 0.0), 0.0) ** 0.5 if several else None
            found[row] = between, None if noise is None else (noise / weight) ** 0.5
    return found


def limitations(found: Sequence[Setting], table: Measured, metric: Metric) -> Iterator[str]:
    """What the intervals of some settings leave out, because it was not drawn or is not stored."""
    if same := [setting.label for setting in found if setting.splits.same]:
        yield f"training noise only: every split of {some(same)} trains on the same samples, so no verdict"
    lacking = {
        (task, recipe)
        for (task, recipe, _), each in table.scores.items()
        if each and each.own is None and len(each.values) > 1
    }
    if unknown := [setting.label for setting in found if (setting.task, setting.recipe) in lacking]:
        yield (
            f"intervals on {some(unknown)} leave out that test samples were drawn: how each of them counts "
            f"for the {metric.title} is not stored with these results"
        )
