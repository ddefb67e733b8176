"""The values of a row, one for each split, and what is known about how the splits hang together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

# A spread below this fraction of the values' size is due to rounding: the values are equal.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Sample:
    """One value per split, and what is known about how the splits hang together.

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
    def spread(self) -> float | None:
        """The variance between splits, at least the known part; None if nothing is known about it."""
        n, mean = len(self.values), self.mean
        if n < 2:
            return None
        variance = math.fsum((v - mean) ** 2 for v in self.values) / (n - 1)
        largest = max(variance, self.resolution**2, self.own or 0.0)
        return largest if math.sqrt(largest) > ROUNDING * max(map(abs, self.values)) else None
