"""Temperature scaling: changes probabilities, not decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax

_LEAST, _MOST = 0.05, 20.0


Fold: TypeAlias = "tuple[np.ndarray, np.ndarray]"
"""Logits `[N, C]` of samples that were not for training, and their labels int64 `[N]`."""


def fit_temperature(folds: Sequence[Fold]) -> tuple[float, float, float]:
    """The temperature for the logits of some folds (Guo et al. 2017).

    It makes the labels most likely. Whether that is a gain is found out on each fold with the temperature of
    the others; if it is none, the temperature is 1. But few labels that are all predicted rightly must not
    give certainty: by Laplace's rule of succession, n of n make the next one right with a probability of
    (n + 1) / (n + C), and the temperature is at least the one with this mean confidence. Returns the
    temperature, and the mean negative log-likelihood of a held-out label without and with it.
    """
    before = -_log_likelihood([1.0] * len(folds), folds)
    if len(folds) < 2:
        return max(1.0, _modest(folds)), before, before
    others = [[*folds[:i], *folds[i + 1 :]] for i in range(len(folds))]
    likeliest = [_likeliest(rest) for rest in others]
    gains = -_log_likelihood(likeliest, folds) < before
    used = [max(t if gains else 1.0, _modest(rest)) for t, rest in zip(likeliest, others, strict=True)]
    found = max(_likeliest(folds) if gains else 1.0, _modest(folds))
    return found, before, -_log_likelihood(used, folds)


def best_temperature(folds: Sequence[Fold]) -> float:
    """The likeliest temperature between 0.05 and 20 that is large enough for the rule of succession."""
    return max(_likeliest(folds), _modest(folds))


def _likeliest(folds: Sequence[Fold]) -> float:
    """The temperature that makes the labels most likely."""
    # Convex in 1 / T, so it has a single minimum in log T.
    found = minimize_scalar(
        lambda t: -_log_likelihood([math.exp(t)] * len(folds), folds),
        bounds=(math.log(_LEAST), math.log(_MOST)),
        method="bounded",
    )
    return math.exp(float(found.x))


def _modest(folds: Sequence[Fold]) -> float:
    """The temperature at which the mean confidence is that of the rule of succession."""
    logits = np.concatenate([logits for logits, _ in folds]).astype(np.float64)
    most = (len(logits) + 1) / (len(logits) + int(logits.shape[1]))

    def excess(t: float) -> float:
        return float(softmax(logits / math.exp(t), axis=1).max(1).mean()) - most

    least, largest = math.log(_LEAST), math.log(_MOST)
    if excess(least) <= 0:
        return _LEAST
    if excess(largest) >= 0:
        return _MOST
    return math.exp(float(brentq(excess, least, largest)))


def _log_likelihood(temperatures: Sequence[float], folds: Sequence[Fold]) -> float:
    """The mean log-likelihood of a label of all folds, each with its temperature."""
    parts = [
        log_softmax(logits.astype(np.float64) / temperature, axis=1)[np.arange(len(y)), y]
        for temperature, (logits, y) in zip(temperatures, folds, strict=True)
    ]
    return float(np.concatenate(parts).mean())
