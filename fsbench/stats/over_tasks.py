"""The mean over tasks: groups of tasks with common data are independent of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from fsbench.stats.estimation import NO_LIMITS, Estimate, Part, between, student
from fsbench.stats.sample import Sample

# From this number of signs on, a test by signs can reach the levels that a table of a dozen strategies needs.
FEWEST_SIGNS = 9
_ALL_PATTERNS = 12
_DRAWN_PATTERNS = 1 << 13
_MOST_SIGNS = 64


def overall(groups: Sequence[Sequence[Sample]], limits: tuple[float, float] = NO_LIMITS) -> Estimate:
    """The sum of the groups' contributions to a mean over tasks.

    A group is a sample of its contributions by split or, where its tasks have different splits, several
    samples whose standard errors are added: the largest possible standard error of their sum. Variances of
    groups are added.

    The p-value is that of a sign-flip test: under the hypothesis that the two strategies do not differ, each
    group's contribution in each split has either sign with equal probability. What the common test samples
    of splits add to the variance, no flip shows, so it is added to the flipped sums as normal noise. With a
    single group or few splits, signs cannot give small p-values, and the p-value is that of `student`.
    """
    samples = [sample for group in groups for sample in group]
    mean = math.fsum(sample.mean for sample in samples)
    parts = [_added([between(sample) for sample in group]) for group in groups]
    found = student(mean, [(1.0, parts)], min(len(sample.values) for sample in samples), limits)
    units = [sample for group in groups for sample in group]
    simple = all(len(group) == 1 for group in groups)
    if (
        found.error is None
        or len(groups) < 2
        or not simple
        or sum(len(s.values) for s in units) < FEWEST_SIGNS
    ):
        return found
    noise = math.fsum(each.known for each in parts) + _beyond(parts, units)
    return replace(found, p=_flip(mean, units, math.sqrt(noise)))


def _beyond(parts: Sequence[Part], units: Sequence[Sample]) -> float:
    """The variance of the mean beyond that of independent splits: by shared training samples, or steps."""
    beyond = 0.0
    for each, unit in zip(parts, units, strict=True):
        n, mean = len(unit.values), unit.mean
        seen = math.fsum((v - mean) ** 2 for v in unit.values) / (n - 1) / n
        beyond += max((each.estimated or 0.0) - seen, 0.0)
    return beyond


def _added(parts: Sequence[Part]) -> Part:
    """The part of a group whose standard errors are added."""
    if len(parts) == 1:
        return parts[0]
    if any(each.estimated is None for each in parts):
        return Part(None, 0.0, 0.0)
    error = math.fsum(math.sqrt((each.estimated or 0.0) + each.known) for each in parts)
    return Part(error**2, 0.0, min(each.df for each in parts))


def _flip(mean: float, units: Sequence[Sample], noise: float) -> float:
    """The two-sided p-value of a mean among the sums of its contributions with all signs, plus noise."""
    terms = np.concatenate([_terms(unit) for unit in units])
    signs = _signs(len(terms))
    sums = np.abs(signs @ terms)
    if noise > 1e-12 * np.abs(terms).max():
        from scipy.special import ndtr

        return float((ndtr((sums - abs(mean)) / noise) + ndtr((-sums - abs(mean)) / noise)).mean())
    return float((sums >= abs(mean) * (1 - 1e-9)).mean())


@lru_cache(maxsize=8)
def _signs(count: int) -> np.ndarray:
    """All patterns of so many signs `[K, count]`; where these are too many, random ones, and all plus."""
    if count <= _ALL_PATTERNS:
        return ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1) * 2.0 - 1
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_DRAWN_PATTERNS, count))
    signs[0] = 1
    return signs


def _terms(unit: Sample) -> np.ndarray:
    """A group's contributions to the mean by split; neighbouring splits are added where there are many."""
    values = np.array(unit.values) / len(unit.values)
    blocks = np.array_split(values, min(len(values), _MOST_SIGNS))
    return np.array([math.fsum(block) for block in blocks])
