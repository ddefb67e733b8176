"""A dataset: what is known about it, and its arrays with their fingerprint."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds import get_kind
from fsbench.types import DatasetInfo

__all__ = ["Dataset", "DatasetInfo", "digest"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded dataset, read-only: `x` as its kind stores it, `y` int64 `[N]`.

    `test` and `val` (bool `[N]`) mark the dataset's own test and validation part. `groups` (int64 `[N]`)
    numbers samples that belong together, such as those of one patient. Missing values are NaN in tables with
    `columns`. `variant` distinguishes datasets with equal arrays (by what the user says).
    `fingerprint` is a SHA-256 over the labelled samples, their types and their shapes: equal on every machine
    if and only if they are equal. `unlabeled` `[U, ...]` are further inputs, stored like `x`, for tasks with
    unlabelled inputs; `unlabeled_fingerprint` is a SHA-256 over them, empty without. Raises DataError if the
    arrays do not match `info`.
    """

    info: DatasetInfo
    x: np.ndarray
    y: np.ndarray
    test: np.ndarray | None = None
    groups: np.ndarray | None = None
    val: np.ndarray | None = None
    variant: str = ""
    unlabeled: np.ndarray | None = None
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        get_kind(self.info.kind).check(self.info, self.x)
        _check_unlabeled(self.info, self.unlabeled)
        _check_labels(self.info, self.y)
        more = {"test": self.test, "groups": self.groups, "val": self.val}
        _check_parts(self.info, self.y, more)
        given = {name: array for name, array in more.items() if array is not None}
        columns = (str(self.info.columns),) if self.info.columns else ()
        variant = (self.variant,) if self.variant else ()
        found = digest([self.x, self.y, *given.values()], *given, *columns, *variant)
        object.__setattr__(self, "fingerprint", found)
        for array in (self.x, self.y, *given.values(), self.unlabeled):
            if array is not None:
                array.flags.writeable = False

    @functools.cached_property
    def unlabeled_fingerprint(self) -> str:
        """See the class."""
        return "" if self.unlabeled is None else digest([self.unlabeled], "unlabelled")

    def inputs(self, index: np.ndarray) -> np.ndarray:
        """The stored inputs of some samples, by their numbers; unlabelled ones are numbered from `info.n`."""
        if self.unlabeled is None:
            found: np.ndarray = self.x[index]
            return found
        own = index >= self.info.n
        found = self.x[np.where(own, 0, index)]
        found[own] = self.unlabeled[index[own] - self.info.n]
        return found

    @property
    def nbytes(self) -> int:
        """The size of the inputs in bytes."""
        return self.x.nbytes + (0 if self.unlabeled is None else self.unlabeled.nbytes)

    @functools.cached_property
    def members(self) -> tuple[np.ndarray, ...]:
        """The numbers of each class's samples outside the dataset's own test part, in the dataset's order."""
        kept = np.arange(len(self.y)) if self.test is None else np.flatnonzero(~self.test)
        order = kept[np.argsort(self.y[kept], kind="stable")]
        counts = np.bincount(self.y[kept], minlength=self.info.num_classes)
        return tuple(np.split(order, np.cumsum(counts)[:-1]))


def digest(arrays: Iterable[np.ndarray], *texts: str) -> str:
    """SHA-256 in hexadecimal over texts and arrays: type, shape and little-endian bytes of each."""
    sha = hashlib.sha256("\x1f".join(texts).encode())
    for array in arrays:
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        sha.update(f"\x1f{little.dtype.str}{little.shape}\x1f".encode())
        sha.update(little.data)
    return sha.hexdigest()


def _check_unlabeled(info: DatasetInfo, x: np.ndarray | None) -> None:
    found = 0 if x is None else len(x)
    if found != info.num_unlabeled:
        raise DataError(f"{info.text}: {found} unlabelled inputs, expected {info.num_unlabeled}")
    if x is not None:
        get_kind(info.kind).check(replace(info, class_counts=(found,)), x)


def _check_labels(info: DatasetInfo, y: np.ndarray) -> None:
    if y.dtype != np.int64 or y.shape != (info.n,) or y.min() < 0:
        raise DataError(f"{info.text}: labels are {y.dtype} {list(y.shape)}, expected int64 [{info.n}]")
    counts = np.bincount(y, minlength=info.num_classes)
    if counts.tolist() != list(info.class_counts):
        raise DataError(
            f"{info.text}: the classes have {counts.tolist()} samples, expected {list(info.class_counts)}"
        )


def _check_parts(info: DatasetInfo, y: np.ndarray, parts: Mapping[str, np.ndarray | None]) -> None:
    for name, array in parts.items():
        kind = np.dtype(np.int64 if name == "groups" else np.bool_)
        if array is not None and (array.dtype != kind or array.shape != y.shape):
            raise DataError(
                f"{info.text}: {name} is {array.dtype} {list(array.shape)}, expected {kind} {list(y.shape)}"
            )
    if (parts["groups"] is not None) != info.grouped:
        has = "no groups" if parts["groups"] is None else "groups"
        raise DataError(
            f"{info.text}: it has {has}, and its description says grouped={info.grouped}; expected "
            f"grouped={not info.grouped}"
        )
    for name, counts in (("test", info.test_counts), ("val", info.val_counts)):
        mask = parts[name]
        found = () if mask is None else tuple(np.bincount(y[mask], minlength=info.num_classes).tolist())
        if found != counts:
            raise DataError(
                f"{info.text}: the {name} part has {list(found)} samples of the classes, "
                f"expected {list(counts)}"
            )
