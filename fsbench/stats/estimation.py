"""Means over splits with intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fsbench.stats.priors import NO_PRIOR, Prior, guesses
from fsbench.stats.sample import ROUNDING, Rows, Sample

LEVEL = 0.95
FRACTION = (0.0, 1.0)
NO_LIMITS = (-math.inf, math.inf)
Limits = tuple[float, float] | Sequence[tuple[float, float]]
"""The smallest and the largest possible value: of all rows, or of each."""
_MANY = 1e6
_PRECISE = 1e-7


class Parts(NamedTuple):
    """The independent parts of R estimates: each is the sum of two variances.

    One is `estimated` with `df` degrees of freedom, NaN if nothing is known about the spread; the other is
    `known`. All are `[R, K, G]`, or can be broadcast to it, for K cases and at most G parts: an estimate with
    fewer parts has others without variance, of infinite degrees of freedom.
    """

    estimated: np.ndarray
    known: np.ndarray
    df: np.ndarray

    def added(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The standard errors `[R, K]`, and their degrees of freedom: for intervals, for small p-values."""
        variances = (self.estimated + self.known).sum(2)
        squares = (self.estimated**2 / self.df).sum(2)
        df = np.full(variances.shape, _MANY)
        np.divide(variances**2, squares, out=df, where=squares > 0)
        df, fewest = np.minimum(df, _MANY), self.df.min(2)
        single = np.isfinite(self.df).sum(2) == 1
        return np.sqrt(variances), df, np.where(single, np.minimum(df, 2 * fewest), fewest + 0 * df)


class Tail(NamedTuple):
    """With this probability, a mean minus the true one has Student's distribution, times a standard error."""

    probability: float
    error: float
    df: float


