"""Drawing that never divides a group: all samples of a group are on one side of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.errors import TaskError
from fsbench.rng import generator

_TRIES = 100


def draw_parts(
    dataset: Dataset,
    orders: Sequence[np.ndarray],
    wanted: np.ndarray,
    complete: Sequence[int],
    seed: int,
    large_first: bool = False,
) -> np.ndarray:
    """The part of each sample, int32 `[N]`: a row of `wanted`, or -1 for samples that are not in `orders`.

    `orders` has each class's samples in a random order; `wanted` `[P, C]` says how many samples of each class
    each part should have, which is exact if there are no groups. Groups of several samples are placed first,
    in a random order, so that each is tested in some splits, and in the part that still needs most of it.
    With `large_first`, and in every second try, large groups come before small ones, as in scikit-learn's
    StratifiedGroupKFold: parts are then of more equal sizes, but those of large groups hardly depend on the
    seed. Up to a hundred orders are tried, until the parts in `complete` have a sample of every class that
    they should have. Raises TaskError if none of them works.
    """
    for attempt in range(_TRIES):
        part = np.full(len(dataset.y), -1, dtype=np.int32)
        left = wanted.copy()
        if dataset.groups is not None:
            sort = (attempt % 2 == 0) == large_first
            _place_groups(dataset, orders, part, left, wanted, attempt, seed, sort)
        _place_singles(orders, part, left)
        found = [np.bincount(dataset.y[part == place], minlength=len(orders)) for place in complete]
        if not (wanted[[*complete]] > 0)[np.array(found) == 0].any():
            return part
    raise TaskError(
        f"{dataset.info.text}: no split was found in which training and test have every class and no group "
        "is divided; one group has too many samples of a class"
    )


def draw_test(dataset: Dataset, room: Sequence[int], seed: int) -> np.ndarray:
    """Whole groups for the test as a mask bool `[N]`, with at most `room` samples of each class.

    Raises TaskError if all groups of a class are larger.
    """
    assert dataset.groups is not None, "samples without groups are drawn by class"
    left = np.array(room)
    order = generator("test groups", dataset.fingerprint, seed).permutation(dataset.groups.max() + 1)
    table = _class_table(dataset, np.arange(len(dataset.y)))
    taken = np.zeros(len(table), dtype=bool)
    for group in order:
        taken[group] = (table[group] <= left).all()
        left -= table[group] * taken[group]
    test: np.ndarray = taken[dataset.groups]
    missing = np.flatnonzero(left == np.array(room))
    if len(missing):
        raise TaskError(
            f"{dataset.info.text}: class {dataset.info.classes[missing[0]]!r} has no group of at most "
            f"{room[missing[0]]} samples for the test; use holdout({dataset.info.text}), which allows "
            "larger groups"
        )
    return test


def _class_table(dataset: Dataset, index: np.ndarray) -> np.ndarray:
    """The number of samples of each group and class, `[G, C]`."""
    assert dataset.groups is not None
    table = np.zeros((int(dataset.groups.max()) + 1, dataset.info.num_classes), dtype=np.int64)
    np.add.at(table, (dataset.groups[index], dataset.y[index]), 1)
    return table


def _place_groups(
    dataset: Dataset,
    orders: Sequence[np.ndarray],
    part: np.ndarray,
    left: np.ndarray,
    wanted: np.ndarray,
    attempt: int,
    seed: int,
    large_first: bool,
) -> None:
    """Give every group of several samples a part; writes `part`, and what is still wanted to `left`."""
    assert dataset.groups is not None
    free = np.concatenate(orders)
    table = _class_table(dataset, free)
    sizes = table.sum(1)
    order = generator("group order", dataset.fingerprint, seed, attempt).permutation(len(sizes))
    order = order[sizes[order] > 1]
    if large_first:
        order = order[np.argsort(-sizes[order], kind="stable")]
    home = np.full(len(sizes), -1, dtype=np.int32)
    for group in order:
        share = (table[group] * left / np.maximum(wanted, 1)).sum(1).round(9).tolist()
        count = (table[group] * left).sum(1).tolist()
        # In a random order, a large group may come late, when it would more than fill a small part.
        fits = np.zeros(len(left), dtype=bool) if large_first else (table[group] <= left).all(1)
        home[group] = max(range(len(left)), key=lambda place: (fits[place], share[place], count[place]))
        left[home[group]] -= table[group]
    part[free] = home[dataset.groups[free]]


def _place_singles(orders: Sequence[np.ndarray], part: np.ndarray, left: np.ndarray) -> None:
    """Fill the parts with the samples that have none yet, from the last part to the first."""
    for label, order in enumerate(orders):
        rest = order[part[order] < 0]
        for place in reversed(range(len(left))):
            taken = max(0, int(left[place, label]))
            part[rest[:taken]] = place
            rest = rest[taken:]
        part[rest] = 0
