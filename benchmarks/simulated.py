"""Simulated leaderboards, whose truth is known: rows of paired differences between two classifiers.

A classifier is right about a sample if its margin is positive: the sum of how easy the sample is (for both
classifiers, and for this one), how good the training set of the split is (likewise), and noise. So results
depend on the drawn training sets, on the drawn test samples, and on both together, as real ones do. The test
parts of a task's splits are drawn from a pool, and so have samples in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from fsbench.stats import Sample


@dataclass(frozen=True)
class Kind:
    """A kind of task. The spreads are standard deviations of margins.

    `tested` samples are in a test part, a fraction `common` of the pool from which it is drawn (0: every
    split has samples of its own). The classifiers are right about the fractions `level` and `level + gain` of
    the population. `training` is the spread by the training sets of each classifier alone, of which a
    fraction `shared` is common to all splits, or `skewed`: one split in five is far worse. A fraction
    `collapses` of trainings end at chance. The metric is the accuracy or, with more than one of the
    `classes`, the balanced one: each class has equally many samples in the pool and in every test part.
    """

    name: str
    tested: int = 200
    common: float = 0.4
    level: float = 0.8
    training: float = 0.15
    shared: float = 0.0
    skewed: bool = False
    collapses: float = 0.0
    classes: int = 1


_AT_ONCE = 50
KINDS = (
    Kind("200 test samples"),
    Kind("72 test samples", tested=72, level=0.9, training=0.1),
    Kind("30 test samples", tested=30, level=0.85),
    Kind("500 of a pool of 2,500", tested=500, common=0.2, level=0.6, training=0.1),
    Kind("one test part for all splits", tested=300, common=1.0),
    Kind("test parts without common samples", common=0.0, level=0.85),
    Kind("almost equal classifiers", training=0.03),
    Kind("very unstable training", level=0.6, training=0.25),
    Kind("half of the training samples shared", tested=100, common=0.3, training=0.1, shared=0.5),
    Kind("skewed", skewed=True),
    Kind("one training in twenty collapses", collapses=0.05),
)
FEW_OF_A_CLASS = (
    Kind("10 classes of 3 test samples", tested=30, common=0.3, level=0.6, training=0.03, classes=10),
    Kind("less stable training", tested=30, common=0.3, level=0.6, classes=10),
    Kind("one test part for all splits", tested=30, common=1.0, level=0.6, training=0.03, classes=10),
    Kind("5 classes of 4", tested=20, common=0.3, level=0.6, training=0.03, classes=5),
    Kind("10 classes of 20", tested=200, level=0.6, training=0.03, classes=10),
)


def rows(kind: Kind, count: int, splits: int, rng: np.random.Generator, gain: float = 0.0) -> list[Sample]:
    """Independent rows of a kind, as samples of their differences."""
    own = kind.tested // kind.classes
    pool = kind.classes * (round(own / kind.common) if kind.common else own * splits)
    easy, together = rng.normal(size=(count, 1, pool)), rng.normal(0, 0.2, (count, splits, 1))
    part, right = _parts(kind, count, splits, pool, rng), []
    for level in (kind.level + gain, kind.level):
        margin = ndtri(level) * _spread(kind) + easy + rng.normal(0, 0.5, (count, 1, pool)) + together
        margin = margin + kind.training * _of_training(kind, count, splits, rng)[..., None]
        hit = margin + rng.normal(0, 0.5, (count, splits, pool)) > 0
        collapsed = rng.random((count, splits, 1)) < kind.collapses
        right.append(np.where(collapsed, rng.random(hit.shape) < 0.1, hit).astype(np.float64))
    gained = (right[0] - right[1]) * part
    values = gained.sum(2) / kind.tested
    influence = _influences(kind, gained, part)
    squares = (influence**2).sum((1, 2))
    common = ((influence.sum(1) ** 2).sum(1) - squares) / (splits * (splits - 1))
    common, step = np.maximum(common, 0), 1 / kind.tested
    own = np.maximum(squares / splits - common, 0)
    floor = kind.common * step**2
    return [
        Sample(tuple(row), step, max(float(c), floor), float(o), kind.shared)
        for row, c, o in zip(values.tolist(), common, own, strict=True)
    ]


def _influences(kind: Kind, gained: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The influences of the samples of the pool on each split's difference, `[count, splits, pool]`."""
    by_class = (*part.shape[:2], kind.classes, -1)
    gained, part, own = gained.reshape(by_class), part.reshape(by_class), kind.tested // kind.classes
    mean = gained.sum(-1, keepdims=True) / own
    divisor = own if kind.classes == 1 else own - 1
    influence: np.ndarray = (gained - mean) * part / divisor / kind.classes
    return influence.reshape(*part.shape[:2], -1)


