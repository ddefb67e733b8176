"""How well log-odds rank the samples of each class above the others, averaged over classes and cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fsbench.metrics.influence import log_odds, precisions


def auroc(logits: np.ndarray, y: np.ndarray) -> float | None:
    """One-vs-rest area under the ROC curve; None if a class is absent from a cell."""
    return _averaged(_auroc, logits, y)


def auprc(logits: np.ndarray, y: np.ndarray) -> float | None:
    """One-vs-rest area under the precision-recall curve; None if a class is absent from a cell."""
    return _averaged(_auprc, logits, y)


def _averaged(
    of_cell: Callable[[np.ndarray, np.ndarray], float], logits: np.ndarray, y: np.ndarray
) -> float | None:
    classes = np.arange(logits.shape[-1])
    if len(classes) < 2 or not (y[..., None] == classes).any(1).all():
        return None
    scores = log_odds(logits)
    return float(np.mean([of_cell(cell, labels) for cell, labels in zip(scores, y, strict=True)]))


def _auroc(scores: np.ndarray, y: np.ndarray) -> float:
    """One-vs-rest area under the ROC curve, averaged over classes; the usual one for two classes.

    The area is the Mann-Whitney statistic, ties counting half (Hanley & McNeil 1982).
    """
    if scores.shape[1] == 2:
        return _area(scores[:, 1], y == 1)
    return float(np.mean([_area(scores[:, c], y == c) for c in range(scores.shape[1])]))


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def _auprc(scores: np.ndarray, y: np.ndarray) -> float:
    """The average precision of each class against the rest, averaged over classes, also for two classes.

    It does not interpolate between points of the curve (Boyd, Eng & Page 2013).
    """
    return float(np.mean([_average_precision(scores[:, c], y == c) for c in range(scores.shape[1])]))


def _average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """The mean, over the positive samples, of the precision among the samples with at least their score."""
    at_least, hits = precisions(scores, positive)
    return float((hits / at_least)[positive].mean())
