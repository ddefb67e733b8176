"""Features that give the answer away: a column that is a copy of the target, or made from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fsbench.own.samples import printable, some

_CHANCE = 1e-3


def copies_of_target(
    x: np.ndarray,
    columns: Sequence[int],
    y: np.ndarray,
    names: Sequence[str],
    groups: np.ndarray | None = None,
) -> list[str]:
    """The names of the columns of `x` `[N, F]` that alone tell the class `y` `[N]` of every sample.

    A column does if each of its values, or each interval between values, belongs to one class, and if random
    labels would do this in none of the columns with a probability of 0.999. The samples of a group, of
    `groups` `[N]`, count once: they often share values and class.
    """
    once = np.arange(len(y)) if groups is None else np.unique(groups, return_index=True)[1]
    limit = math.log(_CHANCE / x.shape[1])
    categories = columns or (0,) * x.shape[1]
    return [
        name
        for name, column, count in zip(names, x.T, categories, strict=True)
        if _luck(column, count > 0, y, once) < limit
    ]


def warn_of_copies(names: Sequence[str], remarks: list[str]) -> None:
    """Add a warning about columns that give the answer away, if there are any."""
    if names:
        shown = some([repr(printable(name)) for name in names])
        one = f"column {shown} alone tells the class of every sample: if it is"
        several = f"columns {shown} each tell the class of every sample alone: if they are"
        remarks.append(
            f"{one if len(names) == 1 else several} made from the target, or known only when the class is, "
            "leave " + ("it out" if len(names) == 1 else "them out")
        )


def _luck(column: np.ndarray, categorical: bool, y: np.ndarray, once: np.ndarray) -> float:
    """The logarithm of the probability that random labels of the samples `once` are told as `y` is.

    It is 0 if a column does not tell the class of every sample.
    """
    column = np.where(np.isnan(column), np.inf, column)
    values, place = np.unique(column, return_inverse=True)
    lowest, highest = np.full(len(values), y.max()), np.zeros(len(values), dtype=y.dtype)
    np.minimum.at(lowest, place, y)
    np.maximum.at(highest, place, y)
    if (lowest != highest).any():
        return 0.0
    classes, counts = len(np.unique(y)), np.bincount(y[once])
    rare = sum(math.lgamma(count + 1) for count in counts) - math.lgamma(len(once) + 1)
    if not categorical and int((np.diff(lowest) != 0).sum()) + 1 == classes:
        return math.lgamma(classes + 1) + rare
    return len(np.unique(place[once])) * math.log(classes) + rare
