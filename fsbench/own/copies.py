"""Features that give the answer away: a column made from the target, or missing in one class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fsbench.own.samples import Samples, columns_named

_CHANCE = 1e-3


def copies_of_target(
    x: np.ndarray,
    columns: Sequence[int],
    y: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray | None = None,
) -> list[str]:
    """The names of the columns of `x` `[N, F]` that alone tell the class `y` `[N]` where they have a value.

    A column does if each of its values, or each interval between values, belongs to one class, and if random
    labels would do this in none of the columns with a probability of 0.999. The samples of a group, of
    `groups` `[N]`, count once: they often share values and class.
    """
    groups = np.arange(len(y)) if groups is None else groups
    limit = math.log(_CHANCE / x.shape[1])
    categories = columns or (0,) * x.shape[1]
    return [
        name
        for name, column, count in zip(names, x.T, categories, strict=True)
        if _luck(column, count > 0, y, groups) < limit
    ]


def gaps_by_class(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None = None
) -> dict[int, list[str]]:
    """The names of the columns that are missing in all samples of one class and in no other, by that class.

    They are found under the same condition as those of `copies_of_target`.
    """
    once = np.arange(len(y)) if groups is None else np.unique(groups, return_index=True)[1]
    limit, counts = math.log(_CHANCE / x.shape[1]), np.bincount(y[once], minlength=int(y.max()) + 1)
    gaps = np.isnan(x)
    some_gaps = np.flatnonzero(gaps.any(0))
    found: dict[int, list[str]] = {}
    for label, count in enumerate(counts.tolist()):
        rare = math.lgamma(count + 1) + math.lgamma(len(once) - count + 1) - math.lgamma(len(once) + 1)
        columns = some_gaps[(gaps[:, some_gaps] == (y == label)[:, None]).all(0)]
        if len(columns) and math.log(len(counts)) + rare < limit:
            found[label] = [names[column] for column in columns.tolist()]
    return found


def warn_of_copies(samples: Samples) -> None:
    """Warn of columns of a table that give the answer away, by their values or by where they have none."""
    x, y, names = samples.x, samples.y, samples.features
    if copies := copies_of_target(x, samples.columns, y, names, samples.groups):
        gaps = np.isnan(x[:, [name in copies for name in names]]).any()
        sample = "sample that has a value there" if gaps else "sample"
        alone = "alone tells" if len(copies) == 1 else "each alone tell"
        it_is, it = ("it is", "it") if len(copies) == 1 else ("they are", "them")
        samples.warnings.append(
            f"{columns_named(copies)} {alone} the class of every {sample}: if {it_is} "
            f"made from the target, or known only when the class is, leave {it} out"
        )
    for label, columns in gaps_by_class(x, y, names, samples.groups).items():
        is_, it_is, it = ("is", "it is", "it") if len(columns) == 1 else ("are", "they are", "them")
        samples.warnings.append(
            f"{columns_named(columns)} {is_} missing in every sample of class {samples.classes[label]!r} and "
            f"in no other: if {it_is} known only when the class is, leave {it} out"
        )


def _luck(column: np.ndarray, categorical: bool, y: np.ndarray, groups: np.ndarray) -> float:
    """The logarithm of the probability that random labels, one for each group, are told as `y` is.

    Only samples with a value count. It is 0 if the column does not tell the class of each of them.
    """
    known = ~np.isnan(column)
    column, groups, y = column[known], groups[known], np.unique(y[known], return_inverse=True)[1]
    values, place = np.unique(column, return_inverse=True)
    classes = len(np.unique(y))
    lowest, highest = np.full(len(values), classes), np.zeros(len(values), dtype=y.dtype)
    np.minimum.at(lowest, place, y)
    np.maximum.at(highest, place, y)
    if classes < 2 or (lowest != highest).any():
        return 0.0
    once = np.unique(groups, return_index=True)[1]
    rare = sum(math.lgamma(count + 1) for count in np.bincount(y[once])) - math.lgamma(len(once) + 1)
    if not categorical and int((np.diff(lowest) != 0).sum()) + 1 == classes:
        return math.lgamma(classes + 1) + rare
    return len(np.unique(place[once])) * math.log(classes) + rare
