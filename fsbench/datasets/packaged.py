"""Tables of numbers that come inside scikit-learn, read without importing it, which takes a second."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np


def read_labelled(name: str, header: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The features, float64 `[N, F]`, and the labels, int64 `[N]`, of a file of scikit-learn's.

    Labels are in the last column; `header` lines come first. Raises ImportError without scikit-learn.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ImportError("scikit-learn is not installed")
    numbers = np.loadtxt(
        Path(found.origin).parent / "datasets" / "data" / name, delimiter=",", skiprows=header
    )
    return numbers[:, :-1], numbers[:, -1].astype(np.int64)
