"""Means over splits with intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.stats.priors import NO_PRIOR, Guess, Prior, guesses
from fsbench.stats.sample import ROUNDING, Sample

LEVEL = 0.95
FRACTION = (0.0, 1.0)
NO_LIMITS = (-math.inf, math.inf)
_MANY = 1e6
_PRECISE = 1e-7


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
class Tail:
    """With this probability, a mean minus the true one has Student's distribution, times a standard error."""

    probability: float
    error: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A mean over splits with its uncertainty.

    `low` and `high` bound the 95 % interval, None if nothing is known about the spread: with one split, or
    if all splits have equal values of unknown resolution. `p` is the two-sided p-value of "the true mean is
    0", 1 if unknown. `n` is the number of splits (the smallest, for a mean over tasks). `tails` are what
    `p_below` and `p_above` are computed with.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    n: int
    tails: tuple[Tail, ...] = ()

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def error(self) -> float | None:
        """The standard error; None if nothing is known about it."""
        variance = math.fsum(tail.probability * tail.error**2 for tail in self.tails)
        return math.sqrt(variance) if self.tails else None

    def p_below(self, value: float) -> float:
        """The p-value of "the true mean is at least `value`"."""
        return self._p(self.mean - value)

    def p_above(self, value: float) -> float:
        """The p-value of "the true mean is at most `value`"."""
        return self._p(value - self.mean)

    def _p(self, distance: float) -> float:
        return _below(self.tails, distance) if self.tails else 1.0


def estimate(sample: Sample, prior: Prior = NO_PRIOR, limits: tuple[float, float] = NO_LIMITS) -> Estimate:
    """The mean of a row, with an interval within `limits` and a test of 0."""
    n, cases = len(sample.values), [(1.0, [Part(None, sample.common, 0.0)])]
    if sample.spread is not None:
        cases = [(guess.probability, [part(sample, guess)]) for guess in guesses(sample, prior)]
    return student(sample.mean, cases, n, limits, sample.resolution)


def between(sample: Sample) -> Part:
    """The variance of a row's mean by its own spread."""
    if sample.spread is None:
        return Part(None, sample.common, 0.0)
    return part(sample, *guesses(sample, NO_PRIOR))


def part(sample: Sample, guess: Guess) -> Part:
    """The variance of a row's mean, given the variance between splits.

    Training samples that splits share make their results alike. Noise of training aside, the correlation of
    two splits is taken to be the fraction that both have of the training samples of either, which
    `benchmarks/shared_training.py` finds to be cautious. Without knowledge of the test samples, splits that
    repeatedly divide the same samples add their variance times `overlap` (Nadeau & Bengio 2003).
    """
    n, variance = len(sample.values), guess.variance
    if sample.own is None:
        return Part(variance * (1 / n + sample.overlap), sample.common, guess.df)
    by_training = max(variance - sample.own - (sample.noise or 0.0), 0.0)
    shared = min(sample.shared, 1 - 1 / _MANY)
    covariance = by_training * shared / (2 * (1 - shared))
    return Part(variance / n + covariance, sample.common, guess.df)


def student(
    mean: float,
    cases: Sequence[tuple[float, Sequence[Part]]],
    n: int,
    limits: tuple[float, float] = NO_LIMITS,
    resolution: float = 0.0,
) -> Estimate:
    """Interval and test of a sum of independent parts, which may be one of several `cases`.

    A case has a probability and the parts. The interval has Satterthwaite's degrees of freedom. For small
    p-values these are too optimistic. With several parts, a p-value has the smallest degrees of freedom
    instead, which is valid whatever the variances are (Mickey & Brown 1966); with one part, whose variance is
    partly known, it has at most twice those of the estimated variance.
    """
    if any(each.estimated is None for _, parts in cases for each in parts):
        return Estimate(mean, None, None, 1.0, n)
    both = [_tails(probability, parts) for probability, parts in cases]
    low, high = _interval(mean, _half_width([tail for tail, _ in both]), limits, resolution)
    cautious = tuple(tail for _, tail in both)
    return Estimate(mean, low, high, 2 * _below(cautious, -abs(mean)), n, cautious)


def _tails(probability: float, parts: Sequence[Part]) -> tuple[Tail, Tail]:
    """The tail of a sum of parts, for an interval and for small p-values."""
    variance = math.fsum((each.estimated or 0.0) + each.known for each in parts)
    squares = math.fsum(each.estimated**2 / each.df for each in parts if each.estimated)
    df = min(variance**2 / squares, _MANY) if squares else _MANY
    fewest = min(each.df for each in parts)
    cautious = min(df, 2 * fewest) if len(parts) == 1 else fewest
    error = math.sqrt(variance)
    return Tail(probability, error, df), Tail(probability, error, cautious)


def _below(tails: Sequence[Tail], distance: float) -> float:
    """The probability that a mean is so far below the true one, or further; 0.5 at a distance of 0."""
    # Imported here so that importing this module does not import scipy.
    from scipy.special import stdtr

    return math.fsum(t.probability * float(stdtr(t.df, distance / t.error)) for t in tails)


def _half_width(tails: Sequence[Tail]) -> float:
    """The distance that the error of a mean exceeds with a probability of 5 %."""
    from scipy.special import stdtr, stdtrit

    probability, error, df = np.array([(t.probability, t.error, t.df) for t in tails]).T
    ends = np.log(error * stdtrit(df, (1 + LEVEL) / 2))

    def beyond(size: float) -> float:
        """How much too likely an error beyond exp(size) is, as a logarithm."""
        return math.log(2 * float(probability @ stdtr(df, -math.exp(size) / error)) / (1 - LEVEL))

    return math.exp(_root(beyond, float(ends.min()), float(ends.max())))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, between two places (the Illinois method)."""
    at_low, at_high, found, side = function(low), function(high), low, 0
    while high - low > _PRECISE and at_low > 0 > at_high:
        found = (low * at_high - high * at_low) / (at_high - at_low)
        value = function(found)
        if abs(value) < _PRECISE:
            break
        # An end that stays twice counts half, so that it does not stay forever.
        if value > 0:
            low, at_low, at_high, side = found, value, at_high / (2 if side > 0 else 1), 1
        else:
            high, at_high, at_low, side = found, value, at_low / (2 if side < 0 else 1), -1
    return found


def _interval(
    mean: float, half: float, limits: tuple[float, float], resolution: float
) -> tuple[float, float]:
    """The interval of a mean, whose error is at most `half` with a probability of 95 %.

    Of a fraction it is Wilson's, with as many samples as give this error: the values within the errors that
    they themselves would have. A fraction closer to 0 or 1 than the resolution has the error of one at that
    distance. Other intervals end at their limits.
    """
    if limits != FRACTION or not 0 <= mean <= 1:
        return max(mean - half, limits[0]), min(mean + half, limits[1])
    step = min(max(resolution, ROUNDING), 0.5)
    inner = min(max(mean, step), 1 - step)
    ratio = half**2 / (inner * (1 - inner))
    center = (mean + ratio / 2) / (1 + ratio)
    width = math.sqrt(ratio * mean * (1 - mean) + ratio**2 / 4) / (1 + ratio)
    return max(center - width, 0.0), min(center + width, 1.0)
