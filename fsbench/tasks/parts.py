"""The parts of a split on which a search tries configurations, and all its labels, for the final fit.

None of them contains a test sample of the split, except the part with all labels on which the chosen
configuration is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fsbench.datasets.known import load_dataset
from fsbench.errors import TaskError
from fsbench.rng import generator
from fsbench.tasks.drawing import Rows, Split, cells, group_numbers, join, stack
from fsbench.words import plural

FOLDS = 4
"""The number of folds into which a search divides the labels of a split."""
_NEVER = -1


@dataclass(frozen=True)
class Part:
    """All labels of a split or, with a `fold`, all but those of the fold, which take the place of the test.

    Training and validation labels are put together, unless `keeps_val`, for strategies that use validation
    labels. With `unlabeled`, the unlabelled inputs take the place of the test, and have no labels.
    """

    fold: int | None = None
    keeps_val: bool = False
    unlabeled: bool = False

    def __str__(self) -> str:
        fold = "all labels" if self.fold is None else f"without fold {self.fold}"
        apart = ", validation apart" if self.keeps_val else ""
        return f"{fold}{apart}{', unlabelled inputs' if self.unlabeled else ''}"


def hold_out(split: Split, fold: int, seed: int, datasets: Sequence[str]) -> Split:
    """One round of stratified cross-validation over the training and validation labels of a split.

    The fold takes the place of the test part. Samples of one group stay in one fold. The labels as given are
    dealt out class by class in random order, so that folds differ by at most one sample of a class, even if a
    class has fewer samples than there are folds. Samples without which one class alone would be left to learn
    are in no fold. Raises TaskError if a fold would be empty, or if the split has several cells.
    """
    if len(split.train.y) != 1:
        raise TaskError("a search divides the labels of a split with one cell; this one has several")
    pool, trained = join([cells(split.train)[0], cells(split.val)[0]]), split.train.y.shape[1]
    groups = group_numbers(pool, [load_dataset(text) for text in datasets])
    folds = _deal(pool, groups, seed)
    for number in range(FOLDS):
        folds[(folds == number) & _indispensable(pool.y, folds != number)] = _NEVER
    if len(np.setdiff1d(folds, _NEVER)) < FOLDS:
        raise TaskError(_too_few(len(pool.y), len(np.unique(groups))))
    rest, is_train = folds != fold, np.arange(len(folds)) < trained
    return replace(
        split,
        train=stack([_chosen(pool, rest & is_train)]),
        val=stack([_chosen(pool, rest & ~is_train)]),
        test=stack([_chosen(pool, ~rest)]),
    )


def _too_few(labels: int, units: int) -> str:
    """Why labels cannot be divided into folds; `units` is the number of groups, or of distinct samples."""
    of = "" if units == labels else f" of {plural(units, 'group')} that stay together"
    return (
        f"a search divides the labels into {FOLDS} folds, each with a sample that training can do without; "
        f"there are {plural(labels, 'label')}{of}, which is too few: leave --tune and tuned(...) out"
    )


def without_labels(rows: Rows) -> Rows:
    """Samples with 0 in the place of every label."""
    return Rows(rows.index, np.zeros_like(rows.y), rows.origin)


def _deal(pool: Rows, groups: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each sample, int64 `[N]`: units that stay together are dealt out class by class."""
    units, first, unit_of_each = np.unique(groups, return_index=True, return_inverse=True)
    order = generator("folds of a search", seed, *pool.index.tolist()).permutation(len(units))
    order = order[np.argsort(pool.y[first][order], kind="stable")]
    fold = np.empty(len(units), dtype=np.int64)
    fold[order] = np.arange(len(units)) % FOLDS
    dealt: np.ndarray = fold[unit_of_each]
    return dealt


def _indispensable(y: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The samples `[N]` of the other classes if the `rest` has one class only."""
    left = np.unique(y[rest])
    return y != left[0] if len(left) == 1 else np.zeros(len(y), dtype=bool)


def _chosen(rows: Rows, mask: np.ndarray) -> Rows:
    return Rows(rows.index[mask], rows.y[mask], rows.origin[mask])
