"""How many splits would settle a difference, from what is known about its variance."""

from __future__ import annotations

import math

import numpy as np

from fsbench.stats.estimation import between
from fsbench.stats.priors import Prior, guesses
from fsbench.stats.sample import Rows, Sample

POWER = 0.8
MOST = 1000


def splits_needed(sample: Sample, prior: Prior, levels: tuple[float, float], margin: float) -> int | None:
    """The least number of splits with which a difference would be settled with a probability of 80 %.

    That is, if the true difference and the variances are as they are estimated now. `levels` are those that
    the p-values of a difference, and of equivalence within the `margin`, must not exceed. More splits only
    reduce the variance between splits: what they share, and the test samples that all have in common, stays.
    None if not even 1000 splits suffice, or nothing is known about the spread.
    """
    if sample.spread is None:
        return None
    rows, n = Rows.of([sample]), len(sample.values)
    (chances,), (variances,), (df,) = guesses(rows, prior.plain if sample.own is None else prior.scaled)
    variance = math.fsum(chances * variances)
    rest = float(between(rows, np.array([[variance]]))[0, 0]) - variance / n + sample.common

    def settles(splits: int) -> bool:
        return _settles(sample.mean, math.sqrt(variance / splits + rest), df + splits - n, levels, margin)

    low, high = n, MOST
    if not settles(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high


def _settles(mean: float, error: float, df: float, levels: tuple[float, float], margin: float) -> bool:
    """Whether a difference, or equivalence, would be found with a probability of at least 80 %."""
    from scipy.special import stdtr, stdtrit

    differs, within = (stdtrit(df, 1 - level) for level in (levels[0] / 2, levels[1]))
    found = stdtr(df, abs(mean) / error - differs)
    equal = stdtr(df, (margin - mean) / error - within) + stdtr(df, (margin + mean) / error - within) - 1
    return bool(max(found, equal) >= POWER)
