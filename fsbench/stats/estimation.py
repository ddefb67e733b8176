"""Means over splits with intervals and tests, whose variances can be moderated across the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEVEL = 0.95
FRACTION = (0.0, 1.0)
NO_LIMITS = (-math.inf, math.inf)
# A spread below this fraction of the values' size is due to rounding: the values are equal.
_ROUNDING = 1e-12
# The most degrees of freedom that other rows lend to a row. With more, rows that are far less stable than
# the others get too many verdicts: see docs/statistics.md.
MOST_LENT = 6.0
MOST_LENT_PLAIN = 2.0
_FEWEST_ROWS = 4
_MANY = 1e6


@dataclass(frozen=True)
class Sample:
    """One value per split, and what is known about how the splits hang together.

    `resolution` is the effect of one decision on the test part: the standard deviation is at least this,
    because a few values in coarse steps can be (nearly) equal by chance. `common` and `own` are the parts of
    the variance of one value that are due to the choice of test samples (`Crossed`); `own` is None where
    they are unknown. `shared` is the fraction of its training samples that a split shares with another, and
    `noise` the part of the variance of one value that is due to training alone (initialisation and batches),
    None if it is unknown.
    `overlap`, used where `own` is unknown, is the size of the test part divided by that of the training part
    if the splits repeatedly divide the same samples, otherwise 0.
    """

    values: tuple[float, ...]
    resolution: float = 0.0
    common: float = 0.0
    own: float | None = None
    shared: float = 0.0
    noise: float | None = None
    overlap: float = 0.0

    @cached_property
    def mean(self) -> float:
        """The mean over splits."""
        return math.fsum(self.values) / len(self.values)

    @cached_property
    def spread(self) -> float | None:
        """The variance between splits, at least the known part; None if nothing is known about it."""
        n, mean = len(self.values), self.mean
        if n < 2:
            return None
        variance = math.fsum((v - mean) ** 2 for v in self.values) / (n - 1)
        largest = max(variance, self.resolution**2, self.own or 0.0)
        return largest if math.sqrt(largest) > _ROUNDING * max(map(abs, self.values)) else None


@dataclass(frozen=True)
class Part:
    """An independent part of an estimate: the sum of two variances.

    One is `estimated` with `df` degrees of freedom, or None if nothing is known about the spread; the other
    is `known`.
    """

    estimated: float | None
    known: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A mean over splits with its uncertainty.

    `low` and `high` bound the 95 % interval, None if nothing is known about the spread: with one split, or
    if all splits have equal values of unknown resolution. `p` is the two-sided p-value of "the true mean is
    0", 1 if unknown. `n` is the number of splits (the smallest, for a mean over tasks). `error` is the
    standard error and `df` its degrees of freedom, with which `p_below` and `p_above` are computed.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    n: int
    error: float | None = None
    df: float = 0.0

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def p_below(self, value: float) -> float:
        """The p-value of "the true mean is at least `value`"."""
        return self._p(self.mean - value)

    def p_above(self, value: float) -> float:
        """The p-value of "the true mean is at most `value`"."""
        return self._p(value - self.mean)

    def _p(self, distance: float) -> float:
        from scipy.special import stdtr

        return 1.0 if self.error is None else float(stdtr(self.df, distance / self.error))


@dataclass(frozen=True)
class Prior:
    """What the variances of other rows let expect of a row's variance between splits.

    `expected` is a variance, relative to `own` where that is known (`Sample`), and `lent` the degrees of
    freedom with which it counts; `plain_expected` and `plain_lent` are those for rows without known `own`.
    """

    lent: float = 0.0
    expected: float = 0.0
    plain_lent: float = 0.0
    plain_expected: float = 0.0


NO_PRIOR = Prior()


def fit_prior(samples: Iterable[Sample]) -> Prior:
    """The prior of the rows of a table.

    The variance between the splits of a row is then a weighted mean of its own and of the expected one, with
    the degrees of freedom as weights (Smyth 2004, "Linear models and empirical Bayes methods for assessing
    differential expression in microarray experiments"). These are estimated, and limited to `MOST_LENT`, or
    `MOST_LENT_PLAIN` where the part of the test samples is unknown.
    """
    known = [sample for sample in samples if sample.spread is not None]
    scaled = _lent([sample for sample in known if sample.own is not None], MOST_LENT)
    return Prior(*scaled, *_lent([sample for sample in known if sample.own is None], MOST_LENT_PLAIN))


def estimate(sample: Sample, prior: Prior = NO_PRIOR, limits: tuple[float, float] = NO_LIMITS) -> Estimate:
    """The mean of a row, with an interval within `limits` and a test of 0."""
    return student(sample.mean, [between(sample, prior)], len(sample.values), limits, sample.resolution)


def between(sample: Sample, prior: Prior = NO_PRIOR) -> Part:
    """The variance of a row's mean, moderated by a prior."""
    if sample.spread is None:
        return Part(None, sample.common, 0.0)
    return part(sample, *moderated(sample, prior))


def moderated(sample: Sample, prior: Prior) -> tuple[float, float]:
    """The variance between splits of a row whose spread is known, and its degrees of freedom."""
    plain, df = sample.own is None, len(sample.values) - 1.0
    lent, expected = (prior.plain_lent, prior.plain_expected) if plain else (prior.lent, prior.expected)
    variance = (lent * expected * _scale(sample) + df * (sample.spread or 0.0)) / (lent + df)
    return variance, lent + df


def part(sample: Sample, between: float, df: float) -> Part:
    """The variance of a row's mean, given the variance between splits and its degrees of freedom.

    Training samples that splits share make their results alike: as for a sum over training samples, the
    covariance of two splits is taken to be the shared fraction of the variance that is due to the drawn
    training samples. Without knowledge of the noise of training, half of that of independent splits is taken
    to be noise. Without knowledge of the test samples, splits that repeatedly divide the same samples add
    their variance times `overlap` (Nadeau & Bengio 2003).
    """
    n = len(sample.values)
    if sample.own is None:
        return Part(between * (1 / n + sample.overlap), sample.common, df)
    by_training, shared = max(between - sample.own, 0.0), min(sample.shared, 1 - 1 / _MANY)
    if sample.noise is None:
        covariance = by_training * shared / (2 - shared)
    else:
        covariance = max(by_training - sample.noise, 0.0) * shared / (1 - shared)
    return Part(between / n + covariance, sample.common, df)


def student(
    mean: float,
    parts: Sequence[Part],
    n: int,
    limits: tuple[float, float] = NO_LIMITS,
    resolution: float = 0.0,
) -> Estimate:
    """Interval and test of a sum of independent parts, with Satterthwaite's degrees of freedom.

    For small p-values these are too optimistic. With several parts, a p-value has the smallest degrees of
    freedom instead, which is valid whatever the variances are (Mickey & Brown 1966); with one part, whose
    variance is partly known, it has at most twice those of the estimated variance.
    """
    estimated = [each.estimated for each in parts if each.estimated is not None]
    if len(estimated) < len(parts):
        return Estimate(mean, None, None, 1.0, n)
    # Imported here so that importing this module does not import scipy.
    from scipy.special import stdtr, stdtrit

    variance = math.fsum(estimated) + math.fsum(each.known for each in parts)
    squares = math.fsum(each.estimated**2 / each.df for each in parts if each.estimated)
    df = min(variance**2 / squares, _MANY) if squares else _MANY
    fewest = min(each.df for each in parts)
    cautious = min(df, 2 * fewest) if len(parts) == 1 else fewest
    error, quantile = math.sqrt(variance), float(stdtrit(df, (1 + LEVEL) / 2))
    low, high = _interval(mean, error, quantile, limits, resolution)
    p = 2 * float(stdtr(cautious, -abs(mean) / error)) if error else 1.0
    return Estimate(mean, low, high, p, n, error or None, cautious)


def _interval(
    mean: float, error: float, quantile: float, limits: tuple[float, float], resolution: float
) -> tuple[float, float]:
    """The interval of a mean.

    Of a fraction it is Wilson's, with as many samples as give the standard error: the values within
    `quantile` of the errors that they themselves would have. A fraction closer to 0 or 1 than the resolution
    has the error of one at that distance. Other intervals end at their limits.
    """
    if limits != FRACTION or not 0 <= mean <= 1:
        return max(mean - quantile * error, limits[0]), min(mean + quantile * error, limits[1])
    step = min(max(resolution, _ROUNDING), 0.5)
    inner = min(max(mean, step), 1 - step)
    ratio = (quantile * error) ** 2 / (inner * (1 - inner))
    center = (mean + ratio / 2) / (1 + ratio)
    half = math.sqrt(ratio * mean * (1 - mean) + ratio**2 / 4) / (1 + ratio)
    return max(center - half, 0.0), min(center + half, 1.0)


def _scale(sample: Sample) -> float:
    """What a row's variance between splits is compared with across rows."""
    return 1.0 if sample.own is None else max(sample.own, sample.resolution**2, 1e-300)


def _lent(samples: Sequence[Sample], most: float) -> tuple[float, float]:
    """The degrees of freedom that rows lend each other, and the variance that they let expect.

    Fitted to the logarithms of the variances (Smyth 2004, section 6.2); none with too few rows.
    """
    if len(samples) < _FEWEST_ROWS:
        return 0.0, 0.0
    from scipy.special import digamma, polygamma

    spreads = np.array([(sample.spread or 0.0) / _scale(sample) for sample in samples])
    df = np.array([len(sample.values) - 1.0 for sample in samples])
    logs = np.log(spreads) - digamma(df / 2) + np.log(df / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, df / 2).mean())
    lent = min(2 * _inverse_trigamma(excess), _MANY) if excess > 0 else _MANY
    expected = math.exp(float(logs.mean()) + float(digamma(lent / 2)) - math.log(lent / 2))
    return min(lent, most), expected


def _inverse_trigamma(value: float) -> float:
    """The number whose trigamma is a positive value, by Newton's method."""
    from scipy.special import polygamma

    if value < 1 / _MANY:
        return 1 / value
    found = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, found))
        found += step
        if abs(step) < 1e-9 * found:
            break
    return found
