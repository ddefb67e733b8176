"""`blocks`: the first, the second, ... labels of each class in the dataset's own order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.datasets.known import load_dataset
from fsbench.errors import TaskError
from fsbench.rng import generator
from fsbench.tasks.drawing import Split, pool_count, stack, true_rows
from fsbench.tasks.protocols.base import OneDataset
from fsbench.tasks.protocols.few_labels import labels_in_words
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Blocks(OneDataset):
    """Split i takes samples from `i * (k + val)` on of each class: `k` to train, then `val` to validate.

    The samples are those outside the dataset's own test part, in the order of the dataset, and the test is
    that part. Two blocks have no sample in common. This is the rule of the benchmark DEIC: Brigato, Barz,
    Iocchi & Denzler 2021, "Tune it or don't use it: benchmarking data-efficient image classification".
    """

    name: ClassVar[str] = "blocks"
    summary: ClassVar[str] = (
        "split i takes the i-th block of k labels of each class, in the dataset's own order"
    )
    shown: ClassVar[tuple[str, ...]] = ("k",)
    cite: ClassVar[str] = (
        "Brigato, L., Barz, B., Iocchi, L. and Denzler, J. (2021). Tune it or don't use it: Benchmarking "
        "data-efficient image classification. ICCV workshops."
    )

    k: int = 50
    val: int = 0

    @property
    def labels(self) -> str:
        """`50 labels per class`."""
        return labels_in_words(self.k, self.val)

    @property
    def num_blocks(self) -> int:
        """How many blocks every class has; split seeds are from 0 to this number minus one."""
        info = self.data
        smallest = min(pool_count(info, label) for label in range(info.num_classes))
        return smallest // (self.k + self.val)

    def check(self) -> None:
        """Raise TaskError if the dataset does not have its own test part and at least one whole block."""
        info = self.data
        self.require_at_least(1, "k")
        self.require_at_least(0, "val")
        self.require(
            bool(info.test_counts), f"{info.text} does not have its own test part; choose another protocol"
        )
        self.require_ungrouped(info)
        label = min(range(info.num_classes), key=lambda c: pool_count(info, c))
        self.require(
            self.num_blocks > 0,
            f"class {info.classes[label]!r} has {pool_count(info, label)} samples that are not for the test; "
            f"k + val is {self.k + self.val}",
        )

    def info(self) -> TaskInfo:
        """What a strategy may know."""
        num_val = self.val * self.data.num_classes
        return self.describe(num_val=num_val, labels_per_class=self.k, balanced=True)

    def draw(self, seed: int) -> Split:
        """The block of a seed, in random order. Raises TaskError for a seed beyond the last block."""
        if seed >= self.num_blocks:
            raise TaskError(
                f"{self.text}: {self.data.text} has {self.num_blocks} blocks of {self.k + self.val} samples "
                f"per class; choose split seeds from 0 to {self.num_blocks - 1}"
            )
        dataset = load_dataset(self.dataset)
        rng = generator(self.text, dataset.fingerprint, seed)
        start = seed * (self.k + self.val)
        blocks = [members[start : start + self.k + self.val] for members in dataset.members]
        parts = (
            np.concatenate([block[: self.k] for block in blocks]),
            np.concatenate([block[self.k :] for block in blocks]),
            np.arange(len(dataset.y))[dataset.test],
        )
        train, val, test = (stack([true_rows(dataset, index).reordered(rng)]) for index in parts)
        return Split(train=train, val=val, test=test)
