"""Families of tests, and the verdicts that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fsbench.stats.estimation import LEVEL, Estimate

Verdict = Literal["helps", "hurts", "equivalent", "not settled"]


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


@dataclass(frozen=True)
class Judged:
    """What is said of an estimate in a family: its adjusted p-value, the verdict, whether it is small.

    It is `within` the margin if this is certain, which can be so of one that helps or hurts, too.
    """

    p: float
    verdict: Verdict
    within: bool


def judge(
    estimates: Sequence[Estimate], higher_is_better: bool, margin: float, lost: int = 0
) -> list[Judged]:
    """The verdicts on a family of differences, of which some more are `lost`: they count with p = 1."""
    ones, known = [1.0] * lost, len(estimates)
    p = holm([*(each.p for each in estimates), *ones])[:known]
    equal = holm([*(equivalence(each, margin) for each in estimates), *ones])[:known]
    return [
        Judged(value, verdict(each.mean, value, higher_is_better, within), within <= 1 - LEVEL)
        for each, value, within in zip(estimates, p, equal, strict=True)
    ]


def equivalence(estimate: Estimate, margin: float) -> float:
    """The p-value of "the true value is at least the margin away from 0": two one-sided tests.

    Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability".
    """
    return max(estimate.p_below(margin), estimate.p_above(-margin))


def verdict(
    difference: float, adjusted_p: float, higher_is_better: bool, adjusted_equal: float = 1
) -> Verdict:
    """The verdict on a difference to a baseline at the 5 % level, given its adjusted p-values.

    `adjusted_equal` is that of `equivalence`. A difference that is settled is not called equivalent, however
    small it is.
    """
    if adjusted_p <= 1 - LEVEL and difference != 0:
        return "helps" if (difference > 0) == higher_is_better else "hurts"
    return "equivalent" if adjusted_equal <= 1 - LEVEL else "not settled"
