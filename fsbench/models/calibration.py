"""Temperature scaling on out-of-fold predictions: changes probabilities, not decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

_LEAST, _MOST = 0.05, 20.0


def fit_temperature(folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
    """The temperature for logits `[N, C]` with labels `[N]` of several folds (Guo et al. 2017).

    It minimises the negative log-likelihood of all of them. Whether that is a gain is found out on each fold
    with the temperature of the others; if it is none, the temperature is 1. Returns the temperature, and the
    mean negative log-likelihood of a held-out sample without and with it.
    """
    sizes = np.array([len(y) for _, y in folds])
    before = float(np.dot(sizes, [_loss(1.0, [fold]) for fold in folds]) / sizes.sum())
    if len(folds) < 2:
        return 1.0, before, before
    others = [[*folds[:i], *folds[i + 1 :]] for i in range(len(folds))]
    losses = [_loss(_best(rest), [fold]) for rest, fold in zip(others, folds, strict=True)]
    after = float(np.dot(sizes, losses) / sizes.sum())
    return (_best(folds), before, after) if after < before else (1.0, before, before)


def _best(folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    # Convex in 1 / T, so it has a single minimum in log T.
    found = minimize_scalar(
        lambda t: _loss(math.exp(t), folds), bounds=(math.log(_LEAST), math.log(_MOST)), method="bounded"
    )
    return math.exp(found.x)


def _loss(temperature: float, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The mean negative log-likelihood of a sample."""
    parts = [
        log_softmax(logits.astype(np.float64) / temperature, axis=1)[np.arange(len(y)), y]
        for logits, y in folds
    ]
    return -float(np.concatenate(parts).mean())
