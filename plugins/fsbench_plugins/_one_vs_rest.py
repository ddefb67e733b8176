"""Calibrated probabilities of each class against the others, by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

from fsbench import Savable
from fsbench_plugins._logits import SMALLEST

UNCHANGED = (-1.0, 0.0)
"""The sigmoid whose probability is the one of the log-odds."""


def fitted(logits: torch.Tensor, y: torch.Tensor, method: Literal["sigmoid", "isotonic"]) -> OneVsRest:
    """The calibration of logits `[N, C]` for labels `[N]`, as `CalibratedClassifierCV` does it.

    A class that no label names, or every one, keeps its probability against the others: labels that are all
    alike say nothing about a curve.
    """
    scores, labels = log_odds(logits), y.cpu().numpy()
    curve = _isotonic if method == "isotonic" else _sigmoid
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    each = [(scores[:, label], (labels == label).astype(int)) for label in classes]
    return OneVsRest([curve(*given) if len(np.unique(given[1])) == 2 else UNCHANGED for given in each])


def _isotonic(scores: np.ndarray, y: np.ndarray) -> Any:
    return IsotonicRegression(out_of_bounds="clip").fit(scores, y)


def _sigmoid(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The numbers (a, b) for scores `[N]` and labels 0 and 1 `[N]`."""
    all_rows = np.arange(len(y))
    theirs = CalibratedClassifierCV(FrozenEstimator(_Given()), cv=[(all_rows, all_rows)], ensemble=False)
    (found,) = theirs.fit(scores, y).calibrated_classifiers_[0].calibrators
    return found.a_, found.b_


def log_odds(logits: torch.Tensor) -> np.ndarray:
    """The logarithm of `p / (1 - p)` for each class, float64 `[N, C]`, of logits `[N, C]`."""
    z = logits.double()
    others = ~torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
    rest = torch.stack([z[:, row].logsumexp(1) for row in others], 1)
    found: np.ndarray = (z - rest).cpu().numpy()
    return found


@dataclass(frozen=True, eq=False)
class OneVsRest(Savable):
    """Logits of calibrated probabilities.

    `curves` has, for each class, the numbers (a, b) of a sigmoid `1 / (1 + exp(a s + b))` or an isotonic
    regression; with two classes, there is one curve, for class 1.
    """

    curves: list[Any]

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits `[N, C]`."""
        p = self.probabilities(log_odds(logits))
        return torch.from_numpy(np.log(np.maximum(p, SMALLEST))).to(logits)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities `[N, C]` of log-odds `[N, C]`; they are uniform where every curve says zero."""
        if len(self.curves) == 1:
            positive = _curve(self.curves[0], scores[:, 1])
            return np.stack([1 - positive, positive], 1)
        each: np.ndarray = np.stack([_curve(c, s) for c, s in zip(self.curves, scores.T, strict=True)], 1)
        total = each.sum(1, keepdims=True)
        uniform = np.full_like(each, 1 / each.shape[1])
        found: np.ndarray = np.divide(each, total, out=uniform, where=total > 0)
        return found


def _curve(curve: Any, scores: np.ndarray) -> np.ndarray:
    """Probabilities `[N]` of scores `[N]`."""
    if isinstance(curve, tuple | list):
        a, b = curve
        return np.asarray(1 / (1 + np.exp(np.clip(a * scores + b, -500, 500))))
    return np.asarray(curve.predict(scores))


class _Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of two classes whose decision function is its input."""

    def __init__(self) -> None:
        self.classes_ = np.arange(2)

    def fit(self, x: Any, y: Any) -> _Given:
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return (x > 0).astype(int)
