"""Published predictions: a file with a line for each trial, and their digests, which stand beside records."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fsbench.errors import StoreError
from fsbench.evidence import Evidence, unzip
from fsbench.report.lines import read_texts, replace_lines

_LARGEST = 512 << 20


def digest(logits: np.ndarray) -> str:
    """32 hexadecimal digits of a SHA-256 over the shape and the values of logits, float32."""
    whole = json.dumps(logits.shape).encode() + logits.astype("<f4").tobytes()
    return hashlib.sha256(whole).hexdigest()[:32]


def write_predictions(keys: Sequence[str], evidence: Evidence, path: Path) -> None:
    """Write the logits of some trials, a line for each: key, shape, and float32 zipped, in base64."""
    replace_lines(path, (_line(key, logits) for key, logits in evidence.predictions(keys)))


def read_predictions(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The keys and logits float32 `[E, M, C]` of a file. Raises StoreError, which names the line at fault."""
    for number, text in read_texts(path):
        try:
            values = json.loads(text)
            data = unzip(base64.b64decode(values["logits"], validate=True), _LARGEST)
            shape = tuple(map(int, values["shape"]))
            if min(shape, default=0) < 0 or 4 * math.prod(shape) != len(data):
                raise ValueError(f"{len(data)} bytes for the shape {list(shape)}")
            yield str(values["trial"]), np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise StoreError(f"{path}, line {number} has no predictions ({str(error)[:200]})") from error


def _line(key: str, logits: np.ndarray) -> str:
    packed = base64.b64encode(zlib.compress(logits.astype("<f4").tobytes())).decode()
    return json.dumps({"trial": key, "shape": logits.shape, "logits": packed}, sort_keys=True)
