"""Weights of predictors whose probabilities are averaged."""

from __future__ import annotations

import numpy as np

_LEAST = 1e-12


def mixture_weights(right: np.ndarray, steps: int = 500) -> np.ndarray:
    """Weights float64 `[M]`, not negative and of sum 1, with which M predictors make labels likeliest.

    `right` `[M, N]` are the probabilities that they give to the labels of N samples. The weights are found by
    expectation maximisation (Dempster et al. 1977); without samples they are equal. Raises ValueError if a
    probability is NaN or infinite.
    """
    right = np.maximum(np.asarray(right, dtype=np.float64), _LEAST)
    if not np.isfinite(right).all():
        raise ValueError("a probability is NaN or infinite")
    if right.size == 0:
        return np.full(len(right), 1 / max(len(right), 1))
    weights = np.full((len(right), 1), 1 / len(right))
    for _ in range(steps):
        shares = weights * right
        weights = (shares / shares.sum(0)).mean(1, keepdims=True)
    return np.asarray(weights[:, 0])
