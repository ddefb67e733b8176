"""Results by split: the init seeds of a split share its data, so they count once, by their mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class BySplit(NamedTuple):
    """R rows of values by split seed: `seeds [n]`, the `means [R, n]` over the `counts [n]` init seeds.

    `squares [R]` are the sums of squares within splits.
    """

    seeds: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    squares: np.ndarray

    @property
    def noise(self) -> list[float | None]:
        """The variances of a split's mean that are due to its init seeds; None with one init seed."""
        freedom = int(self.counts.sum()) - len(self.seeds)
        if not freedom:
            return [None] * len(self.squares)
        found: list[float | None] = (self.squares / freedom * float((1 / self.counts).mean())).tolist()
        return found


def by_split(pairs: np.ndarray, values: np.ndarray, done: np.ndarray) -> BySplit:
    """The values `[R, P]` of pairs of seeds `[P, 2]`, ascending, that are marked as done, bool `[P]`."""
    seeds, found = pairs[done, 0], values[:, done]
    first = np.flatnonzero(np.diff(seeds, prepend=-1))
    counts = np.diff(first, append=len(seeds))
    if len(first) == len(seeds):
        return BySplit(seeds, found, counts, np.zeros(len(values)))
    means = np.add.reduceat(found, first, axis=1) / counts
    squares = ((found - np.repeat(means, counts, axis=1)) ** 2).sum(1)
    return BySplit(seeds[first], means, counts, squares)


def alike(values: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
    """The numbers of rows `[R, P]` that have finite values in the same places, with these, bool `[P]`.

    Rows without values are left out.
    """
    known, rows = np.isfinite(values), defaultdict(list)
    for number, places in enumerate(known):
        rows[places.tobytes()].append(number)
    return ((numbers, known[numbers[0]]) for numbers in rows.values() if known[numbers[0]].any())
