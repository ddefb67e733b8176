"""`shift`: labels in one domain, the test part in another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import dataset_info, family, load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Split, divide, join, pool_count, stack, test_count, true_rows
from fsbench.tasks.protocols.base import Protocol
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Shift(Protocol):
    """Labels of a source dataset, inputs of a target dataset, and `k` labels of each target class.

    The training part is the source's pool, plus the k target labels per class if there are any;
    `train_domain` is 0 for source and 1 for target samples. The rest of the target's pool is unlabelled. The
    validation part is the source's test part, which is not used for training. The test part is the target's
    test part. With a `share` below 1, a split only uses this share of each class of the four, drawn anew for
    each seed, so that splits share fewer samples; a share of 1 of datasets with their own test parts has the
    same samples in every split.
    """

    name: ClassVar[str] = "shift"
    summary: ClassVar[str] = "labels in a source domain, the test part in a target domain"

    source: str
    target: str
    k: int = 0
    share: float = 1.0

    @property
    def datasets(self) -> tuple[str, ...]:
        """The source, then the target, numbered as in `train_domain`."""
        return (self.source, self.target)

    def check(self) -> None:
        """Raise TaskError if both are one dataset, differ in kind, shape or classes, or k is too large."""
        source, target = dataset_info(self.source), dataset_info(self.target)
        self.require(
            family(source.name) != family(target.name),
            "source and target are one dataset, or made from the same data; choose two",
        )
        self.require_same_kind(source, target)
        self.require_same_shape(source, target)
        self.require(source.classes == target.classes, f"{source.text} and {target.text} differ in classes")
        self.require_at_least(0, "k")
        self.require(0 < self.share <= 1, f"share is {self.share}; expected more than 0 and at most 1")
        for label, name in enumerate(target.classes):
            room = self._kept(pool_count(target, label))
            part = f"; a share of {self.share} of the others" if self.share < 1 else ""
            self.require(
                self.k < room,
                f"class {name!r} of {target.text} has {target.class_counts[label]} samples, of which "
                f"{test_count(target, label)} are for the test{part}; the largest k is {room - 1}",
            )

    def info(self) -> TaskInfo:
        """What a strategy may know; `labels_per_class` counts target labels."""
        source, target = dataset_info(self.source), dataset_info(self.target)
        classes = range(target.num_classes)
        pool = sum(self._kept(pool_count(target, label)) for label in classes)
        return TaskInfo(
            text=self.text,
            protocol=self.name,
            kind=target.kind,
            input_shape=target.shape,
            num_classes=target.num_classes,
            symmetries=source.symmetries & target.symmetries,
            source_shape=source.shape,
            source_classes=source.num_classes,
            num_unlabeled=pool - self.k * target.num_classes,
            num_val=sum(self._kept(test_count(source, label)) for label in classes),
            labels_per_class=self.k,
            labels_on_target=self.k > 0,
            balanced=len({self._kept(pool_count(source, label)) for label in classes}) == 1,
        )

    def draw(self, seed: int) -> Split:
        """The pool of the source and the front of each target class's pool, in random order."""
        source, target = load_dataset(self.source), load_dataset(self.target)
        source_test, source_pools = self._divide(source, seed)
        target_test, target_pools = self._divide(target, seed)
        rng = generator(self.text, source.fingerprint, target.fingerprint, seed)
        given = true_rows(source, np.concatenate(source_pools), origin=0).reordered(rng)
        few = true_rows(target, np.concatenate([pool[: self.k] for pool in target_pools]), origin=1)
        rest = true_rows(target, np.concatenate([pool[self.k :] for pool in target_pools]), origin=1)
        return Split(
            train=stack([join([given, few]).reordered(rng)]),
            val=stack([true_rows(source, source_test, origin=0)]),
            test=stack([true_rows(target, target_test, origin=1)]),
            unlabeled=rest.reordered(rng),
            source=given,
        )

    criterion: ClassVar[str] = "source validation"

    @property
    def folds(self) -> int:
        """One: the validation part."""
        return 1

    def hold_out(self, split: Split, fold: int, seed: int) -> Split:
        """Source validation: configurations are compared on the validation part, which is of the source."""
        return replace(split, val=split.val.first(0), test=split.val)

    def _kept(self, count: int) -> int:
        """How many of a class's samples in a part are used."""
        return max(1, round(self.share * count)) if count else 0

    def _divide(self, dataset: Dataset, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """The share of `divide` that this task uses, in the same order."""
        test, pools = divide(dataset, seed)
        used = np.zeros(len(test), dtype=bool)
        for label in range(dataset.info.num_classes):
            (places,) = np.nonzero(dataset.y[test] == label)
            used[places[: self._kept(len(places))]] = True
        return test[used], [pool[: self._kept(len(pool))] for pool in pools]
