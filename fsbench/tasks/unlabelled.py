"""Unlabelled inputs of a task: samples that are in no other part, and a dataset's own unlabelled ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.errors import TaskError
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, rows

Wanted: TypeAlias = int | Literal["all"]
"""The argument `unlabeled` of a protocol: how many unlabelled inputs a split has, or `all` there are."""


def count_unlabelled(task: str, wanted: Wanted, room: int) -> int:
    """How many of `room` unlabelled inputs a task gets. Raises TaskError if there are too few."""
    if wanted == "all" and room > 0:
        return room
    if wanted == "all":
        raise TaskError(f"{task}: no sample is left to be unlabelled; leave unlabeled= out")
    if not 0 <= wanted <= room:
        raise TaskError(f"{task}: unlabeled is {wanted}; expected 0 to {room}, or all")
    return wanted


def draw_unlabelled(
    dataset: Dataset, pools: Sequence[np.ndarray], labelled: Sequence[Rows], n: int, seed: int
) -> Rows | None:
    """The first `n` samples of the pools that are not `labelled`, in a random order; None if n is 0.

    The dataset's own unlabelled inputs, numbered after its samples, belong to the pools. The order depends
    only on the data and the seed: fewer inputs are among more, and further labels replace few of them.
    The label of a dataset's own unlabelled input is -1.
    """
    if not n:
        return None
    extra = np.arange(dataset.info.n, dataset.info.n + dataset.info.num_unlabeled)
    order = generator("unlabelled order", dataset.fingerprint, seed).permutation(
        np.concatenate([*pools, extra])
    )
    for part in labelled:
        order = order[~np.isin(order, part.index)]
    index = order[:n]
    known = index < dataset.info.n
    return rows(index, np.where(known, dataset.y[np.where(known, index, 0)], -1))
