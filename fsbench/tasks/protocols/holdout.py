"""`holdout`: all labels, with a part of them held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

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

    `train` is the fraction of each class's training samples that is used, at least one sample; those of a
    smaller fraction are among those of a larger one. `within=s` divides the training part of split s alone:
    what is chosen on such splits has seen no test sample of split s.
    """

    name: ClassVar[str] = "holdout"
    summary: ClassVar[str] = "all labels, a fraction of each class held out; groups stay whole"
    exhaustive: ClassVar[bool] = True

    test: float = 0.3
    val: float = 0.2
    unlabeled: Wanted = 0
    train: float = 1.0
    within: int | None = None

    def check(self) -> None:
        """Raise TaskError if the fractions are invalid, or a class is too small to hold samples out."""
        self.require(0 < self.test < 1, f"test is {self.test:g}; expected a fraction between 0 and 1")
        problem = f"val is {self.val:g}; expected at least 0 and test + val below 1"
        self.require(0 <= self.val < 1 - self.test, problem)
        self.require(0 < self.train <= 1, f"train is {self.train:g}; expected a fraction above 0, or 1")
        self.require_at_least(0, "within")
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
        if self.within is None:
            return self._counts(np.array(self.data.class_counts), self.data.val_counts, self.data.test_counts)
        return self._counts(self._outer.counts()[0])

    def _counts(self, every: np.ndarray, val: tuple[int, ...] = (), test: tuple[int, ...] = ()) -> np.ndarray:
        """As `counts`, for numbers of samples of each class `[C]`; some of them may be of given parts."""
        tested = np.array(test or held_out(every, self.test))
        rest = every - tested
        share = np.floor((rest if test else every) * self.val + 1e-9).astype(np.int64)
        kept = np.array(val or np.minimum(share, rest - 1).clip(min=0))
        return np.stack([_fraction(rest - kept, self.train), kept, tested])

    @property
    def _outer(self) -> Holdout:
        """The task whose training part is divided, with `within`."""
        return replace(self, within=None, train=1.0)

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
        """The part of each sample, 0, 1 or 2, as given or drawn; -1 for a sample of no part."""
        part, given = self._given(dataset)
        key = (seed,) if self.within is None else (seed, f"within {self.within}")
        orders = [class_order(dataset, label, *key) for label in range(dataset.info.num_classes)]
        free = [order[part[order] == 0] for order in orders]
        drawn = [number for number in range(3) if number not in given]
        if len(drawn) > 1:
            complete = [place for place, number in enumerate(drawn) if number != 1]
            found = draw_parts(dataset, free, self._wanted(free)[drawn], complete, seed)
            part[found >= 0] = np.array(drawn)[found[found >= 0]]
        for order in orders if self.train < 1 else ():
            trained = order[part[order] == 0]
            part[trained[_fraction(len(trained), self.train) :]] = -1
        return part

    def _given(self, dataset: Dataset) -> tuple[np.ndarray, set[int]]:
        """The part of each sample, 0 if it is still to be drawn, and which parts are given."""
        if self.within is not None:
            return np.where(self._outer._parts(dataset, self.within) == 0, 0, -1), set()
        part = np.zeros(len(dataset.y), dtype=np.int64)
        given = {number: mask for number, mask in ((1, dataset.val), (2, dataset.test)) if mask is not None}
        for number, mask in given.items():
            part[mask] = number
        return part, set(given)

    def _wanted(self, free: Sequence[np.ndarray]) -> np.ndarray:
        """How many samples of each class the parts get, `[3, C]`, with all training samples."""
        whole = replace(self, train=1.0)
        if self.within is None:
            return whole.counts()
        # With groups, the training part may have other sizes than it should have.
        return whole._counts(np.array([max(2, len(order)) for order in free]))


def held_out(counts: np.ndarray, share: float = Holdout.test) -> np.ndarray:
    """The number of test samples of each class, int64 `[C]`: a fraction, rounded, at least one."""
    return np.maximum(1, np.floor(counts * share + 0.5)).astype(np.int64)


def _fraction(counts: Any, share: float) -> Any:
    """A fraction of some numbers of samples, rounded, at least one where there is one."""
    return np.minimum(counts, np.maximum(1, np.floor(counts * share + 0.5))).astype(np.int64)


def _rows(dataset: Dataset, chosen: np.ndarray, rng: np.random.Generator) -> Rows:
    return stack([true_rows(dataset, np.flatnonzero(chosen)).reordered(rng)])
