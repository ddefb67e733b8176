"""The parts of a split, and the drawing that all protocols share.

A dataset with its own test part is tested on exactly that part. In any other dataset, 2/5 of the samples of
each class are for the test, or fewer if the whole test part would have more than 1000; if samples are
grouped, as many whole groups as fit. The rest is the pool of the class. The drawn samples depend only on the
data and the split seed, so all protocols on a dataset are tested on the same samples, and a larger training
part contains a smaller one: training samples come from the front of a pool, validation samples from its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.rng import generator
from fsbench.tasks.grouping import draw_test

MAX_TEST = 1000


@dataclass(frozen=True, eq=False)
class Rows:
    """Samples with their labels as given: three int64 arrays of one shape, `[E, N]` or `[N]`.

    `Rows(index, y, origin)`: `index` has the numbers of samples in a dataset, `y` their labels, which may
    differ from the dataset's (noise, or the classes of an episode), and `origin` says in which dataset: its
    place in the protocol's `datasets`.
    """

    index: np.ndarray
    y: np.ndarray
    origin: np.ndarray

    def first(self, count: int) -> Rows:
        """The first samples of each cell."""
        return Rows(*(getattr(self, name)[..., :count] for name in ("index", "y", "origin")))

    def reordered(self, rng: np.random.Generator) -> Rows:
        """The same samples `[N]` in a random order, so that the order reveals nothing about the class."""
        order = rng.permutation(len(self.index))
        return Rows(self.index[order], self.y[order], self.origin[order])


@dataclass(frozen=True, eq=False)
class Split:
    """One draw of a task: train, val and test `[E, ...]`, unlabeled and source `[...]` or None.

    The labels of `unlabeled` are never written anywhere. `fingerprint` identifies the whole split.
    """

    train: Rows
    val: Rows
    test: Rows
    unlabeled: Rows | None = None
    source: Rows | None = None
    fingerprint: str = ""


def test_count(info: DatasetInfo, label: int) -> int:
    """How many samples of a class are for the test."""
    if info.test_counts:
        return info.test_counts[label]
    n = info.class_counts[label]
    return max(1, min(n * 2 // 5, n * MAX_TEST // info.n))


def pool_count(info: DatasetInfo, label: int) -> int:
    """How many samples of a class are left for training and validation."""
    return info.class_counts[label] - test_count(info, label)


def divide(dataset: Dataset, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The numbers of the test samples `[M]`, and each class's pool, all in random order."""
    orders = [class_order(dataset, label, seed) for label in range(dataset.info.num_classes)]
    if dataset.test is None:
        cuts = [test_count(dataset.info, label) for label in range(len(orders))]
        test = np.concatenate([order[:cut] for order, cut in zip(orders, cuts, strict=True)])
        pools = [order[cut:] for order, cut in zip(orders, cuts, strict=True)]
        if dataset.groups is not None:
            chosen = draw_test(dataset, cuts, seed)
            rest = [order[~chosen[order]] for order in orders]
            sizes = [pool_count(dataset.info, label) for label in range(len(orders))]
            test, pools = np.flatnonzero(chosen), [r[:size] for r, size in zip(rest, sizes, strict=True)]
    else:
        test, pools = np.flatnonzero(dataset.test), orders
    return generator("test order", dataset.fingerprint, seed).permutation(test), pools


def class_order(dataset: Dataset, label: int, *key: object) -> np.ndarray:
    """A class's samples outside the dataset's own test part, in a random order.

    The order depends only on the data and `key`.
    """
    members = dataset.members[label]
    return generator("class order", dataset.fingerprint, label, *key).permutation(members)


def rows(index: np.ndarray, y: np.ndarray, origin: int = 0) -> Rows:
    """Rows of one dataset."""
    return Rows(index.astype(np.int64), y.astype(np.int64), np.full(index.shape, origin, dtype=np.int64))


def true_rows(dataset: Dataset, index: np.ndarray, origin: int = 0) -> Rows:
    """Rows with the dataset's own labels."""
    return rows(index, dataset.y[index], origin)


def join(parts: Sequence[Rows]) -> Rows:
    """Rows one after the other, in each cell if there are cells."""
    names = ("index", "y", "origin")
    return Rows(*(np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in names))


def stack(cells: Sequence[Rows]) -> Rows:
    """The rows `[N]` of each cell as rows `[E, N]`."""
    return Rows(*(np.stack([getattr(c, name) for c in cells]) for name in ("index", "y", "origin")))


def cells(rows: Rows) -> list[Rows]:
    """The rows `[N]` of each cell, from rows `[E, N]`."""
    return [Rows(*each) for each in zip(rows.index, rows.y, rows.origin, strict=True)]


def group_numbers(rows: Rows, datasets: Sequence[Dataset]) -> np.ndarray:
    """A number for each sample `[N]` int64, equal for those that belong together, in order of appearance."""
    names = [
        (origin, "sample", index)
        if (groups := datasets[origin].groups) is None
        else (origin, "group", int(groups[index]))
        for origin, index in zip(rows.origin.tolist(), rows.index.tolist(), strict=True)
    ]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)
