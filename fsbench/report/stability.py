"""What a mean over trials hides: results that fall apart into two, and the noise of initialisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fsbench.metrics import Metric
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
    cut = int(gaps.argmax()) + 1
    clusters = values[:cut], values[cut:]
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in clusters)
    within = (squares / (len(values) - 2)) ** 0.5
    if gaps.max() < _APART or gaps.max() < _TIMES_WIDER * within:
        return ""
    small, large = sorted(clusters, key=len)
    distance, side = 100 * abs(small.mean() - large.mean()), "below" if small is clusters[0] else "above"
    return f"{len(small)} of {len(values)} scores are {distance:.0f} points {side} the others"


def training_noise(setting: Setting, values: np.ndarray) -> float | None:
    """The variance of a split's mean over its init seeds that is due to these; None with one init seed.

    `values [P]` are those of pairs of seeds, NaN where there is none.
    """
    if setting.single:
        return None
    means, counts, squares = _by_split(setting, values)
    freedom = int(counts.sum()) - len(means)
    return squares / freedom * float((1 / counts).mean()) if freedom else None


def deviations(setting: Setting, values: np.ndarray) -> tuple[float | None, float | None]:
    """The standard deviations of a result between splits and between the init seeds of a split.

    That between splits is freed from what the init seeds contribute to it. Each is None if nothing is known
    about it.
    """
    (means, counts, _), noise = _by_split(setting, values), training_noise(setting, values)
    between = max(float(means.var(ddof=1)) - (noise or 0.0), 0.0) ** 0.5 if len(means) > 1 else None
    if noise is None:
        return between, None
    return between, float(noise / (1 / counts).mean()) ** 0.5


def _by_split(setting: Setting, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean and the number of values of each split, and the sum of squares within splits."""
    known = np.isfinite(values)
    seeds, found = setting.pairs[known, 0], values[known]
    first = np.flatnonzero(np.diff(seeds, prepend=-1))
    counts = np.diff(first, append=len(found))
    means = np.add.reduceat(found, first) / counts if len(found) else found
    return means, counts, float(((found - np.repeat(means, counts)) ** 2).sum())


def limitations(found: Sequence[Setting], metric: Metric) -> Iterator[str]:
    """What the intervals of some settings leave out, because it was not drawn or is not stored."""
    if same := [setting.label for setting in found if setting.splits.same]:
        yield f"training noise only: every split of {some(same)} trains on the same samples, so no verdict"
    scored = [setting for setting in found if setting.columns.values[metric.name].size]
    unknown = [
        setting.label
        for setting in scored
        if any(s is not None and s.own is None and len(s.values) > 1 for s in setting.samples.values())
    ]
    if unknown:
        yield (
            f"intervals on {some(unknown)} leave out that test samples were drawn: how each of them counts "
            f"for the {metric.title} is not stored with these results"
        )
