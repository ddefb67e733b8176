"""Simulated leaderboards, whose truth is known: rows of paired differences between two classifiers.

A classifier is right about a sample if its margin is positive: the sum of how easy the sample is (for both
classifiers, and for this one), how good the training set of the split is (likewise), and noise. So results
depend on the drawn training sets, on the drawn test samples, and on both together, as real ones do. The test
parts of a task's splits are drawn from a pool, and so have samples in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from fsbench import stats
from fsbench.stats import Sample


@dataclass(frozen=True)
class Kind:
    """A kind of task. The spreads are standard deviations of margins.

    `tested` samples are in a test part, a fraction `common` of the pool from which it is drawn (0: every
    split has samples of its own). The classifiers are right about the fractions `level` and `level + gain` of
    the population. `training` is the spread by the training sets of each classifier alone, of which a
    fraction `shared` is common to all splits, or `skewed`: one split in five is far worse. A fraction
    `collapses` of trainings end at chance.
    """

    name: str
    tested: int = 200
    common: float = 0.4
    level: float = 0.8
    training: float = 0.15
    shared: float = 0.0
    skewed: bool = False
    collapses: float = 0.0


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


def rows(kind: Kind, count: int, splits: int, rng: np.random.Generator, gain: float = 0.0) -> list[Sample]:
    """Independent rows of a kind, as samples of their differences."""
    pool = round(kind.tested / kind.common) if kind.common else kind.tested * splits
    parts, gained = _parts(kind, count, splits, pool, rng), np.zeros((count, splits, kind.tested))
    shared = _at(parts, rng.normal(size=(count, pool))) + rng.normal(0, 0.2, (count, splits, 1))
    for sign, level in ((1, kind.level + gain), (-1, kind.level)):
        margin = ndtri(level) * _spread(kind) + shared + _at(parts, rng.normal(0, 0.5, (count, pool)))
        margin += kind.training * _of_training(kind, count, splits, rng)[..., None]
        right = margin + rng.normal(0, 0.5, parts.shape) > 0
        collapsed = rng.random((count, splits, 1)) < kind.collapses
        gained += sign * np.where(collapsed, rng.random(right.shape) < 0.1, right)
    return [_sample(kind, *each) for each in zip(parts, gained, strict=True)]


def true_difference(kind: Kind, gain: float = 0.0) -> float:
    """The difference of the two classifiers in the population."""
    if kind.skewed:
        return _skewed(kind, kind.level + gain) - _skewed(kind, kind.level)
    return (1 - kind.collapses) * gain


def _sample(kind: Kind, parts: np.ndarray, gained: np.ndarray) -> Sample:
    """A row from the tested samples of its splits, and what is gained on each, both `[splits, tested]`."""
    values, step = gained.mean(1), 1 / kind.tested
    found = stats.crossed(list(parts), list((gained - values[:, None]) * step))
    return Sample(
        tuple(values.tolist()), step, max(found.common, kind.common * step**2), found.own, kind.shared
    )


def boards(
    kinds: Sequence[Kind], per_kind: int, count: int, splits: int, rng: np.random.Generator, gain: float = 0.0
) -> Iterator[list[Sample]]:
    """Leaderboards with some rows of each kind, of which none has any row in common with another."""
    for first in range(0, count, _AT_ONCE):
        several = min(_AT_ONCE, count - first)
        of_kind = [rows(kind, per_kind * several, splits, rng, gain) for kind in kinds]
        for i in range(several):
            yield [row for each in of_kind for row in each[i * per_kind : (i + 1) * per_kind]]


def _parts(kind: Kind, count: int, splits: int, pool: int, rng: np.random.Generator) -> np.ndarray:
    """The numbers of the tested samples in the pool, `[count, splits, tested]`."""
    if not kind.common:
        return np.broadcast_to(np.arange(pool).reshape(splits, -1), (count, splits, kind.tested))
    order = rng.random((count, splits, pool), dtype=np.float32)
    chosen: np.ndarray = order.argpartition(kind.tested - 1, axis=2)[..., : kind.tested]
    return chosen


def _at(parts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values `[count, pool]` of the tested samples, `[count, splits, tested]`."""
    found: np.ndarray = values[np.arange(len(parts))[:, None, None], parts]
    return found


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
