"""The values of a row, one for each split, and what is known of the correlation of different splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

# A spread below this fraction of the values' size is due to rounding: the values are equal.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Sample:
    """One value per split, and what is known about how values on different splits are correlated.

    `resolution` is the effect of one decision on the test part: the standard deviation is at least this,
    because a few values in coarse steps can be (nearly) equal by chance. `common` and `own` are the parts of
    the variance of one value that are due to the choice of test samples (`Crossed`); `own` is None where
    they are unknown. `shared` is the fraction of its training samples that a split shares with another, and
    `noise` the part of the variance of one value that is due to training alone (initialisation and batches),
    None if it is unknown.
    `overlap`, used where `own` is unknown, is the size of the test part divided by that of the training part
    if the splits repeatedly divide the same samples, otherwise 0.
    """

    values: tuple[float, ...]
    resolution: float = 0.0
    common: float = 0.0
    own: float | None = None
    shared: float = 0.0
    noise: float | None = None
    overlap: float = 0.0

    @cached_property
    def mean(self) -> float:
        """The mean over splits."""
        return math.fsum(self.values) / len(self.values)

    @cached_property
    def variance(self) -> float:
        """The variance of the values between splits; 0 with one split."""
        mean = self.mean
        return math.fsum((v - mean) ** 2 for v in self.values) / max(len(self.values) - 1, 1)

    @cached_property
    def spread(self) -> float | None:
        """The variance between splits, at least the known part; None if nothing is known about it."""
        if len(self.values) < 2:
            return None
        largest = max(self.variance, self.resolution**2, self.own or 0.0)
        return largest if math.sqrt(largest) > ROUNDING * max(map(abs, self.values)) else None


class Rows(NamedTuple):
    """R samples as arrays `[R]`, float64: the number of splits `n`, the mean, and the fields of `Sample`.

    `spread` and `own` are NaN where they are unknown; `noise` is then 0.
    """

    n: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    resolution: np.ndarray
    common: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    noise: np.ndarray
    overlap: np.ndarray

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Rows:
        """Some samples as arrays."""
        fields = [
            (
                len(s.values),
                s.mean,
                s.spread,
                s.resolution,
                s.common,
                s.own,
                s.shared,
                s.noise or 0.0,
                s.overlap,
            )
            for s in samples
        ]
        return cls(*np.array(fields, dtype=np.float64).reshape(-1, len(cls._fields)).T)
