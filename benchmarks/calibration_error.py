"""Which estimator of the calibration error to use: three of them on simulated predictions.

    python benchmarks/calibration_error.py [--parts 2000]

A predictor of five classes is right about its probabilities, or has its logits multiplied by 1.3 or by 2.
For test parts of 70 and of 500 samples, a line shows the mean of each estimate, and how well it tells the
last two predictors from the first: the difference of the means in standard deviations.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from fsbench.metrics.calibration import squared_calibration_error

FACTORS = (1.0, 1.3, 2.0)


def plug_in(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Absolute gaps over 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017)."""
    return _gap(confidence, correct, np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14))


def sweep(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Absolute gaps over the most bins of equal size with rising accuracies (Roelofs et al. 2022)."""
    rank = np.argsort(np.argsort(confidence))
    best = rank * 0
    for bins in range(2, len(rank) + 1):
        place = rank * bins // len(rank)
        if (np.diff(np.bincount(place, correct) / np.bincount(place)) < 0).any():
            break
        best = place
    return _gap(confidence, correct, best)


def debiased(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The squared error that fsbench reports (Kumar et al. 2019)."""
    return squared_calibration_error(confidence, correct) or 0.0


def simulated(samples: int, parts: int, factor: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Confidences `[samples]`, and whether the predicted class was the true one, of some test parts."""
    rng = np.random.default_rng(0)
    for _ in range(parts):
        logits = 2 * rng.normal(size=(samples, 5))
        y = (_softmax(logits).cumsum(1) > rng.random((samples, 1))).argmax(1)
        yield _softmax(factor * logits).max(1), (logits.argmax(1) == y).astype(float)


def line(estimate: Callable[[np.ndarray, np.ndarray], float], samples: int, parts: int) -> str:
    """What an estimator gives for test parts of a size."""
    found = [np.array([estimate(*part) for part in simulated(samples, parts, f)]) for f in FACTORS]
    first = found[0]
    means = ", ".join(f"{each.mean():+.4f}" for each in found)
    told = ", ".join(
        f"{(each.mean() - first.mean()) / np.sqrt(each.var() + first.var()):.2f}" for each in found[1:]
    )
    return f"{samples} samples, {estimate.__name__}: means {means}; told apart by {told}"


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits)
    return np.asarray(p / p.sum(1, keepdims=True))


def _gap(confidence: np.ndarray, correct: np.ndarray, place: np.ndarray) -> float:
    return float(np.abs(np.bincount(place, confidence - correct)).sum() / len(place))


def main() -> None:
    """Print a line for each estimator and each size of a test part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", type=int, default=2000)
    parts = parser.parse_args().parts
    for samples in (70, 500):
        for estimate in (plug_in, sweep, debiased):
            print(line(estimate, samples, parts), flush=True)


if __name__ == "__main__":
    main()
