"""`holdout`: all labels, with a part of them held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, class_order, stack, true_rows
from fsbench.tasks.grouping import draw_parts
from fsbench.tasks.protocols.base import OneDataset
from fsbench.tasks.unlabelled import Wanted, count_unlabelled, draw_unlabelled
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Holdout(OneDataset):
    """Every sample is in training, validation or test; `test` and `val` are fractions of each class.

    The test gets its fraction of a class, rounded, at least one sample; validation gets its fraction rounded
    down, so classes of fewer than five samples have none; training gets the rest, at least one. Samples of
    one group stay on one side of the split; the fractions then hold as closely as the groups allow. The
    dataset's own test and validation parts are used unchanged. `unlabeled` is the number of the dataset's own
    unlabelled inputs that a split has, or `all`.
    """

    name: ClassVar[str] = "holdout"
    summary: ClassVar[str] = "all labels, a fraction of each class held out; groups stay whole"
    exhaustive: ClassVar[bool] = True

    test: float = 0.3
    val: float = 0.2
    unlabeled: Wanted = 0

    def check(self) -> None:
        """Raise TaskError if the fractions are invalid, or a class is too small to hold samples out."""
        self.require(0 < self.test < 1, f"test is {self.test:g}; expected a fraction between 0 and 1")
        problem = f"val is {self.val:g}; expected at least 0 and test + val below 1"
        self.require(0 <= self.val < 1 - self.test, problem)
        if self.data.test_counts:
            own = "the dataset has its own test part; leave test= out"
            self.require(self.test == type(self).test, own)
        if self.data.val_counts:
            self.require(self.val == type(self).val, "the dataset has its own val part; leave val= out")
        for name, count in zip(self.data.classes, self.counts()[0], strict=True):
            self.require(
                count > 0,
                f"class {name!r} has too few samples to hold some out; add samples or remove the class",
            )
        self.num_unlabeled()

    def counts(self) -> np.ndarray:
        """How many samples of each class training, validation and test should have, `[3, C]`."""
        every = np.array(self.data.class_counts)
        test = np.array(self.data.test_counts or held_out(every, self.test))
        rest = every - test
        share = np.floor((rest if self.data.test_counts else every) * self.val + 1e-9).astype(np.int64)
        val = np.array(self.data.val_counts or np.minimum(share, rest - 1).clip(min=0))
        return np.stack([rest - val, val, test])

    def num_unlabeled(self) -> int:
        """The number of unlabelled inputs. Raises TaskError if the dataset has fewer."""
        return count_unlabelled(self.text, self.unlabeled, self.data.num_unlabeled)

    def info(self) -> TaskInfo:
        """What a strategy may know; with groups, the counts are targets."""
        train, val, _ = self.counts()
        return self.describe(
            num_unlabeled=self.num_unlabeled(),
            num_val=int(val.sum()),
            labels_per_class=int(train.max()),
            balanced=len(set(train.tolist())) == 1 and not self.data.grouped,
        )

    def draw(self, seed: int) -> Split:
        """Each part in random order. Raises TaskError if groups leave no class for training or test."""
        dataset = load_dataset(self.dataset)
        part = self._parts(dataset, seed)
        rng = generator(replace(self, unlabeled=0).text, dataset.fingerprint, seed)
        train, val, test = (_rows(dataset, part == number, rng) for number in range(3))
        own = draw_unlabelled(dataset, [], [], self.num_unlabeled(), seed)
        return Split(train=train, val=val, test=test, unlabeled=own)

    def _parts(self, dataset: Dataset, seed: int) -> np.ndarray:
        """The part of each sample, 0, 1 or 2, as given or drawn."""
        given = {number: mask for number, mask in ((1, dataset.val), (2, dataset.test)) if mask is not None}
        part = np.zeros(len(dataset.y), dtype=np.int64)
        for number, mask in given.items():
            part[mask] = number
        drawn = [number for number in range(3) if number not in given]
        if len(drawn) > 1:
            orders = [class_order(dataset, label, seed) for label in range(dataset.info.num_classes)]
            free = [order[part[order] == 0] for order in orders]
            complete = [place for place, number in enumerate(drawn) if number != 1]
            found = draw_parts(dataset, free, self.counts()[drawn], complete, seed)
            part[found >= 0] = np.array(drawn)[found[found >= 0]]
        return part


def held_out(counts: np.ndarray, share: float = Holdout.test) -> np.ndarray:
    """The number of test samples of each class, int64 `[C]`: a fraction, rounded, at least one."""
    return np.maximum(1, np.floor(counts * share + 0.5)).astype(np.int64)


def _rows(dataset: Dataset, chosen: np.ndarray, rng: np.random.Generator) -> Rows:
    return stack([true_rows(dataset, np.flatnonzero(chosen)).reordered(rng)])
