"""`folds`: cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Split, class_order, rows, stack, true_rows
from fsbench.tasks.grouping import draw_parts
from fsbench.tasks.protocols.base import OneDataset
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Folds(OneDataset):
    """`n` stratified folds: each is tested once in a repetition, after training on the others.

    Split seed s is fold `s % n` of repetition `s // n`, so `folds(wine, n=2)` with ten seeds has the splits
    of 5x2 cross-validation (Dietterich 1998, "Approximate statistical tests for comparing supervised
    classification learning algorithms"). Each fold is a separate split, because training samples of one are
    test samples of another. There is no validation part. Samples that belong together are in one
    fold, so folds of such a dataset may differ in size.
    """

    name: ClassVar[str] = "folds"
    summary: ClassVar[str] = "cross-validation; split seed s is fold s % n of repetition s // n"
    shown: ClassVar[tuple[str, ...]] = ("n",)
    exhaustive: ClassVar[bool] = True

    n: int = 5

    def check(self) -> None:
        """Raise TaskError if there are fewer than two folds, or more than a class has samples."""
        info = self.data
        self.require_at_least(2, "n")
        self.require(
            not info.test_counts,
            f"{info.text} has its own test part, on which it is always tested; choose another protocol",
        )
        smallest = int(np.argmin(info.class_counts))
        self.require(
            self.n <= info.class_counts[smallest],
            f"class {info.classes[smallest]!r} has {info.class_counts[smallest]} samples; "
            "that is the largest n",
        )

    def train_counts(self) -> list[int]:
        """The number of training labels of each class, in the fold that leaves the most; without groups."""
        return [count - count // self.n for count in self.data.class_counts]

    def info(self) -> TaskInfo:
        """What a strategy may know; `labels_per_class` is that of the largest class."""
        counts = self.train_counts()
        return self.describe(labels_per_class=max(counts), balanced=len(set(self.data.class_counts)) == 1)

    def draw(self, seed: int) -> Split:
        """One fold of the random order of each class in a repetition."""
        dataset = load_dataset(self.dataset)
        repetition, fold = divmod(seed, self.n)
        parts = self._parts(dataset, repetition)
        tested, trained = parts[fold], np.sort(np.concatenate(parts[:fold] + parts[fold + 1 :]))
        rng = generator(self.text, dataset.fingerprint, seed)
        train, test = (stack([true_rows(dataset, index).reordered(rng)]) for index in (trained, tested))
        empty = np.zeros((1, 0), dtype=np.int64)
        return Split(train=train, val=rows(empty, empty), test=test)

    def _parts(self, dataset: Dataset, repetition: int) -> list[np.ndarray]:
        """The samples of each fold. Raises TaskError if groups leave a fold without a class."""
        labels = range(dataset.info.num_classes)
        orders = [class_order(dataset, label, repetition, "folds") for label in labels]
        folds = [np.array_split(order, self.n) for order in orders]
        if dataset.groups is None:
            return [np.concatenate([of_class[fold] for of_class in folds]) for fold in range(self.n)]
        wanted = np.array([[len(of_class[fold]) for of_class in folds] for fold in range(self.n)])
        # The order of published splits.
        part = draw_parts(dataset, orders, wanted, range(self.n), repetition, large_first=True)
        return [np.flatnonzero(part == fold) for fold in range(self.n)]
