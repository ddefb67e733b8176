"""The influence of each test sample on a metric: about what leaving the sample out takes from the value.

To first order, the variance of a metric over independent test samples is the sum of squares of its
influences, and the covariance of two results on common test samples is the sum of their products (Hampel
1974, "The influence curve and its role in robust estimation"). Where few samples share a class, it matters
that a sample is compared with the others of its class and not also with itself, which hides a part of the
variance: the jackknife (Efron & Stein 1981, "The jackknife estimate of variance"). All functions take logits
`[E, M, C]` and labels `[E, M]` and return float64 `[E, M]`; each cell's influences add up to zero.
"""

from __future__ import annotations

import math

import numpy as np

# How far rounding can tell equal log-odds apart: votes of a hundred trees, with float32 logits, by 2e-5.
_DIGITS = 4


def of_mean(values: np.ndarray) -> np.ndarray:
    """The influences on the mean of one value per sample, `[E, M]`, averaged over cells."""
    influence: np.ndarray = (values - values.mean(1, keepdims=True)) / values.size
    return influence


def of_accuracy(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the accuracy."""
    return of_mean((logits.argmax(-1) == y).astype(float))


def of_balanced_accuracy(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the recall averaged over the classes of each cell."""
    hit, count, recall = _by_class(logits, y)
    present = (count > 0).sum(1, keepdims=True)
    influence: np.ndarray = (hit - _own(recall, y)) / _others(_own(count, y)) / present / len(y)
    return influence


def of_worst_class_recall(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the lowest recall: those on the recall of the class that has it now."""
    hit, count, recall = _by_class(logits, y)
    worst = np.where(count > 0, recall, np.inf).argmin(1)[:, None]
    influence: np.ndarray = (y == worst) * (hit - _own(recall, y)) / _others(_own(count, y)) / len(y)
    return influence


def of_macro_f1(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the F1 averaged over the classes of each cell's labels and predictions."""
    classes = np.arange(logits.shape[-1])
    true, predicted = y[..., None] == classes, logits.argmax(-1)[..., None] == classes
    total = (true.sum(1, keepdims=True) + predicted.sum(1, keepdims=True)).astype(float)
    count = (true | predicted).sum(1, keepdims=True)
    f1 = 2 * (true & predicted).sum(1, keepdims=True) / np.maximum(total, 1)
    change = 2 * (true & predicted) - f1 * (true.astype(float) + predicted)
    weight = count / _others(count) / np.maximum(total, 1) / (total > 0).sum(2, keepdims=True)
    influence: np.ndarray = (change * weight).sum(2) / len(y)
    return influence


def of_auroc(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the one-vs-rest AUROC: its structural components.

    DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
    operating characteristic curves".
    """
    scores = log_odds(logits)
    if logits.shape[-1] == 2:
        scores, y = scores[..., 1:], y - 1
    influence = np.zeros(y.shape)
    for label in range(scores.shape[-1]):
        for cell in range(len(y)):
            influence[cell] += _of_area(scores[cell, :, label], y[cell] == label)
    influence /= scores.shape[-1] * len(y)
    return influence


def of_negative_log_likelihood(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the mean of -log of the probability of the true class."""
    return of_mean(-np.take_along_axis(log_softmax(logits), y[..., None], -1)[..., 0])


def of_brier(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the Brier score."""
    return of_mean(squared_distances(logits, y))


def of_auprc(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influences on the one-vs-rest average precision: its derivatives by the samples' weights."""
    scores = log_odds(logits)
    influence = np.zeros(y.shape)
    for label in range(scores.shape[-1]):
        for cell in range(len(y)):
            influence[cell] += _of_average_precision(scores[cell, :, label], y[cell] == label)
    influence /= scores.shape[-1] * len(y)
    return influence


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the probabilities, `[E, M, C]`."""
    shifted = logits - logits.max(-1, keepdims=True)
    # Summed in sorted order, so that samples whose other logits are only permuted get equal values and tie.
    normal: np.ndarray = shifted - np.log(np.exp(np.sort(shifted)).sum(-1, keepdims=True))
    return normal


def log_odds(logits: np.ndarray) -> np.ndarray:
    """The logarithms of p / (1 - p) of the probabilities `[E, M, C]`, to four decimals, to rank samples by.

    They rank as probabilities do. Equal probabilities, such as shares of votes, must tie: float32 logits and
    a smallest probability in the place of 0 tell them apart by what the other classes have, a little. With
    two classes there is nothing else, and nothing is rounded.
    """
    if logits.shape[-1] == 2:
        difference: np.ndarray = logits - logits[..., ::-1]
        return difference
    shifted = logits - logits.max(-1, keepdims=True)
    p = np.exp(shifted)
    others = p.sum(-1, keepdims=True) - p
    top = logits.argmax(-1)[..., None]
    rest = p.copy()
    np.put_along_axis(rest, top, 0.0, -1)
    # A difference would lose the digits of what little the others of a sure class have.
    np.put_along_axis(others, top, rest.sum(-1, keepdims=True), -1)
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.round(shifted - np.log(others), _DIGITS)
    return found


def squared_distances(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The squared distance of the probabilities from the one-hot label, 0 to 2, of each sample `[E, M]`."""
    missed = np.exp(log_softmax(logits)) - (y[..., None] == np.arange(logits.shape[-1]))
    distances: np.ndarray = (missed**2).sum(-1)
    return distances


def precisions(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples with at least a sample's score, and the positive ones among them, for each sample `[M]`."""
    ranked, found = np.sort(scores), np.sort(scores[positive])
    return len(ranked) - np.searchsorted(ranked, scores), len(found) - np.searchsorted(found, scores)


def _of_area(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The influences on the probability that a positive sample has a higher score, ties counting half."""
    up, down = np.sort(scores[positive]), np.sort(scores[~positive])
    below = (np.searchsorted(down, scores, "left") + np.searchsorted(down, scores, "right")) / 2 / len(down)
    above = 1 - (np.searchsorted(up, scores, "left") + np.searchsorted(up, scores, "right")) / 2 / len(up)
    area = below[positive].mean()
    influence: np.ndarray = np.where(positive, (below - area) / _divisor(up), (above - area) / _divisor(down))
    return influence


def _of_average_precision(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The influences on the mean precision at the positive samples."""
    order = np.argsort(scores)
    at_least, hits = precisions(scores, positive)
    precision = hits / at_least
    # A sample counts in the precisions at all positive samples with at most its score.
    gain, loss = (
        np.concatenate([[0.0], np.cumsum((positive * each)[order])])[
            np.searchsorted(scores[order], scores, "right")
        ]
        for each in (1 / at_least, precision / at_least)
    )
    own = positive * (precision - precision[positive].mean()) / _divisor(scores[positive])
    influence: np.ndarray = own + (positive * gain - loss) / positive.sum()
    return influence


def _divisor(samples: np.ndarray) -> float:
    """What deviations from the mean of m samples are divided by, so that squares add up to its variance.

    As in an unbiased variance, that is not m, but the square root of m (m - 1); of one sample, it is 1.
    """
    return math.sqrt(len(samples) * max(len(samples) - 1, 1))


def _others(samples: np.ndarray) -> np.ndarray:
    """What deviations from the mean of m samples are divided by: m - 1, of one sample 1.

    A sample's deviation from the mean of the others is m / (m - 1) times that from the mean of all.
    """
    others: np.ndarray = np.maximum(samples - 1, 1)
    return others


def _by_class(logits: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each sample is correct `[E, M]`, and the samples and the recall of each class `[E, C]`."""
    hit = (logits.argmax(-1) == y).astype(float)
    true = y[..., None] == np.arange(logits.shape[-1])
    count = true.sum(1)
    return hit, count, (true * hit[..., None]).sum(1) / np.maximum(count, 1)


def _own(by_class: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The value of each sample's class, `[E, M]`."""
    own: np.ndarray = np.take_along_axis(by_class, y, 1)
    return own
