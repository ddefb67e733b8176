"""The search for offsets of logits with which decisions are best by a metric."""

from __future__ import annotations

import numpy as np

_ROUNDS = 2


def best_offsets(logits: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """Offsets float64 `[C]` with which the classes of logits `[N, C]` agree best with labels `[N]`.

    A class that no label names keeps its logit, as nothing is known about it.
    """
    classes, occur = logits.shape[1], np.unique(y)
    offsets = np.zeros(classes)
    if len(occur) == 1:
        return offsets
    for _ in range(1 if classes == 2 else _ROUNDS):
        for label in [1] if classes == 2 else occur:
            offsets[label] += _best_offset(logits + offsets, y, label, metric)
    return offsets


def _best_offset(logits: np.ndarray, y: np.ndarray, label: int, metric: str) -> float:
    """What to add to the logits of one class; of equally good numbers, the one nearest to zero."""
    classes = logits.shape[1]
    others = logits.copy()
    others[:, label] = -np.inf
    lead = others.max(1) - logits[:, label]
    order = np.argsort(lead, kind="stable")
    edges, first = np.unique(lead[order], return_index=True)
    offsets = np.concatenate([[0.0, edges[0] - 1], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1]])
    by_moved = _scores_by_moved(y[order], others[order].argmax(1), label, classes, metric)
    as_it_is = score(y, logits.argmax(1), classes, metric)
    scores = np.round(np.concatenate([[as_it_is], by_moved[first], by_moved[-1:]]), 12)
    best = offsets[scores == scores.max()]
    return float(best[np.abs(best).argmin()])


def _scores_by_moved(y: np.ndarray, without: np.ndarray, label: int, classes: int, metric: str) -> np.ndarray:
    """Scores `[N + 1]` of the decisions `without` a class `[N]` when the first 0, 1, ..., N are for it."""
    eye = np.eye(classes, dtype=np.int64)
    nothing = np.zeros((1, classes), dtype=np.int64)
    right, became_right = eye[y] * (y == without)[:, None], eye[y] * (y == label)[:, None]
    hits = right.sum(0) + np.concatenate([nothing, np.cumsum(became_right - right, axis=0)])
    said = eye[without].sum(0) + np.concatenate([nothing, np.cumsum(eye[label] - eye[without], axis=0)])
    return _scores(hits, np.bincount(y, minlength=classes), said, metric)


def score(y: np.ndarray, found: np.ndarray, classes: int, metric: str) -> float:
    """`accuracy`, `balanced_accuracy` or `macro_f1` of classes `[N]` over the classes that occur in `y`."""
    hits = np.bincount(y[y == found], minlength=classes)
    true, said = np.bincount(y, minlength=classes), np.bincount(found, minlength=classes)
    return float(_scores(hits, true, said, metric))


def _scores(hits: np.ndarray, true: np.ndarray, said: np.ndarray, metric: str) -> np.ndarray:
    """Scores `[...]` of the numbers `[..., C]` of right decisions, labels and decisions of each class."""
    occurs = true > 0
    if metric == "accuracy":
        return np.asarray(hits.sum(-1) / true.sum())
    if metric == "macro_f1":
        return np.asarray((2 * hits / np.maximum(true + said, 1))[..., occurs].mean(-1))
    return np.asarray((hits / np.maximum(true, 1))[..., occurs].mean(-1))
