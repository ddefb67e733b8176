"""What is stored beside the records, so that a report can follow what was drawn and how each sample fared."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fsbench.looks import Look

_LEVELS = 127
_PARTS = ("train", "val", "test", "test_y", "unlabeled", "source")


@dataclass(frozen=True, eq=False)
class Drawn:
    """The samples of a split, and the labels of its test part; never given to a worker.

    The parts hold ids of samples, int64: the number of a sample in its dataset plus 2**32 times the place of
    the dataset in `datasets`, which has texts such as `mnist5k(size=8)`. `train`, `val` and `test` are `[E,
    N]` in the order in which workers get the samples; `unlabeled` and `source` are sorted, `[N]`, and empty
    where a task has none. `test_y` `[E, M]` has the test labels.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    test_y: np.ndarray
    unlabeled: np.ndarray
    source: np.ndarray
    datasets: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """As bytes that do not depend on the machine."""
        arrays = {name: getattr(self, name) for name in _PARTS}
        # Sorted numbers become a row of ones, which takes no space.
        arrays |= {name: np.diff(arrays[name], prepend=0) for name in ("unlabeled", "source")}
        buffer = io.BytesIO()
        whole = {name: array.astype("<i8") for name, array in arrays.items()}
        np.savez(buffer, **whole, datasets=np.array(self.datasets, dtype=np.str_))
        return zlib.compress(buffer.getvalue(), level=6)

    @classmethod
    def unpack(cls, data: bytes) -> Drawn:
        """Read what `pack` wrote. Raises ValueError for anything else."""
        try:
            with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in _PARTS}
                datasets = tuple(stored["datasets"].tolist()) if "datasets" in stored else ()
        except (zlib.error, KeyError, EOFError, OSError) as error:
            raise ValueError(f"not the parts of a split ({error})") from error
        arrays |= {name: np.cumsum(arrays[name]) for name in ("unlabeled", "source")}
        return cls(**arrays, datasets=datasets)


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

    `looks` are those at results that were still being collected (`fsbench.looks`).
    """

    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    influences: Influences = _none
    looks: tuple[Look, ...] = ()
    predictions: Predictions = _nothing


def pack_influence(values: np.ndarray) -> bytes:
    """Influences (any shape) as a scale, float64, and one signed byte for each sample.

    Rounding to 1/127 of the largest value adds less to a variance than one sample in a hundred thousand.
    """
    scale = float(np.abs(values).max(initial=0.0)) / _LEVELS
    steps = np.rint(values.ravel() / scale).clip(-_LEVELS, _LEVELS) if scale else np.zeros(values.size)
    return struct.pack("<d", scale) + steps.astype(np.int8).tobytes()


def unpack_influence(data: bytes) -> np.ndarray:
    """Read what `pack_influence` wrote: float32 `[E * M]`."""
    (scale,) = struct.unpack_from("<d", data)
    return np.frombuffer(data, np.int8, offset=8).astype(np.float32) * np.float32(scale)