@dataclass(frozen=True, slots=True)
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
    def excludes_0(self) -> bool:
        """Whether there is an interval, and 0 is not in it."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

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
    return estimates([sample], prior, limits)[0]


def estimates(
    samples: Sequence[Sample], prior: Prior = NO_PRIOR, limits: Limits = NO_LIMITS
) -> list[Estimate]:
    """The `estimate` of each row of a table: all together take far less time than one by one."""
    ends = ends_of(limits, len(samples))
    found = [Estimate(each.mean, None, None, 1.0, len(each.values)) for each in samples]
    for places, rows, chances, parts in _cases(samples, prior):
        made = student(rows.mean, chances, parts, rows.n, ends[places], rows.resolution)
        for place, each in zip(places, made, strict=True):
            found[place] = each
    return found


def ends_of(limits: Limits, rows: int) -> np.ndarray:
    """The limits of each of so many rows, `[R, 2]`."""
    return np.broadcast_to(np.array(limits, dtype=np.float64).reshape(-1, 2), (rows, 2))


def p_values(samples: Sequence[Sample], prior: Prior = NO_PRIOR) -> list[float]:
    """The p-values of `estimates` alone, which take less time."""
    found = [1.0] * len(samples)
    for places, rows, chances, parts in _cases(samples, prior):
        errors, _, cautious = parts.added()
        for place, p in zip(places, _p_values(rows.mean, chances, errors, cautious), strict=True):
            found[place] = p
    return found


def _cases(samples: Sequence[Sample], prior: Prior) -> Iterator[tuple[list[int], Rows, np.ndarray, Parts]]:
    """The samples with a spread, first those with `own`: their numbers, and what `student` is given."""
    known = [place for place, each in enumerate(samples) if each.spread is not None]
    for has_own, expected in ((True, prior.scaled), (False, prior.plain)):
        places = [place for place in known if (samples[place].own is not None) == has_own]
        if not places:
            continue
        rows = Rows.of([samples[place] for place in places])
        several = guesses(rows, expected)
        estimated = between(rows, several.variance)[:, :, None]
        parts = Parts(estimated, rows.common[:, None, None], several.df[:, None, None])
        yield places, rows, several.probability, parts


def between(rows: Rows, variances: np.ndarray) -> np.ndarray:
    """The variances of the rows' means beyond `common`, given variances between splits, both `[R, K]`.

    Training samples that splits share make their results alike. Noise of training aside, the correlation of
    two splits is taken to be the fraction that both have of the training samples of either, which
    `benchmarks/shared_training.py` finds to be cautious. Without knowledge of the test samples, splits that
    repeatedly divide the same samples add their variance times `overlap` (Nadeau & Bengio 2003).
    """
    n, own, noise, overlap = (each[:, None] for each in (rows.n, rows.own, rows.noise, rows.overlap))
    shared = np.minimum(rows.shared, 1 - 1 / _MANY)[:, None]
    covariance = np.maximum(variances - own - noise, 0.0) * shared / (2 * (1 - shared))
    found: np.ndarray = np.where(np.isnan(own), variances * (1 / n + overlap), variances / n + covariance)
    return found


def student(
    means: np.ndarray,
    chances: np.ndarray,
    parts: Parts,
    n: np.ndarray,
    limits: np.ndarray,
    resolutions: np.ndarray,
) -> list[Estimate]:
    """Intervals and tests of R sums of independent parts, each of which may be one of K cases.

    The cases have the probabilities `chances [R, K]`. `means`, the numbers of splits `n`, and `resolutions`
    are `[R]`, `limits` are `[R, 2]`. An interval has Satterthwaite's degrees of freedom. For small p-values
    these are too optimistic. With several parts, a p-value has the smallest degrees of freedom instead, which
    is valid whatever the variances are (Mickey & Brown 1966); with one part, whose variance is partly known,
    it has at most twice those of the estimated variance.
    """
    errors, df, cautious = parts.added()
    low, high = _intervals(means, _half_widths(chances, errors, df), limits, resolutions)
    p = _p_values(means, chances, errors, cautious)
    cases = np.stack([chances, errors, cautious], axis=2).tolist()
    found = []
    for mean, least, most, splits, each, several in zip(
        *(each.tolist() for each in (means, low, high, n)), p, cases, strict=True
    ):
        if math.isnan(most):
            found.append(Estimate(mean, None, None, 1.0, int(splits)))
        else:
            tails = tuple([Tail._make(case) for case in several if case[0]])
            found.append(Estimate(mean, least, most, each, int(splits), tails))
    return found


def _p_values(means: np.ndarray, chances: np.ndarray, errors: np.ndarray, df: np.ndarray) -> list[float]:
    """The two-sided p-values of means `[R]`; the cases are `[R, K]`."""
    from scipy.special import stdtr

    beyond = chances * stdtr(df, -np.abs(means)[:, None] / errors)
    return [2 * math.fsum(each) for each in beyond.tolist()]


def _below(tails: Sequence[Tail], distance: float) -> float:
    """The probability that a mean is so far below the true one, or further; 0.5 at a distance of 0."""
    # Imported here so that importing this module does not import scipy.
    from scipy.special import stdtr

    return math.fsum(t.probability * float(stdtr(t.df, distance / t.error)) for t in tails)


def _half_widths(chances: np.ndarray, errors: np.ndarray, df: np.ndarray) -> np.ndarray:
    """The distances that the errors of R means exceed with a probability of 5 %; the cases are `[R, K]`."""
    from scipy.special import stdtr, stdtrit

    ends = np.log(errors * stdtrit(df, (1 + LEVEL) / 2))

    def beyond(rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """How much too likely errors beyond exp(sizes) are, as logarithms."""
        below = stdtr(df[rows], -np.exp(sizes)[:, None] / errors[rows])
        found: np.ndarray = np.log(2 * (chances[rows] * below).sum(1) / (1 - LEVEL))
        return found

    least, most = np.where(chances > 0, ends, np.inf).min(1), np.where(chances > 0, ends, -np.inf).max(1)
    halves: np.ndarray = np.exp(_roots(beyond, least, most))
    return halves


def _roots(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Where R falling functions are 0, between two places each `[R]` (the Illinois method).

    `function` has the values of some of them, given their numbers and places.
    """
    found, side = low.copy(), np.zeros(len(low))
    rows = np.flatnonzero(high - low > _PRECISE)
    low, high = low.copy(), high.copy()
    at_low, at_high = np.zeros((2, len(low)))
    at_low[rows], at_high[rows] = function(rows, low[rows]), function(rows, high[rows])
    while len(rows := rows[(high - low > _PRECISE)[rows] & (at_low > 0)[rows] & (at_high < 0)[rows]]):
        a, b = at_low[rows], at_high[rows]
        found[rows] = (low[rows] * b - high[rows] * a) / (b - a)
        values = function(rows, found[rows])
        rows, values = rows[far := np.abs(values) >= _PRECISE], values[far]
        # An end that stays twice counts half, so that it does not stay forever.
        for end, at_end, at_other, sign in ((low, at_low, at_high, 1), (high, at_high, at_low, -1)):
            moved = sign * values > 0
            which = rows[moved]
            end[which], at_end[which] = found[which], values[moved]
            at_other[which[side[which] == sign]] /= 2
            side[which] = sign
    return found


def _intervals(
    means: np.ndarray, halves: np.ndarray, limits: np.ndarray, resolutions: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of means, whose errors are at most `halves` with a probability of 95 %.

    That of a fraction is Wilson's, with as many samples as give this error: the values within the errors that
    they themselves would have. A fraction closer to 0 or 1 than the resolution has the error of one at that
    distance. Other intervals end at their limits.
    """
    steps = np.clip(resolutions, ROUNDING, 0.5)
    inner = np.clip(means, steps, 1 - steps)
    ratios = halves**2 / (inner * (1 - inner))
    centers = (means + ratios / 2) / (1 + ratios)
    fraction = (limits == FRACTION).all(1) & (means >= 0) & (means <= 1)
    squares = ratios * means * (1 - means) + ratios**2 / 4
    widths = np.sqrt(np.where(fraction, squares, 0.0)) / (1 + ratios)
    low, high = np.where(fraction, [centers - widths, centers + widths], [means - halves, means + halves])
    return np.maximum(low, limits[:, 0]), np.minimum(high, limits[:, 1])
