"""Paired statistics over split seeds: estimates with intervals, and verdicts.

What the intervals cover, and what they do not, is explained in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["helps", "hurts", "not settled"]

LEVEL = 0.95
# A spread below this fraction of the values' size is due to rounding: the values are equal.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean over split seeds with its uncertainty.

    `half_width` is half the width of the 95 % interval; None if it is unknown: with one seed, or if all seeds
    have equal values of unknown resolution. `p` is the two-sided p-value of "the true mean is 0", 1 if
    unknown. `n` is the number of split seeds (the smallest, for a mean over tasks).
    """

    mean: float
    half_width: float | None
    p: float
    n: int


@dataclass(frozen=True)
class _Part:
    """An independent part of a sum: its variance, None if unknown, and its degrees of freedom."""

    variance: float | None
    df: int


@dataclass(frozen=True)
class _Member:
    """A task of a group: its values by split seed, and further arguments of `estimate`."""

    values: Mapping[int, float]
    resolution: float
    overlap: float


def estimate(values: Sequence[float], resolution: float = 0.0, overlap: float = 0.0) -> Estimate:
    """The mean of one value per split seed, with Student's t interval and test (n - 1 df).

    `resolution` is the step size of the values: the effect of one decision on the test part. The standard
    deviation is taken to be at least this, because a few values in coarse steps can be (nearly) equal by
    chance, which says nothing about their spread. `overlap` is the size of the test part divided by that of
    the training part if the splits repeatedly divide the same samples; the variance of the mean is then s2 (1
    / n + overlap) instead of s2 / n (Nadeau & Bengio 2003; for folds, Bouckaert & Frank 2004).
    """
    return _student(math.fsum(values) / len(values), [_spread(values, resolution, overlap)], len(values))


def overall(
    tasks: Sequence[Mapping[int, float]],
    groups: Sequence[Hashable],
    resolutions: Sequence[float] | None = None,
    overlaps: Sequence[float] | None = None,
) -> Estimate:
    """The mean over tasks of their means over split seeds; all tasks have equal weight.

    `tasks` has one value per split seed for each task; `resolutions` and `overlaps` are the arguments of
    `estimate` for each. Tasks of one of the `groups` may share data, so no independence is assumed within a
    group. If its tasks have the same seeds, the group's share of the sum is computed for each seed and its
    spread over seeds is used; otherwise the standard errors are added, which gives the largest possible
    standard error. Groups are independent: their variances are added, with the smallest of their degrees of
    freedom, which is conservative whatever the variances are (Mickey & Brown 1966). Satterthwaite's
    approximation is not: with three seeds it understates small p-values several times.
    """
    mean = math.fsum(math.fsum(t.values()) / len(t) for t in tasks) / len(tasks)
    none = [0.0] * len(tasks)
    members: dict[Hashable, list[_Member]] = {}
    for values, group, step, overlap in zip(
        tasks, groups, resolutions or none, overlaps or none, strict=True
    ):
        members.setdefault(group, []).append(_Member(values, step, overlap))
    parts = [_group(group, len(tasks)) for group in members.values()]
    return _student(mean, parts, min(map(len, tasks)))


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979).

    Rejecting those of at most alpha makes any error with probability at most alpha, however the tests depend
    on each other.
    """
    adjusted, highest = [1.0] * len(p), 0.0
    for place, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = highest
    return adjusted


def verdict(difference: float, adjusted_p: float, higher_is_better: bool) -> Verdict:
    """The verdict on a difference to the baseline at the 5 % level, given its adjusted p-value."""
    if not adjusted_p <= 1 - LEVEL or difference == 0:
        return "not settled"
    return "helps" if (difference > 0) == higher_is_better else "hurts"


def _spread(values: Sequence[float], resolution: float, overlap: float) -> _Part:
    """The variance of the mean of `values`, whose standard deviation is at least their resolution."""
    n = len(values)
    if n < 2:
        return _Part(None, 0)
    mean = math.fsum(values) / n
    deviation = max(math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)), resolution)
    known = deviation > _ROUNDING * max(map(abs, values))
    return _Part(deviation**2 * (1 / n + overlap) if known else None, n - 1)


def _group(members: Sequence[_Member], total: int) -> _Part:
    """The variance of the contribution of tasks with common data to a mean over `total` tasks."""
    seeds = members[0].values.keys()
    if all(m.values.keys() == seeds for m in members):
        shares = [math.fsum(m.values[seed] for m in members) / total for seed in seeds]
        step = math.fsum(m.resolution for m in members) / total
        return _spread(shares, step, max(m.overlap for m in members))
    parts = [_spread(list(m.values.values()), m.resolution, m.overlap) for m in members]
    errors = [math.sqrt(part.variance) for part in parts if part.variance is not None]
    if len(errors) < len(parts):
        return _Part(None, 0)
    return _Part((math.fsum(errors) / total) ** 2, min(part.df for part in parts))


def _student(mean: float, parts: Sequence[_Part], n: int) -> Estimate:
    """Interval and test of a sum of independent parts."""
    variances = [part.variance for part in parts if part.variance is not None]
    if len(variances) < len(parts):
        return Estimate(mean, None, 1.0, n)
    # Imported here so that importing this module does not import scipy.
    from scipy.special import stdtr, stdtrit

    df, error = min(part.df for part in parts), math.sqrt(math.fsum(variances))
    half_width = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    return Estimate(mean, half_width, 2 * float(stdtr(df, -abs(mean) / error)), n)
