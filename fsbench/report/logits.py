"""Published predictions: a file with a line for each trial, and their digests, which stand beside records."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.errors import StoreError
from fsbench.evidence import Evidence, unzip
from fsbench.report.lines import read_texts, replace_lines

ENDING = "-predictions.jsonl"
_LARGEST = 512 << 20
_MOST_CLASSES = 2000


def beside(path: Path) -> Path:
    """Where the predictions of a published file are: `NAME-predictions.jsonl` in its folder."""
    return path.with_name(f"{path.stem}{ENDING}")


def digest(logits: np.ndarray) -> str:
    """32 hexadecimal digits of a SHA-256 over the shape and the values of logits, float32."""
    whole = json.dumps(logits.shape).encode() + logits.astype("<f4").tobytes()
    return hashlib.sha256(whole).hexdigest()[:32]


def could_predict(logits: np.ndarray, labels: np.ndarray) -> bool:
    """Whether these can be logits `[E, M, C]` of samples with these labels `[E, M]`."""
    if logits.ndim != 3 or logits.shape[:2] != labels.shape:
        return False
    return bool(labels.max(initial=0) < logits.shape[2] <= _MOST_CLASSES)


def write_predictions(keys: Sequence[str], evidence: Evidence, path: Path) -> None:
    """Write the logits of some trials, a line for each: key, shape, and float32 zipped, in base64."""
    replace_lines(path, (_line(key, logits) for key, logits in evidence.predictions(keys)))


class PublishedPredictions:
    """The predictions in a file of `write_predictions`, found by the keys of their trials.

    The file is read once to find the lines. Raises StoreError, which names the line at fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, keys: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
        """The keys of some trials with their logits float32 `[E, M, C]`, as far as the file has them."""
        found = [(key, *self._places[key]) for key in keys if key in self._places]
        try:
            with self.path.open("rb") as file:
                for key, number, first in found:
                    file.seek(first)
                    with self._fault(number):
                        logits = _unpack(json.loads(file.readline()))
                    yield key, logits
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror}") from error

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """By key, the number and the first byte of a line."""
        found: dict[str, tuple[int, int]] = {}
        for number, first, text in read_texts(self.path):
            with self._fault(number):
                other, _ = found.setdefault(str(json.loads(text)["trial"]), (number, first))
                if other != number:
                    raise ValueError(f"the trial of line {other} again")
        return found

    @contextmanager
    def _fault(self, number: int) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise StoreError(
                f"{self.path}, line {number} has no predictions ({str(error)[:200]}); fetch it again or "
                "remove it"
            ) from error


def _unpack(line: dict[str, Any]) -> np.ndarray:
    """The logits of a line. Raises ValueError, TypeError or KeyError for what `_line` did not write."""
    data = unzip(base64.b64decode(line["logits"], validate=True), _LARGEST)
    shape = tuple(map(int, line["shape"]))
    if min(shape, default=0) < 0 or 4 * math.prod(shape) != len(data):
        raise ValueError(f"{len(data)} bytes for the shape {list(shape)}")
    logits = np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
    if not np.isfinite(logits).all():
        raise ValueError("logits that are not finite")
    return logits


def _line(key: str, logits: np.ndarray) -> str:
    packed = base64.b64encode(zlib.compress(logits.astype("<f4").tobytes())).decode()
    return json.dumps({"trial": key, "shape": logits.shape, "logits": packed}, sort_keys=True)
