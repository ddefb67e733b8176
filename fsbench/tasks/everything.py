"""Tasks in which every label is for training: not to compare strategies, but to fit the one that is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import dataset_info, load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, join, rows, stack, true_rows
from fsbench.tasks.protocols.base import OneDataset, Protocol
from fsbench.tasks.unlabelled import draw_unlabelled
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Everything(OneDataset):
    """All samples of a dataset, its own test and validation part included, and all its unlabelled inputs."""

    name: ClassVar[str] = "everything"

    def check(self) -> None:
        """Every dataset will do."""

    def info(self) -> TaskInfo:
        """What a strategy may know."""
        counts, more = self.data.class_counts, self.data.num_unlabeled
        return self.describe(num_unlabeled=more, labels_per_class=max(counts), balanced=len(set(counts)) == 1)

    def draw(self, seed: int) -> Split:
        """All samples in random order, as the training part."""
        dataset = load_dataset(self.dataset)
        more = draw_unlabelled(dataset, [], [], self.data.num_unlabeled, seed)
        return _training(_all_rows(dataset).reordered(_rng(self, seed)), more)


@dataclass(frozen=True)
class EverythingOfTwo(Protocol):
    """All samples of two domains; the inputs of the target are the unlabelled ones too."""

    name: ClassVar[str] = "everything"

    source: str
    target: str

    @property
    def datasets(self) -> tuple[str, ...]:
        """The source, then the target."""
        return (self.source, self.target)

    def check(self) -> None:
        """Two domains that were read together fit each other."""

    def info(self) -> TaskInfo:
        """What a strategy may know: a task of the protocol `shift` with labels on both domains."""
        source, target = dataset_info(self.source), dataset_info(self.target)
        return TaskInfo(
            text=self.text,
            protocol="shift",
            kind=target.kind,
            input_shape=target.shape,
            num_classes=target.num_classes,
            symmetries=source.symmetries & target.symmetries,
            source_shape=source.shape,
            source_classes=source.num_classes,
            num_unlabeled=target.n,
            labels_per_class=max(target.class_counts),
            balanced=len(set(source.class_counts)) == 1,
        )

    def draw(self, seed: int) -> Split:
        """All samples of both in random order, as the training part."""
        source, target = load_dataset(self.source), load_dataset(self.target)
        given, own = _all_rows(source, 0), _all_rows(target, 1)
        rng = _rng(self, seed)
        return _training(join([given, own]).reordered(rng), own.reordered(rng), given.reordered(rng))


def _all_rows(dataset: Dataset, origin: int = 0) -> Rows:
    return true_rows(dataset, np.arange(len(dataset.y)), origin)


def _rng(protocol: Protocol, seed: int) -> np.random.Generator:
    fingerprints = [load_dataset(text).fingerprint for text in protocol.datasets]
    return generator(protocol.text, *fingerprints, seed)


def _training(train: Rows, unlabeled: Rows | None, source: Rows | None = None) -> Split:
    empty = np.zeros((1, 0), dtype=np.int64)
    nothing = rows(empty, empty)
    return Split(train=stack([train]), val=nothing, test=nothing, unlabeled=unlabeled, source=source)
