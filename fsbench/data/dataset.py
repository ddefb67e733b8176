"""What a dataset is: what is known of it without loading it, and its arrays with their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fsbench.errors import DataError
from fsbench.types import Modality


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a dataset before it is loaded; loading checks the data against it.

    `text` is the canonical expression (`mnist5k(size=8)`). `classes` names the classes in the order
    of their numbers and `class_counts` says how many samples each has. `symmetries` are those of
    `TaskInfo`. `evaluation_classes` are the numbers of the classes that are set aside for the
    episodes of the test; the others are for meta-training.
    """

    text: str
    description: str
    modality: Modality
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    licence: str
    citation: str
    symmetries: frozenset[str] = frozenset()
    evaluation_classes: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The name without arguments: `mnist5k`."""
        return self.text.partition("(")[0]

    @property
    def n(self) -> int:
        """The number of samples."""
        return sum(self.class_counts)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded dataset, read-only: `x` uint8 `[N, C, H, W]` or float32 `[N, F]`, `y` int64 `[N]`.

    `fingerprint` is a SHA-256 over the arrays, their types and their shapes: equal on every machine
    if and only if the data are. Raises DataError when the arrays are not what `info` says.
    """

    info: DatasetInfo
    x: np.ndarray
    y: np.ndarray
    fingerprint: str = ""

    def __post_init__(self) -> None:
        _check(self.info, self.x, self.y)
        object.__setattr__(self, "fingerprint", digest([self.x, self.y]))
        for array in (self.x, self.y):
            array.flags.writeable = False


def digest(arrays: Iterable[np.ndarray], *texts: str) -> str:
    """SHA-256 in hexadecimal over texts and arrays: type, shape and little-endian bytes of each."""
    sha = hashlib.sha256("\x1f".join(texts).encode())
    for array in arrays:
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        sha.update(f"\x1f{little.dtype.str}{little.shape}\x1f".encode())
        sha.update(little.data)
    return sha.hexdigest()


def _check(info: DatasetInfo, x: np.ndarray, y: np.ndarray) -> None:
    dtype = np.dtype(np.uint8 if info.modality == "image" else np.float32)
    if x.dtype != dtype or x.shape != (info.n, *info.shape):
        raise DataError(
            f"{info.text}: loaded {x.dtype} {list(x.shape)}, expected {dtype} {[info.n, *info.shape]}; "
            "the package that it comes from has other data than fsbench knows"
        )
    if y.dtype != np.int64 or y.shape != (info.n,) or y.min() < 0:
        raise DataError(f"{info.text}: labels are {y.dtype} {list(y.shape)}, expected int64 [{info.n}]")
    counts = np.bincount(y, minlength=info.num_classes)
    if counts.tolist() != list(info.class_counts):
        raise DataError(
            f"{info.text}: the classes have {counts.tolist()} samples, expected {list(info.class_counts)}"
        )
    if not np.isfinite(x).all():
        raise DataError(f"{info.text}: some values are NaN or infinite")
