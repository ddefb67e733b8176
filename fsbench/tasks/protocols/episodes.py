"""`episodes`: small tasks with new classes, after meta-training on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import load_dataset
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, class_order, join, rows, stack
from fsbench.tasks.parts import FOLDS
from fsbench.tasks.protocols.base import OneDataset, datasets_with_evaluation_classes
from fsbench.types import TaskInfo

_SHARE = 4  # of the source's classes, one in so many is a validation class


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
        return self._episodes(dataset, np.array(dataset.info.evaluation_classes), seed)

    criterion: ClassVar[str] = "episodes of validation classes, held out of the source"

    @property
    def folds(self) -> int:
        """How many sets of validation episodes there are.

        Raises TaskError if the source has too few classes to hold out `way` of them and learn from two more.
        """
        classes = len(self._source_classes())
        self.require(
            classes >= self.way + 2,
            f"a search holds out {self.way} of the source's classes with at least {self.shot + self.queries} "
            f"samples, and needs two more; there are {classes}",
        )
        return FOLDS

    def hold_out(self, split: Split, fold: int, seed: int) -> Split:
        """Episodes of validation classes: classes of the source, which then has only the others.

        These are the same classes in all folds, as is usual with episodes (Ravi & Larochelle 2017,
        "Optimization as a model for few-shot learning", ICLR), so that what is trained on the others serves
        all folds. They are a quarter of the source's classes with enough samples, but at least `way`.
        """
        dataset, every = load_dataset(self.dataset), self._source_classes()
        order = generator("validation classes", dataset.fingerprint, seed).permutation(every)
        step = min(_SHARE, len(every) // self.way)
        held_out = order[::step] if step > 1 else order[: self.way]
        return self._episodes(dataset, np.sort(held_out), f"{seed}, without fold {fold}")

    def _source_classes(self) -> list[int]:
        """The classes of the source that have enough samples for an episode."""
        counts, others = self.data.class_counts, set(self.data.evaluation_classes)
        least = self.shot + self.queries
        return [label for label, n in enumerate(counts) if label not in others and n >= least]

    def _episodes(self, dataset: Dataset, classes: np.ndarray, key: int | str) -> Split:
        """Episodes of some classes; the source has the classes that are neither these nor for the test."""
        cells = [self._episode(dataset, classes, key, cell) for cell in range(self.n)]
        empty = np.zeros((self.n, 0), dtype=np.int64)
        others = np.setdiff1d(np.arange(dataset.info.num_classes), dataset.info.evaluation_classes)
        return Split(
            train=stack([support for support, _ in cells]),
            val=rows(empty, empty),
            test=stack([query for _, query in cells]),
            source=_all_of(dataset, np.setdiff1d(others, classes)),
        )

    def _episode(
        self, dataset: Dataset, classes: np.ndarray, seed: int | str, cell: int
    ) -> tuple[Rows, Rows]:
        rng = generator("episode", dataset.fingerprint, seed, cell)
        chosen = rng.permutation(classes)[: self.way]
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


def _all_of(dataset: Dataset, classes: np.ndarray) -> Rows:
    """All samples of some classes, with labels counted from zero."""
    index = np.flatnonzero(np.isin(dataset.y, classes))
    return rows(index, np.searchsorted(classes, dataset.y[index]))
