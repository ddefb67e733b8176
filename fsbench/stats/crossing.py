"""Splits crossed with test samples: how much of a variance is due to the choice of the test samples.

A result is a mean over splits and over the samples of each split's test part. Splits often share samples, so
their results are not independent, and no number of splits removes the part of the variance that comes from
the samples. It is estimated here from the influences of the samples on each split's result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Of the squares of the terms of a sum: the square of the sum is 0 if it is less.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Crossed:
    """Parts of the variance of a split's result that are due to the choice of its test samples.

    `common` is the mean covariance of two splits' results, by the samples that both have; a mean over splits
    has at least this variance, however many splits there are. `own` is the rest, which differs from split to
    split and so is a part of the variance between splits.
    """

    common: float
    own: float


class Products:
    """Inner products of the influences of K results, from which those of weighted sums follow.

    With influence u_si of sample i on a result of split s, the sum of u_si u_ti over i is an estimate of the
    covariance of splits s and t. Sums of these are quadratic in u, so for a weighted sum of results, such as
    a difference, they follow from those of each result with itself and with each other one.
    """

    def __init__(self, results: int, samples: int) -> None:
        """For ids of samples from 0 to `samples - 1`."""
        self._splits = 0
        self._within = np.zeros((results, results))
        self._sums = np.zeros((samples, results))
        self._total: np.ndarray | None = None

    def add(self, ids: np.ndarray, influences: np.ndarray) -> None:
        """Add a split: the ids `[M]` of its test samples, and their influences on each result `[K, M]`.

        A sample may occur several times in a split.
        """
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        if len(first) < len(ids):
            ids, influences = ordered[first], np.add.reduceat(influences[:, order], first, axis=1)
        self._within += influences @ influences.T
        self._sums[ids] += influences.T
        self._splits, self._total = self._splits + 1, None

    def crossed(self, sums: Sequence[Mapping[int, float]]) -> list[Crossed]:
        """The parts for sums of results, given by their numbers, each times a weight.

        `common` is the mean covariance over pairs of splits, at least 0.
        """
        if self._total is None:
            self._total = self._sums.T @ self._sums
        pairs, found = self._splits * (self._splits - 1), []
        for squares, total in zip(_squares(self._within, sums), _squares(self._total, sums), strict=True):
            common = max((total - squares) / pairs, 0.0) if pairs else 0.0
            found.append(Crossed(common, max(squares / self._splits - common, 0.0)))
        return found


def _squares(products: np.ndarray, sums: Sequence[Mapping[int, float]]) -> list[float]:
    """The squares of weighted sums of results, from the products `[K, K]` of results."""
    shape = len(sums), max(map(len, sums))
    places, weights = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    for row, each in enumerate(sums):
        places[row, : len(each)], weights[row, : len(each)] = list(each), list(each.values())
    terms = weights[:, :, None] * weights[:, None, :] * products[places[:, :, None], places[:, None, :]]
    squares = map(math.fsum, terms.reshape(len(sums), -1).tolist())
    largest = map(math.fsum, np.diagonal(terms, axis1=1, axis2=2).tolist())
    return [a if a > _ROUNDING * b else 0.0 for a, b in zip(squares, largest, strict=True)]


def crossed(ids: Sequence[np.ndarray], influences: Sequence[np.ndarray]) -> Crossed:
    """The parts for splits with the given ids of samples, non-negative int64 `[M]`, and influences `[M]`.

    The ids and influences of a split have one length; a sample may occur several times in a split.
    """
    products = Products(1, 1 + max((int(each.max(initial=-1)) for each in ids), default=0))
    for samples, values in zip(ids, influences, strict=True):
        products.add(samples, values[None])
    (found,) = products.crossed([{0: 1.0}])
    return found


def shared_fraction(ids: Sequence[np.ndarray]) -> float:
    """The fraction of a part that two splits share, on average over pairs: 0 for disjoint, 1 for equal parts.

    `ids` has the samples of each split's part, non-negative int64 `[N]`. A sample that occurs several times
    counts by its weights: this is the correlation of two sums over the parts of independent values of the
    samples.
    """
    splits, width = len(ids), 1 + max((int(each.max(initial=-1)) for each in ids), default=0)
    total, squares = np.zeros(width), 0.0
    for samples in ids:
        own = np.bincount(samples, minlength=width) / max(len(samples), 1)
        squares += float(own @ own)
        total += own
    if splits < 2 or not squares:
        return 0.0
    return float((total @ total - squares) / (splits - 1) / squares)
