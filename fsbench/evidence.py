"""What is stored beside the records for reports: what was drawn, and how each sample was predicted."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fsbench.looks import Look
from fsbench.provenance import Provenance, Verification
from fsbench.types import DatasetInfo

_LEVELS, _LARGEST_SCALE, _SCALE = 127, 1e30, 8
LARGEST_INFLUENCE = 100 * _LARGEST_SCALE
"""The largest influence of a test sample that can be stored: float32 has to hold it."""
_PARTS = ("train", "val", "test", "test_y", "unlabeled", "source")
_SORTED = ("unlabeled", "source")
_LENGTH = struct.Struct("<I")
_LARGEST = 512 << 20
_MOST_DATASETS = 16
_DAMAGE = (
    ValueError,
    struct.error,
    KeyError,
    TypeError,
    AttributeError,
    MemoryError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The samples of a split, and the labels of its test part; never given to a worker.

    The parts hold ids of samples, int64: the number of a sample in its dataset plus 2**32 times the place of
    the dataset in `datasets`, which has texts such as `mnist5k(size=8)`. `train`, `val` and `test` are `[E,
    N]` in the order in which workers get the samples; `unlabeled` and `source` are sorted, `[N]`, and empty
    where a task has none. `test_y` `[E, M]` has the test labels. `marks` has the beginning of the fingerprint
    of each dataset that is a user's own, as other data may have its name, and "" of the others; it may be
    empty.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    test_y: np.ndarray
    unlabeled: np.ndarray
    source: np.ndarray
    datasets: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """As bytes that do not depend on the machine: shapes and texts in JSON, then numbers, all zipped."""
        arrays = {name: getattr(self, name) for name in _PARTS}
        # Sorted numbers become a row of ones, which takes no space.
        arrays |= {name: np.diff(arrays[name], prepend=0) for name in _SORTED}
        shapes = {name: array.shape for name, array in arrays.items()}
        marks = {"marks": self.marks} if any(self.marks) else {}
        header = json.dumps({"shapes": shapes, "datasets": self.datasets, **marks}).encode()
        numbers = [array.astype("<i8").tobytes() for array in arrays.values()]
        return zlib.compress(b"".join([_LENGTH.pack(len(header)), header, *numbers]), level=6)

    @classmethod
    def unpack(cls, data: bytes) -> Drawn:
        """Read what `pack` wrote. Raises ValueError for anything else."""
        try:
            found = _read_parts(unzip(data, _LARGEST))
        except _DAMAGE as error:
            raise ValueError(f"not the parts of a split ({error})") from error
        found |= {name: np.cumsum(found[name]) for name in _SORTED}
        return cls(**found)

    def check(self) -> None:
        """Raise ValueError for numbers that cannot be ids of samples or labels."""
        places = len(self.datasets) or _MOST_DATASETS
        for name in _PARTS:
            part, axes = getattr(self, name), 1 if name in _SORTED else 2
            if part.dtype != np.int64 or part.ndim != axes or not ((part >= 0) & (part < places << 32)).all():
                raise ValueError(f"not the parts of a split ({name} has other numbers)")
        if self.test.shape != self.test_y.shape or not self.test.size:
            raise ValueError("not the parts of a split (test is empty, or not as large as its labels)")


def unzip(data: bytes, most: int) -> bytes:
    """What zlib compressed. Raises ValueError for anything else, and for more than `most` bytes."""
    unpacker = zlib.decompressobj()
    try:
        whole = unpacker.decompress(data, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacker.eof:
        raise ValueError(f"cut off, or more than {most} bytes unpacked")
    return whole


def _read_parts(whole: bytes) -> dict[str, Any]:
    """The fields of what `Drawn.pack` writes."""
    (length,) = _LENGTH.unpack_from(whole)
    first = _LENGTH.size + length
    header, numbers = json.loads(whole[_LENGTH.size : first]), np.frombuffer(whole, "<i8", offset=first)
    shapes = [tuple(map(int, header["shapes"][name])) for name in _PARTS]
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) != len(numbers) or min(map(min, filter(None, shapes)), default=0) < 0:
        raise ValueError(f"{len(numbers)} numbers, for shapes {shapes}")
    parts = np.split(numbers.astype(np.int64), np.cumsum(sizes)[:-1])
    found: dict[str, Any] = {
        name: part.reshape(shape) for name, part, shape in zip(_PARTS, parts, shapes, strict=True)
    }
    texts = {name: tuple(map(str, header.get(name, ()))) for name in ("datasets", "marks")}
    return found | texts


Influences = Callable[[str, Sequence[str]], Mapping[str, np.ndarray]]
"""The stored influences of some trials on a metric, given its name and the keys: float32 `[E * M]` by key."""


Predictions = Callable[[Sequence[str]], Iterator[tuple[str, np.ndarray]]]
"""The stored predictions of some trials, given the keys: each key with logits float32 `[E, M, C]`."""


def _none(metric: str, keys: Sequence[str]) -> Mapping[str, np.ndarray]:
    return {}


def _nothing(keys: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    return iter(())


@dataclass(frozen=True)
class Evidence:
    """What was drawn, by split fingerprint, the influence of each test sample on each metric, and logits.

    `looks` are those at results that were still being collected (`fsbench.looks`), and `own` is what is known
    about users' own data, by its name. Of a published file, which has neither, `provenance` says where its
    records come from, and `verified` who ran some of the trials again.
    """

    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    influences: Influences = _none
    looks: tuple[Look, ...] = ()
    predictions: Predictions = _nothing
    provenance: tuple[Provenance, ...] = ()
    verified: tuple[Verification, ...] = ()
    own: Mapping[str, DatasetInfo] = field(default_factory=dict)


def pack_influence(values: np.ndarray) -> bytes:
    """Influences (any shape) as a scale, float64, and one signed byte for each sample.

    Rounding to 1/127 of the largest value adds less to a variance than one sample in a hundred thousand. The
    scale has 16 binary digits, so that float32 has its multiples and what is read is packed alike again.
    """
    mantissa, exponent = math.frexp(float(np.abs(values).max(initial=0.0)) / _LEVELS)
    scale = math.ldexp(math.ceil(mantissa * 2**16), exponent - 16)
    steps = np.rint(values.ravel() / scale).clip(-_LEVELS, _LEVELS) if scale else np.zeros(values.size)
    return struct.pack("<d", scale) + steps.astype(np.int8).tobytes()


def unpack_influences(blobs: Sequence[bytes]) -> list[np.ndarray]:
    """Read what `pack_influence` wrote: float32 `[E * M]` each. Raises ValueError for anything else."""
    found: list[np.ndarray] = [np.zeros(0, np.float32)] * len(blobs)
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, blob in enumerate(blobs):
        by_length[len(blob)].append(place)
    if min(by_length, default=_SCALE) < _SCALE:
        raise ValueError("not the influences of test samples (too short)")
    for length, places in by_length.items():
        whole = np.frombuffer(b"".join([blobs[place] for place in places]), np.int8).reshape(-1, length)
        scales = whole[:, :_SCALE].copy().view("<f8")
        if not ((scales >= 0) & (scales < _LARGEST_SCALE)).all():
            raise ValueError(f"not the influences of test samples (in steps of {scales.max()})")
        values = whole[:, _SCALE:].astype(np.float32) * scales.astype(np.float32)
        for place, each in zip(places, values, strict=True):
            found[place] = each
    return found
