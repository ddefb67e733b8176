"""Paired statistics over split seeds: estimates with intervals, and verdicts that may be believed.

What the intervals cover, and what they do not, is explained in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["helps", "hurts", "not settled"]

LEVEL = 0.95
# A spread below this share of the values' size is rounding: the values are equal.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean over split seeds with its uncertainty.

    `half_width` is half of the 95 % interval, None where it cannot be known: with one seed, or where
    no two seeds differ. `p` is the two-sided p-value of "the true mean is 0", 1 where unknown. `n` is
    the number of split seeds (the smallest, for a mean over tasks).
    """

    mean: float
    half_width: float | None
    p: float
    n: int


@dataclass(frozen=True)
class _Part:
    """An independent part of a sum: its variance, None if unknown, and the degrees of freedom of that."""

    variance: float | None
    df: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value per split seed, with Student's t interval and test (n - 1 df)."""
    part = _spread(values)
    return _student(math.fsum(values) / len(values), [part], len(values))


def overall(tasks: Sequence[Mapping[int, float]], groups: Sequence[Hashable]) -> Estimate:
    """The mean over tasks of their means over split seeds; every task weighs the same.

    `tasks` holds one value per split seed for each task. Tasks of one of the `groups` may share data,
    so within a group nothing is assumed: where its tasks have the same seeds, its share of the sum is
    formed for each seed and the spread of that over seeds is used; else the standard errors are
    added, which is their largest possible sum. Groups are independent: variances add, with the
    degrees of freedom of Welch (1947) and Satterthwaite (1946).
    """
    mean = math.fsum(math.fsum(t.values()) / len(t) for t in tasks) / len(tasks)
    members: dict[Hashable, list[Mapping[int, float]]] = {}
    for values, group in zip(tasks, groups, strict=True):
        members.setdefault(group, []).append(values)
    parts = [_group(group, len(tasks)) for group in members.values()]
    return _student(mean, parts, min(map(len, tasks)))


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979): reject where at most alpha, and all errors
    together happen with probability at most alpha, however the tests depend on each other."""
    adjusted, highest = [1.0] * len(p), 0.0
    for place, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = highest
    return adjusted


def verdict(difference: float, adjusted_p: float, higher_is_better: bool) -> Verdict:
    """What a difference to the baseline says at the 5 % level, given its adjusted p-value."""
    if not adjusted_p <= 1 - LEVEL or difference == 0:
        return "not settled"
    return "helps" if (difference > 0) == higher_is_better else "hurts"


def _spread(values: Sequence[float]) -> _Part:
    """The variance of the mean of `values`."""
    n = len(values)
    if n < 2:
        return _Part(None, 0)
    if max(values) - min(values) <= _ROUNDING * max(map(abs, values)):
        return _Part(0.0, n - 1)
    mean = math.fsum(values) / n
    return _Part(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n, n - 1)


def _group(tasks: Sequence[Mapping[int, float]], total: int) -> _Part:
    """The variance of the share that tasks with common data have in a mean over `total` tasks."""
    seeds = tasks[0].keys()
    if all(t.keys() == seeds for t in tasks):
        return _spread([math.fsum(t[seed] for t in tasks) / total for seed in seeds])
    parts = [_spread(list(t.values())) for t in tasks]
    errors = [math.sqrt(part.variance) for part in parts if part.variance is not None]
    if len(errors) < len(parts):
        return _Part(None, 0)
    return _Part((math.fsum(errors) / total) ** 2, min(part.df for part in parts))


def _student(mean: float, parts: Sequence[_Part], n: int) -> Estimate:
    """Interval and test of a sum of independent parts."""
    variances = [part.variance for part in parts if part.variance is not None]
    variance = math.fsum(variances)
    if len(variances) < len(parts) or variance == 0:
        return Estimate(mean, None, 1.0, n)
    # Imported here so that scipy costs nothing to those who only import this module.
    from scipy.special import stdtr, stdtrit

    df = 1 / math.fsum((v / variance) ** 2 / part.df for v, part in zip(variances, parts, strict=True))
    error = math.sqrt(variance)
    half_width = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    return Estimate(mean, half_width, 2 * float(stdtr(df, -abs(mean) / error)), n)
