"""Small datasets in memory, and names that are registered during a check."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DATASETS, DatasetEntry
from fsbench.kinds import get_kind
from fsbench.rng import generator
from fsbench.sorts import Sort

CLASSES, PER_CLASS, EVALUATION = 10, 200, 6


def toy_dataset(
    name: str, kind: str = "table", tested: bool = False, classes: int = CLASSES, grouped: bool = False
) -> Dataset:
    """A dataset of well separated classes with 200 samples each; the last 6 of 10 are for test episodes.

    With `tested`, a fifth of each class is the dataset's own test part. With fewer than 10 classes, none is
    for test episodes. With `grouped`, every two samples of a class belong together.
    """
    rng, of_kind = generator("toy dataset", name, kind), get_kind(kind)
    y = np.repeat(np.arange(classes, dtype=np.int64), PER_CLASS)
    centres = np.stack([of_kind.toy_centre(rng) for _ in range(classes)])
    x = of_kind.toy_samples(centres[y], 0.0, rng)
    info = DatasetInfo(
        text=name,
        description="a toy",
        kind=kind,
        shape=x.shape[1:],
        classes=tuple(f"class {number}" for number in range(classes)),
        class_counts=(PER_CLASS,) * classes,
        licence="none",
        citation="none",
        evaluation_classes=tuple(range(CLASSES - EVALUATION, classes)) if classes == CLASSES else (),
        test_counts=(PER_CLASS // 5,) * classes if tested else (),
        grouped=grouped,
    )
    test, groups = np.arange(len(y)) % 5 == 0, np.arange(len(y), dtype=np.int64) // 2
    return Dataset(info, x, y, test if tested else None, groups if grouped else None)


@contextlib.contextmanager
def toy_datasets(
    names: tuple[str, ...], kind: str, tested: bool = False, classes: int = CLASSES, grouped: bool = False
) -> Iterator[None]:
    """Toy datasets of these names, inside."""
    with contextlib.ExitStack() as stack:
        for name in names:
            dataset = toy_dataset(name, kind, tested, classes, grouped)
            entry = DatasetEntry(
                name,
                lambda text, d=dataset: d.info,
                lambda info, d=dataset: d,
                added=dataset,
            )
            stack.enter_context(registered(DATASETS, name, entry))
        yield


@contextlib.contextmanager
def registered(sort: Sort[Any], name: str, thing: object) -> Iterator[None]:
    """Inside, a thing is registered under its name; afterwards, the previous entry is restored."""
    before = dict(sort.added)
    sort.added[name] = thing
    try:
        yield
    finally:
        sort.added.clear()
        sort.added.update(before)
