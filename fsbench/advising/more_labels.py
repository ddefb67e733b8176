"""What more labels would buy: a learning curve on parts of the training samples, extrapolated with care."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fsbench import stats

FRACTIONS = (0.25, 0.5, 1.0)
_SHAPES = (0.5, 0.0, 1.0)
_MOST = 0.5


@dataclass(frozen=True)
class Curve:
    """Scores by split and number of training labels, and what hangs together.

    `labels [F]` are the numbers of training labels, `scores [S, F]`, higher is better. `tested` has the ids
    of the test samples of each split `[M]`, `influences` those on its scores `[F, M]`, () if unknown.
    `shared` is the fraction of its training samples that a split shares with another, and `overlap` the
    number of test samples per training sample.
    """

    labels: tuple[int, ...]
    scores: np.ndarray
    tested: Sequence[np.ndarray] = ()
    influences: Sequence[np.ndarray] = ()
    shared: float = 0.0
    overlap: float = 0.0


@dataclass(frozen=True)
class Gain:
    """What a number of further labels would add to the score: about `gain`, surely between `low` and `high`.

    Both ends are None if nothing is known about the spread.
    """

    more: int
    gain: float
    low: float | None
    high: float | None


def further(have: int, measured: int) -> int:
    """A round number of further labels to ask about: half as many, and at most twice what was measured."""
    most = int(min(_MOST * have, 2 * measured - have))
    if most < 10:
        return max(most, 0)
    step = int(10 ** (len(str(most)) - 1))
    return most // step * step


def gain_of(curve: Curve, have: int, more: int) -> Gain:
    """What `more` labels beyond those that there are would add.

    Errors usually fall as a power of the number of labels (Viering & Loog 2022, "The shape of learning
    curves: a review", IEEE TPAMI), whose exponent so few points do not tell. So the estimate has the exponent
    1/2, and the interval those of all exponents from 0 (a straight line over the logarithm) to 1: the widest
    of their 95 % intervals.
    """
    found = [_estimate(curve, have, more, shape) for shape in _SHAPES]
    ends = [(each.low, each.high) for each in found]
    if any(low is None or high is None for low, high in ends):
        return Gain(more, found[0].mean, None, None)
    low = min(low for low, _ in ends if low is not None)
    return Gain(more, found[0].mean, low, max(high for _, high in ends if high is not None))


def _estimate(curve: Curve, have: int, more: int, shape: float) -> stats.Estimate:
    """The gain if the curve is linear in a function of the labels: a weighted sum of each split's scores."""
    x = np.array([_function(labels, shape) for labels in curve.labels])
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    weights *= _function(have + more, shape) - _function(have, shape)
    values = tuple(float(value) for value in curve.scores @ weights)
    if not curve.influences:
        return stats.estimate(stats.Sample(values, overlap=curve.overlap))
    parts = stats.crossed(curve.tested, [weights @ each for each in curve.influences])
    return stats.estimate(stats.Sample(values, 0.0, parts.common, parts.own, curve.shared))


def _function(labels: float, shape: float) -> float:
    return math.log(labels) if shape == 0 else -(labels**-shape)
