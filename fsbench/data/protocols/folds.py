"""`folds`: cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.data.datasets import load_dataset
from fsbench.data.drawing import Split, class_order, rows, stack, true_rows
from fsbench.data.protocols.base import OneDataset
from fsbench.rng import generator
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Folds(OneDataset):
    """`n` stratified folds, each a cell of the split: tested on one, trained on the others.

    Each fold tests `count // n` samples of a class with `count`; the remainder always trains, so that
    all cells have parts of one size. A split seed is one repetition: `folds(wine, n=2)` at five seeds is
    the 5x2 cross-validation of Dietterich 1998, "Approximate statistical tests for comparing supervised
    classification learning algorithms". There is no validation part.
    """

    name: ClassVar[str] = "folds"
    summary: ClassVar[str] = "cross-validation; a split seed is a repetition"
    shown: ClassVar[tuple[str, ...]] = ("n",)

    n: int = 5

    def check(self) -> None:
        """Raise TaskError if there are fewer than two folds, or more than a class has samples."""
        info = self.data
        self.require_at_least(2, "n")
        self.require(
            not info.test_counts,
            f"{info.text} has a test part of its own, on which it is always tested; choose another protocol",
        )
        self.require_ungrouped(info)
        smallest = int(np.argmin(info.class_counts))
        self.require(
            self.n <= info.class_counts[smallest],
            f"class {info.classes[smallest]!r} has {info.class_counts[smallest]} samples; "
            "that is the largest n",
        )

    def train_counts(self) -> list[int]:
        """The number of training labels of each class, the same in every cell."""
        return [count - count // self.n for count in self.data.class_counts]

    def info(self) -> TaskInfo:
        """What a strategy may know; `labels_per_class` is that of the largest class."""
        counts = self.train_counts()
        return self.describe(
            labels_per_class=max(counts),
            balanced=len(set(counts)) == 1,
        )

    def draw(self, seed: int) -> Split:
        """The folds of one random order of each class."""
        dataset = load_dataset(self.dataset)
        orders = [class_order(dataset, label, seed, "folds") for label in range(dataset.info.num_classes)]
        train, test = [], []
        for cell in range(self.n):
            rng = generator(self.text, dataset.fingerprint, seed, cell)
            tested = np.concatenate([order[cell * (m := len(order) // self.n) :][:m] for order in orders])
            trained = np.setdiff1d(np.arange(dataset.info.n), tested)
            train.append(true_rows(dataset, trained).reordered(rng))
            test.append(true_rows(dataset, tested).reordered(rng))
        empty = np.zeros((self.n, 0), dtype=np.int64)
        return Split(train=stack(train), val=rows(empty, empty), test=stack(test))
