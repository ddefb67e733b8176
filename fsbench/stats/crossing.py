"""Splits crossed with test samples: how much of a variance is due to the choice of the test samples.

A result is a mean over splits and over the samples of each split's test part. Splits often share samples, so
their results are not independent, and no number of splits removes the part of the variance that comes from
the samples. It is estimated here from the influences of the samples on each split's result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Crossed:
    """Parts of the variance of a split's result that are due to the choice of its test samples.

    `common` is the mean covariance of two splits' results, by the samples that both have; a mean over splits
    has at least this variance, however many splits there are. `own` is the rest, which differs from split to
    split and so is a part of the variance between splits.
    """

    common: float
    own: float


def crossed(ids: Sequence[np.ndarray], influences: Sequence[np.ndarray]) -> Crossed:
    """The parts for splits with the given ids of samples, non-negative int64 `[M]`, and influences `[M]`.

    The ids and influences of a split have one length; a sample may occur several times in a split. With
    influence u_si of sample i on the result of split s, the sum of u_si u_ti over i is an estimate of the
    covariance of splits s and t; `common` is the mean over pairs s, t, at least 0.
    """
    splits, width = len(ids), 1 + max((int(each.max(initial=-1)) for each in ids), default=0)
    total, squares = np.zeros(width), 0.0
    for samples, values in zip(ids, influences, strict=True):
        own = np.bincount(samples, weights=values, minlength=width)
        squares += float(own @ own)
        total += own
    pairs = splits * (splits - 1)
    common = max((float(total @ total) - squares) / pairs, 0.0) if pairs else 0.0
    return Crossed(common, max(squares / splits - common, 0.0))


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
