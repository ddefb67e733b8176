"""`episodes`: small tasks with new classes, after meta-training on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, class_order, join, rows, stack
from fsbench.tasks.protocols.base import OneDataset, datasets_with_evaluation_classes
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Episodes(OneDataset):
    """`n` test episodes (Vinyals et al. 2016), each a cell of the split, of the dataset's test classes.

    An episode has `way` classes, renumbered, with `shot` support samples (its training part) and `queries`
    query samples (its test part) of each. There is no validation part. All samples of the dataset's other
    classes are the source. The first episodes are the same for every n, the classes of a smaller way are
    among those of a larger one, and so are the support samples of a smaller shot. Vinyals, Blundell,
    Lillicrap, Kavukcuoglu & Wierstra, "Matching networks for one shot learning".
    """

    name: ClassVar[str] = "episodes"
    summary: ClassVar[str] = "test episodes of new classes; the other classes are the source"
    shown: ClassVar[tuple[str, ...]] = ("way", "shot")
    nested: ClassVar[tuple[str, ...]] = ("way", "shot", "n")
    cite: ClassVar[str] = (
        "Vinyals, O., Blundell, C., Lillicrap, T., Kavukcuoglu, K. and Wierstra, D. (2016). Matching "
        "networks for one shot learning. NeurIPS."
    )

    way: int = 5
    shot: int = 1
    queries: int = 15
    n: int = 20

    def check(self) -> None:
        """Raise TaskError if the dataset has no test classes, too few, or too few samples of one."""
        info = self.data
        self.require_at_least(2, "way")
        self.require_at_least(1, "shot", "queries", "n")
        self.require(
            bool(info.evaluation_classes),
            f"{info.text} has no classes reserved for test episodes; these datasets have: "
            f"{', '.join(datasets_with_evaluation_classes())}",
        )
        ways = len(info.evaluation_classes)
        self.require(self.way <= ways, f"{info.text} has {ways} test classes; that is the largest way")
        for label in info.evaluation_classes:
            self.require(
                self.shot + self.queries <= info.class_counts[label],
                f"class {info.classes[label]!r} has {info.class_counts[label]} samples; "
                f"shot + queries is {self.shot + self.queries}",
            )

    def info(self) -> TaskInfo:
        """What a strategy may know; the source has the classes that are not for the test."""
        info = self.data
        return self.describe(
            num_classes=self.way,
            source_shape=info.shape,
            source_classes=info.num_classes - len(info.evaluation_classes),
            labels_per_class=self.shot,
            balanced=True,
        )

    def draw(self, seed: int) -> Split:
        """The episodes, and all samples of the other classes with labels counted from zero."""
        dataset = load_dataset(self.dataset)
        cells = [self._episode(dataset, seed, cell) for cell in range(self.n)]
        empty = np.zeros((self.n, 0), dtype=np.int64)
        return Split(
            train=stack([support for support, _ in cells]),
            val=rows(empty, empty),
            test=stack([query for _, query in cells]),
            source=_other_classes(dataset),
        )

    def _episode(self, dataset: Dataset, seed: int, cell: int) -> tuple[Rows, Rows]:
        rng = generator("episode", dataset.fingerprint, seed, cell)
        chosen = rng.permutation(dataset.info.evaluation_classes)[: self.way]
        support: list[Rows] = []
        query: list[Rows] = []
        for y, label in enumerate(chosen):
            order = class_order(dataset, int(label), seed, "episode", cell)
            support.append(_numbered(order[: self.shot], y))
            query.append(_numbered(order[len(order) - self.queries :], y))
        queries = join(query).reordered(rng)
        return join(support).reordered(rng), queries


def _numbered(index: np.ndarray, y: int) -> Rows:
    return rows(index, np.full(len(index), y))


def _other_classes(dataset: Dataset) -> Rows:
    others = np.setdiff1d(np.arange(dataset.info.num_classes), dataset.info.evaluation_classes)
    index = np.flatnonzero(np.isin(dataset.y, others))
    return rows(index, np.searchsorted(others, dataset.y[index]))
