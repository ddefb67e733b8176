"""A process that fills a cache of features beside others; light to import."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.engine.feature_cache import FeatureCache

KEYS = [bytes([i // 256, i % 256] * 8) for i in range(300)]


def rows_of(keys: Sequence[bytes]) -> np.ndarray:
    """Made-up features `[N, 3]` for keys."""
    return np.array([[key[0], key[1], 1.5] for key in keys], dtype=np.float32)


def fill(path: Path, barrier: Any, queue: Any) -> None:
    """Ask for everything at once with others; put what this process computed and whether all is right."""
    done: list[bytes] = []

    def compute(keys: Sequence[bytes]) -> np.ndarray:
        time.sleep(0.01)
        done.extend(keys)
        return rows_of(keys)

    barrier.wait()
    found = FeatureCache(path, 3).get(KEYS, compute, 8)
    queue.put((done, all((found[key] == rows_of([key])[0]).all() for key in KEYS)))
