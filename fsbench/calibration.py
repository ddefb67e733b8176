"""Temperature scaling: changes probabilities, not decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

_LEAST, _MOST = 0.05, 20.0


Fold: TypeAlias = "tuple[np.ndarray, np.ndarray]"
"""Logits `[N, C]` of samples that were not for training, and their labels int64 `[N]`."""


def fit_temperature(folds: Sequence[Fold]) -> tuple[float, float, float]:
    """The temperature for the logits of some folds (Guo et al. 2017).

    It minimises the cross-entropy to smoothed labels: by Laplace's rule of succession, n labels that are all
    predicted rightly make the next one right with a probability of (n + 1) / (n + C), so that few labels do
    not give certainty (as in Platt 1999). Whether that is a gain is found out on each fold with the
    temperature of the others; if it is none, the temperature is 1. Returns the temperature, and the mean
    negative log-likelihood of a held-out sample, of its label as it is, without and with it.
    """
    whole = _log_likelihood([1.0] * len(folds), folds)
    if len(folds) < 2:
        return 1.0, -whole, -whole
    others = [best_temperature([*folds[:i], *folds[i + 1 :]]) for i in range(len(folds))]
    smoothing = _smoothing(folds)
    if _log_likelihood(others, folds, smoothing) <= _log_likelihood([1.0] * len(folds), folds, smoothing):
        return 1.0, -whole, -whole
    return best_temperature(folds), -whole, -_log_likelihood(others, folds)


def best_temperature(folds: Sequence[Fold]) -> float:
    """The temperature between 0.05 and 20 with the least cross-entropy to smoothed labels of all folds.

    A fold has the logits `[N, C]` of samples that were not for training, and their labels int64 `[N]`.
    """
    from scipy.optimize import minimize_scalar

    smoothing = _smoothing(folds)
    # Convex in 1 / T, so it has a single minimum in log T.
    found = minimize_scalar(
        lambda t: -_log_likelihood([math.exp(t)] * len(folds), folds, smoothing),
        bounds=(math.log(_LEAST), math.log(_MOST)),
        method="bounded",
    )
    return math.exp(float(found.x))


def _smoothing(folds: Sequence[Fold]) -> float:
    """The share of a label that is spread over all classes."""
    classes = int(folds[0][0].shape[1])
    return classes / (sum(len(y) for _, y in folds) + classes)


def _log_likelihood(temperatures: Sequence[float], folds: Sequence[Fold], smoothing: float = 0.0) -> float:
    """The mean log-likelihood of a label of all folds, each with its temperature."""
    from scipy.special import log_softmax

    parts = []
    for temperature, (logits, y) in zip(temperatures, folds, strict=True):
        found = log_softmax(logits.astype(np.float64) / temperature, axis=1)
        parts.append((1 - smoothing) * found[np.arange(len(y)), y] + smoothing * found.mean(1))
    return float(np.concatenate(parts).mean())
