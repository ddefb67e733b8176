"""Small, separable, in-memory splits, for tests of strategies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from fsbench.kinds import get_kind
from fsbench.rng import generator
from fsbench.tasks.splits import SplitArrays
from fsbench.types import TaskInfo

_SOURCE_PER_CLASS = 20
_VAL_PER_CLASS = 3
_MOVE = 0.4

Labelled: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class ToySplit(SplitArrays):
    """What a worker sees of a split, in memory.

    `test_y [E, M]` int64 is only for tests; strategies do not get it.
    """

    test_y: np.ndarray = field(kw_only=True)


def toy_split(
    kind: str = "table",
    *,
    classes: int = 3,
    per_class: int = 12,
    test_per_class: int = 20,
    imbalance: float = 1.0,
    cells: int = 1,
    source: bool = False,
    unlabeled: int = 0,
    shift: bool = False,
    target_per_class: int = 0,
    seed: int = 0,
) -> ToySplit:
    """A split of well separated classes of a kind of samples: noise around something random for each class.

    Images are 8x8 with one channel, tables have 8 features. `imbalance` is the ratio of the largest
    class to the smallest; more than one of `cells` makes it an `episodes` split; `source` adds
    labelled data of other classes, `unlabeled` that many unlabelled inputs. With `shift`, training,
    validation and source data come from one domain, and the unlabelled and test data (as many as
    `test_per_class`) from another that is moved a little; `target_per_class` training labels of
    each class are then of the target.
    """
    rng = generator("toy split", kind, seed)
    blobs = _Blobs(kind, classes, rng)
    moved = _MOVE if shift else 0.0
    train = blobs.cells(cells, _counts(classes, per_class, imbalance))
    domain = None
    if shift:
        train, domain = _with_target(train, blobs.cells(cells, [target_per_class] * classes, moved))
        unlabeled = test_per_class * classes
    val = blobs.cells(cells, [_VAL_PER_CLASS] * classes)
    test = blobs.cells(cells, [test_per_class] * classes, moved)
    transform = blobs.kind.fit_toys(train[0])
    others: dict[str, Any] = {}
    if shift or source:
        sources = blobs if shift else _Blobs(kind, 2 * classes, rng)
        x, y = sources.draw([_SOURCE_PER_CLASS] * sources.classes)
        others |= {"source_x": blobs.kind.fit_toys(x[None])(x[None])[0], "source_y": y}
    if unlabeled:
        x, _ = blobs.draw([math.ceil(unlabeled / classes)] * classes, moved)
        others["unlabeled_x"] = transform(x[None, :unlabeled].repeat(cells, 0))[0]
    train, val, test = ((transform(x), y) for x, y in (train, val, test))
    protocol = "shift" if shift else "episodes" if cells > 1 else "longtail" if imbalance > 1 else "kshot"
    shape = train[0].shape[2:]
    info = TaskInfo(
        text=f"{protocol}(toy)",
        protocol=protocol,
        kind=kind,
        input_shape=shape,
        num_classes=classes,
        source_shape=shape if "source_x" in others else None,
        source_classes=int(others["source_y"].max()) + 1 if "source_y" in others else 0,
        num_unlabeled=unlabeled,
        num_val=_VAL_PER_CLASS * classes,
        labels_per_class=target_per_class if shift else per_class,
        labels_on_target=not shift or target_per_class > 0,
        balanced=imbalance == 1,
        symmetries=blobs.kind.toy_symmetries,
    )
    return ToySplit(info, *train, *val, test[0], domain, **others, test_y=test[1])


def _with_target(source: Labelled, target: Labelled) -> tuple[Labelled, np.ndarray]:
    """Training samples of two domains, one after the other, and the domain of each `[E, N]`."""
    domain = np.repeat([[0] * source[1].shape[1] + [1] * target[1].shape[1]], len(source[1]), axis=0)
    x, y = (np.concatenate(pair, 1) for pair in zip(source, target, strict=True))
    return (x, y), domain


def _counts(classes: int, largest: int, imbalance: float) -> list[int]:
    """Samples per class, falling exponentially from the first class to the last."""
    return [max(1, round(largest * imbalance ** (-c / (classes - 1)))) for c in range(classes)]


class _Blobs:
    """Classes as noise around different centres, as samples of a kind are stored."""

    def __init__(self, kind: str, classes: int, rng: np.random.Generator) -> None:
        self.kind, self.classes, self.rng = get_kind(kind), classes, rng
        centres: dict[bytes, np.ndarray] = {}
        while len(centres) < classes:
            centre = self.kind.toy_centre(rng)
            centres.setdefault(centre.tobytes(), centre)
        self.centres = np.stack(list(centres.values()))

    def draw(self, counts: Sequence[int], moved: float = 0.0) -> Labelled:
        """Inputs `[N, ...]` and labels `[N]`, shuffled; `moved` shifts every input."""
        y = self.rng.permutation(np.repeat(np.arange(len(counts)), counts))
        return self.kind.toy_samples(self.centres[y], moved, self.rng), y

    def cells(self, number: int, counts: Sequence[int], moved: float = 0.0) -> Labelled:
        """Independent draws, stacked: inputs `[E, N, ...]` and labels `[E, N]`."""
        drawn = [self.draw(counts, moved) for _ in range(number)]
        return np.stack([x for x, _ in drawn]), np.stack([y for _, y in drawn])
