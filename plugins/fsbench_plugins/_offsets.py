"""The search for offsets of logits with which decisions are best by a metric."""

from __future__ import annotations

import numpy as np

_ROUNDS, _MOST_CANDIDATES = 2, 100


def best_offsets(logits: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """Offsets float64 `[C]` with which the classes of logits `[N, C]` agree best with labels `[N]`."""
    classes = logits.shape[1]
    offsets = np.zeros(classes)
    for _ in range(1 if classes == 2 else _ROUNDS):
        for label in range(1, 2) if classes == 2 else range(classes):
            offsets[label] = _best_offset(logits + offsets, y, label, metric) + offsets[label]
    return offsets


def _best_offset(logits: np.ndarray, y: np.ndarray, label: int, metric: str) -> float:
    """What to add to the logits of one class; of equally good numbers, the one nearest to zero."""
    lead = np.delete(logits, label, axis=1).max(1) - logits[:, label]
    edges = np.unique(lead)
    between = (edges[1:] + edges[:-1]) / 2
    if len(between) > _MOST_CANDIDATES:
        between = np.quantile(between, np.linspace(0, 1, _MOST_CANDIDATES))
    candidates = np.concatenate([[0.0], between, [edges[0] - 1, edges[-1] + 1]])
    candidates = candidates[np.argsort(np.abs(candidates), kind="stable")]
    moved = np.repeat(logits[None], len(candidates), axis=0)
    moved[:, :, label] += candidates[:, None]
    scores = [score(y, found, logits.shape[1], metric) for found in moved.argmax(2)]
    return float(candidates[int(np.argmax(np.round(scores, 12)))])


def score(y: np.ndarray, found: np.ndarray, classes: int, metric: str) -> float:
    """`accuracy`, `balanced_accuracy` or `macro_f1` of classes `[N]` over the classes that occur in `y`."""
    hits = np.bincount(y[y == found], minlength=classes)
    true, said = np.bincount(y, minlength=classes), np.bincount(found, minlength=classes)
    occurs = true > 0
    if metric == "accuracy":
        return float(hits.sum() / len(y))
    if metric == "macro_f1":
        return float((2 * hits[occurs] / (true + said)[occurs]).mean())
    return float((hits[occurs] / true[occurs]).mean())
