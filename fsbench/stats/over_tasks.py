"""The mean over tasks: groups of tasks with common data are independent of each other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from fsbench.stats.estimation import LEVEL, NO_LIMITS, Estimate, Limits, Parts, between, ends_of, student
from fsbench.stats.sample import Rows, Sample

# From this number of signs on, a test by signs can reach the levels that a table of a dozen strategies needs.
FEWEST_SIGNS = 9
SHARE_OF_T = 0.2
"""The share of the level that the t test has beside sign flips, which find more if tasks agree."""
_ALL_PATTERNS = 12
_DRAWN_PATTERNS = 1 << 13
_MOST_SIGNS = 64
_ROWS_AT_ONCE = 32
# Fractions of the largest term. A standard deviation below the first is due to the rounding of a variance, a
# difference of sums below the second to theirs.
_ROUNDING = 1e-7
_EQUAL = 1e-9


Groups = Sequence[Sequence[Sample]]
"""What groups of tasks contribute to a mean over tasks; see `overalls`."""


def overall(groups: Groups, limits: tuple[float, float] = NO_LIMITS) -> Estimate:
    """One of `overalls`."""
    return overalls([groups], limits)[0]


def overalls(rows: Sequence[Groups], limits: Limits = NO_LIMITS, flips: bool = True) -> list[Estimate]:
    """For each row of a table, the sum of the groups' contributions to a mean over tasks.

    A group is a sample of its contributions by split or, where its tasks have different splits, several
    samples whose standard errors are added: the largest possible standard error of their sum. Variances of
    groups are added.

    The p-value is that of two tests, one by signs and that of `student`, which share the level (Bonferroni
    with weights). Where two strategies do not differ, each group's contribution in each split has either
    sign with equal probability. What the common test samples of splits add to the variance, no flip shows, so
    it is added to the flipped sums as normal noise. Flips find small differences of one sign, in few splits
    too; differences of opposite signs, which to them are noise, are left to `student`. With a single group or
    few splits, signs cannot give small p-values, and the p-value is that of `student` alone, as it is without
    `flips`, which take time. It is so, too, where signs would settle what the interval leaves open, because
    it contains 0.
    """
    if not rows:
        return []
    units = [[sample for group in groups for sample in group] for groups in rows]
    means = [math.fsum(sample.mean for sample in several) for several in units]
    fewest = [min(len(sample.values) for sample in several) for several in units]
    parts = _parts(rows)
    chances, n = np.ones((len(rows), 1)), np.array(fewest, dtype=np.float64)
    steps = np.array([math.fsum(sample.resolution for sample in several) for several in units])
    found = student(np.array(means), chances, parts, n, ends_of(limits, len(rows)), steps)
    flipped: dict[int, list[int]] = defaultdict(list)
    for place, (groups, several) in enumerate(zip(rows, units, strict=True)):
        signs = sum(min(len(sample.values), _MOST_SIGNS) for sample in several)
        alone = len(groups) == len(several) > 1
        if flips and found[place].error is not None and alone and signs >= FEWEST_SIGNS:
            flipped[signs].append(place)
    for places in flipped.values():
        noise = [_noise(parts, place, units[place]) for place in places]
        terms = [[term for unit in units[place] for term in _terms(unit)] for place in places]
        p = _flip(np.array([means[place] for place in places]), np.array(terms), np.sqrt(noise))
        for place, each in zip(places, p.tolist(), strict=True):
            found[place] = replace(found[place], p=_of_both(each, found[place]))
    return found


def _of_both(by_signs: float, by_t: Estimate) -> float:
    """The p-value of two tests that share the level; that of `by_t` if its interval says otherwise."""
    both = min(by_signs / (1 - SHARE_OF_T), by_t.p / SHARE_OF_T, 1.0)
    return by_t.p if both <= 1 - LEVEL and not by_t.excludes_0 else both


def _parts(rows: Sequence[Groups]) -> Parts:
    """The parts of each row, `[R, 1, G]`: one for each group, by the samples' own spread."""
    samples = [sample for groups in rows for group in groups for sample in group]
    arrays = Rows.of(samples)
    each = zip(between(arrays, arrays.spread[:, None])[:, 0].tolist(), arrays.common.tolist(), strict=True)
    shape = len(rows), 1, max(map(len, rows))
    found = Parts(np.zeros(shape), np.zeros(shape), np.full(shape, np.inf))
    for row, groups in enumerate(rows):
        for place, group in enumerate(groups):
            estimated, known = next(each)
            if len(group) > 1:
                others = [next(each) for _ in group[1:]]
                error = math.fsum(math.sqrt(sum(both)) for both in [(estimated, known), *others])
                estimated, known = error**2, 0.0
            found.estimated[row, 0, place], found.known[row, 0, place] = estimated, known
            found.df[row, 0, place] = max(min(len(sample.values) for sample in group) - 1, 1)
    return found


def _noise(parts: Parts, row: int, units: Sequence[Sample]) -> float:
    """The variance of a row's mean beyond that of independent splits, which no flip shows.

    It is due to common test samples, to shared training samples, or to coarse steps.
    """
    seen = [unit.variance / len(unit.values) for unit in units]
    estimated = parts.estimated[row, 0].tolist()
    beyond = (max(each - own, 0.0) for each, own in zip(estimated, seen, strict=False))
    return math.fsum(parts.known[row, 0]) + math.fsum(beyond)


def _flip(means: np.ndarray, terms: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The two-sided p-values of means `[R]` among the sums of their `terms [R, T]` with all signs.

    The sums have normal noise of the standard deviations `noise [R]`.
    """
    from scipy.special import ndtr

    signs, found = _signs(terms.shape[1]), np.empty(len(means))
    largest = np.abs(terms).max(1)
    noisy = noise > _ROUNDING * largest
    for which in (np.flatnonzero(noisy), np.flatnonzero(~noisy)):
        for first in range(0, len(which), _ROWS_AT_ONCE):
            rows = which[first : first + _ROWS_AT_ONCE]
            sums, ends, spread = np.abs(terms[rows] @ signs.T), np.abs(means[rows, None]), noise[rows, None]
            if noisy[rows[0]]:
                far = ndtr((sums - ends) / spread) + ndtr((-sums - ends) / spread)
            else:
                far = sums >= ends - _EQUAL * largest[rows, None]
            found[rows] = far.mean(1)
    return found


@lru_cache(maxsize=8)
def _signs(count: int) -> np.ndarray:
    """All patterns of so many signs `[K, count]`; where these are too many, random ones, and all plus."""
    if count <= _ALL_PATTERNS:
        return ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1) * 2.0 - 1
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_DRAWN_PATTERNS, count))
    signs[0] = 1
    return signs


def _terms(unit: Sample) -> list[float]:
    """A group's contributions to the mean by split; neighbouring splits are added where there are many."""
    values = [value / len(unit.values) for value in unit.values]
    if len(values) <= _MOST_SIGNS:
        return values
    return [math.fsum(block) for block in np.array_split(values, _MOST_SIGNS)]