def true_difference(kind: Kind, gain: float = 0.0) -> float:
    """The difference of the two classifiers in the population."""
    if kind.skewed:
        return _skewed(kind, kind.level + gain) - _skewed(kind, kind.level)
    return (1 - kind.collapses) * gain


def boards(
    kinds: Sequence[Kind],
    per_kind: int,
    count: int,
    splits: int,
    rngs: Sequence[np.random.Generator],
    gain: float | Sequence[float] = 0.0,
) -> Iterator[list[Sample]]:
    """Leaderboards with some rows of each kind, of which none has any row in common with another.

    The rows of a kind are drawn from the generator in its place, with the gain in its place or the same one.
    """
    gains = [gain] * len(kinds) if isinstance(gain, float) else gain
    for first in range(0, count, _AT_ONCE):
        several = min(_AT_ONCE, count - first)
        of_kind = [
            rows(kind, per_kind * several, splits, rng, each)
            for kind, rng, each in zip(kinds, rngs, gains, strict=True)
        ]
        for i in range(several):
            yield [row for each in of_kind for row in each[i * per_kind : (i + 1) * per_kind]]


def _parts(kind: Kind, count: int, splits: int, pool: int, rng: np.random.Generator) -> np.ndarray:
    """Whether each sample of the pool is tested, bool `[count, splits, pool]`."""
    if kind.classes > 1:
        own = replace(kind, tested=kind.tested // kind.classes, classes=1)
        each = [_parts(own, count, splits, pool // kind.classes, rng) for _ in range(kind.classes)]
        return np.concatenate(each, axis=2)
    if not kind.common:
        part = np.zeros((count, splits, pool), dtype=bool)
        for split in range(splits):
            part[:, split, split * kind.tested : (split + 1) * kind.tested] = True
        return part
    order = rng.random((count, splits, pool))
    limit = np.partition(order, kind.tested - 1, axis=2)[..., kind.tested - 1 : kind.tested]
    chosen: np.ndarray = order <= limit
    return chosen


def _of_training(kind: Kind, count: int, splits: int, rng: np.random.Generator) -> np.ndarray:
    """How good the training sets of a classifier are, `[count, splits]`, with mean 0 and variance 1."""
    if kind.skewed:
        return np.where(rng.random((count, splits)) < 0.2, -2.0, 0.5)
    drawn: np.ndarray = rng.normal(size=(count, splits)) * np.sqrt(1 - kind.shared)
    return drawn + rng.normal(size=(count, 1)) * np.sqrt(kind.shared)


def _spread(kind: Kind) -> float:
    """The standard deviation of margins."""
    return float(np.sqrt(1 + 0.5**2 + 0.2**2 + kind.training**2 + 0.5**2))


def _skewed(kind: Kind, level: float) -> float:
    """The fraction of the population that a classifier is right about if training sets have two values."""
    rest = np.sqrt(_spread(kind) ** 2 - kind.training**2)
    at = [(ndtri(level) * _spread(kind) + kind.training * value) / rest for value in (-2.0, 0.5)]
    return float(0.2 * ndtr(at[0]) + 0.8 * ndtr(at[1]))
