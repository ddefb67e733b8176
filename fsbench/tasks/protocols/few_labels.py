"""The base class of `kshot`, `longtail` and `noisy`: a few labels of each class of one dataset."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import dataset_info, family, load_dataset
from fsbench.errors import TaskError
from fsbench.kinds import get_kind
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, divide, join, pool_count, rows, stack, true_rows
from fsbench.tasks.protocols.base import OneDataset
from fsbench.tasks.unlabelled import Wanted, count_unlabelled, draw_unlabelled
from fsbench.types import TaskInfo
from fsbench.words import plural


def labels_in_words(train: int, val: int) -> str:
    """The labels of each class: `7 labels per class (5 train, 2 val)`."""
    return f"{plural(train + val, 'label')} per class{parts_in_words(train, val)}"


def parts_in_words(train: int, val: int) -> str:
    """How labels divide: ` (5 train, 2 val)`; "" without a validation part."""
    return f" ({train} train, {val} val)" if val else ""


@dataclass(frozen=True)
class FewLabels(OneDataset):
    """A task on one dataset, optionally with all labelled samples of a `source` dataset.

    A subclass says how many training labels each class gets, and may make some of them wrong; its argument
    `most` is the number in the largest class. `val` is the
    number of validation labels of each class, by default half of its training labels and at least one.
    `unlabeled` is the number of unlabelled inputs, or `all`: of samples that are neither in training,
    validation nor test, and of the dataset's own unlabelled ones. With fewer, they are among those with more.
    """

    most: ClassVar[str] = "k"

    source: str | None = None
    val: int | None = None
    unlabeled: Wanted = 0

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset, then the source if there is one."""
        return (self.dataset,) if self.source is None else (self.dataset, self.source)

    def counts_for(self, most: int) -> list[int]:
        """The number of training labels of each class if the largest has `most`; by default all have."""
        return [most] * self.data.num_classes

    def train_counts(self) -> list[int]:
        """The number of training labels of each class."""
        return self.counts_for(getattr(self, self.most))

    def is_balanced(self) -> bool:
        """Whether all classes have the same number of training labels as given."""
        return len(set(self.train_counts())) == 1

    def val_for(self, labels: int) -> int:
        """The number of validation labels for a number of training labels: `val`, or half, at least one."""
        return max(1, labels // 2) if self.val is None else self.val

    def val_counts(self) -> list[int]:
        """The number of validation labels of each class."""
        return [self.val_for(n) for n in self.train_counts()]

    def given_labels(self, label: int, n: int, *key: object) -> np.ndarray:
        """The given labels of the first n samples of a class, `[n]`; by default the true labels."""
        return np.full(n, label)

    def check_counts(self) -> None:
        """Raise TaskError, with the largest number that all classes allow, if a class is too small."""
        self.require_at_least(0, "val")
        given = getattr(self, self.most)
        if small := self._too_small(given):
            label = min(small, key=lambda c: pool_count(self.data, c))
            room, total = pool_count(self.data, label), self.data.class_counts[label]
            most = min(given - 1, max(self.data.class_counts))
            largest = next((each for each in range(most, 0, -1) if not self._too_small(each)), 0)
            raise TaskError(
                f"{self.text}: class {self.data.classes[label]!r} has {total} samples, of which "
                f"{total - room} are for the test, and validation needs {self.val_counts()[label]}; "
                f"{self.most} is {given}, and the largest that the classes allow is {largest}"
            )
        self.num_unlabeled()

    def _too_small(self, most: int) -> list[int]:
        """The classes with too few samples if the largest has `most` training labels."""
        counts = enumerate(self.counts_for(most))
        return [label for label, n in counts if n + self.val_for(n) > pool_count(self.data, label)]

    def num_unlabeled(self) -> int:
        """The number of unlabelled inputs. Raises TaskError if there are fewer than wanted."""
        pool = sum(pool_count(self.data, label) for label in range(self.data.num_classes))
        room = pool - sum(self.train_counts()) - sum(self.val_counts()) + self.data.num_unlabeled
        return count_unlabelled(self.text, self.unlabeled, room)

    def check_source(self) -> None:
        """Raise TaskError if the source is the dataset itself or has another kind of samples."""
        if self.source is None:
            return
        target, source = self.data, dataset_info(self.source)
        self.require(
            family(source.name) != family(target.name),
            "the source is the task's own dataset or made from the same data; choose another one",
        )
        self.require_same_kind(source, target)
        if get_kind(target.kind).mismatch(source.shape, target.shape):
            self.require_same_shape(source, target)

    def info(self) -> TaskInfo:
        """What a strategy may know; `labels_per_class` is the number of the largest class."""
        source = None if self.source is None else dataset_info(self.source)
        return self.describe(
            source_shape=None if source is None else source.shape,
            source_classes=0 if source is None else source.num_classes,
            num_unlabeled=self.num_unlabeled(),
            num_val=sum(self.val_counts()),
            labels_per_class=max(self.train_counts()),
            balanced=self.is_balanced(),
        )

    def draw(self, seed: int) -> Split:
        """Training labels from the front of each class's pool, validation labels from its end."""
        dataset = load_dataset(self.dataset)
        test, pools = divide(dataset, seed)
        starts = [pool[:n] for pool, n in zip(pools, self.train_counts(), strict=True)]
        ends = [pool[len(pool) - n :] for pool, n in zip(pools, self.val_counts(), strict=True)]
        train = self._labelled(dataset, starts, seed, "train")
        val = self._labelled(dataset, ends, seed, "val")
        return Split(
            train=stack([train]),
            val=stack([val]),
            test=stack([true_rows(dataset, test)]),
            unlabeled=draw_unlabelled(dataset, pools, [train, val], self.num_unlabeled(), seed),
            source=self._source_rows(),
        )

    @functools.cached_property
    def _labels_only(self) -> str:
        """The text of the task without what does not affect the drawn labels."""
        return replace(self, source=None, unlabeled=0).text

    def _labelled(self, dataset: Dataset, classes: list[np.ndarray], seed: int, part: str) -> Rows:
        rng = generator(self._labels_only, dataset.fingerprint, seed, part)
        labelled = []
        for label, index in enumerate(classes):
            given = self.given_labels(label, len(index), dataset.fingerprint, seed, part)
            # Validation starts with the last sample of the pool, so that smaller parts are nested in larger
            # ones.
            labelled.append(rows(index, given[::-1] if part == "val" else given))
        return join(labelled).reordered(rng)

    def _source_rows(self) -> Rows | None:
        if self.source is None:
            return None
        source = load_dataset(self.source)
        return true_rows(source, np.arange(source.info.n), origin=1)
