"""What is measured on the test part: one table of metrics, and `score`, which computes all of them.

An `episodes` task has many cells (test episodes). Every metric but the calibration error is computed
in each cell and averaged over the cells, as few-shot papers report accuracy; the calibration error
needs more samples than a cell has, so the samples of all cells are pooled for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fsbench.errors import BadPrediction, UnknownName

ECE_BINS = 15
# Logits are float32: log-likelihoods that differ by less are equal.
_ROUNDING = 1e-6
DEFAULT_METRIC = "balanced_accuracy"


@dataclass(frozen=True)
class Metric:
    """How a metric is read. `percent` metrics lie in [0, 1] and are shown times 100."""

    name: str
    title: str
    meaning: str
    higher_is_better: bool = True
    percent: bool = True


_TABLE = (
    Metric("accuracy", "accuracy", "share of the test samples that are classified correctly"),
    Metric("balanced_accuracy", "balanced accuracy", "share of a class that is found, averaged over classes"),
    Metric("macro_f1", "macro F1", "harmonic mean of precision and recall, averaged over classes"),
    Metric("worst_class_recall", "worst-class recall", "share that is found of the class found least"),
    Metric(
        "nll", "negative log-likelihood", "-log of the probability of the true class, in nats", False, False
    ),
    Metric("ece", "calibration error", "gap between confidence and accuracy, averaged over samples", False),
    Metric("auroc", "AUROC", "chance that a sample of a class is ranked above one of the other classes"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}


def get_metric(name: str) -> Metric:
    """The metric of a name. Raises UnknownName."""
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return METRICS[name]


def score(logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Every metric of finite logits `[E, M, C]` against labels `[E, M]`: floats by name.

    Classes that a cell's test part lacks do not count in its averages over classes. `auroc` is left
    out where a cell lacks a class, since there is nothing to rank for it. Raises BadPrediction for
    shapes or labels that do not fit.
    """
    logits, y = np.asarray(logits, dtype=np.float64), np.asarray(y)
    _check(logits, y)
    log_p = _log_softmax(logits)
    confusion = _confusion(y, logits.argmax(-1), logits.shape[-1])
    values = _from_confusion(confusion)
    values["nll"] = float(-np.take_along_axis(log_p, y[..., None], -1).mean())
    values["ece"] = expected_calibration_error(np.exp(log_p.max(-1)), logits.argmax(-1) == y)
    if logits.shape[-1] > 1 and (confusion.sum(-1) > 0).all():
        values["auroc"] = float(
            np.mean([_auroc(cell, labels) for cell, labels in zip(log_p, y, strict=True)])
        )
    return values


def resolution(y: np.ndarray) -> dict[str, float]:
    """How far one decision on labels `[E, M]` moves each metric, by the metric's name.

    Where classes weigh alike it is a decision on the smallest class. AUROC moves by pairs of samples;
    the log-likelihood by anything, so what float32 can tell apart is given for it.
    """
    y = np.asarray(y)
    counts = [np.unique(labels, return_counts=True)[1] for labels in y]
    by_class = max(1 / (len(found) * found.min()) for found in counts) / len(y)
    pairs = min(found.min() * max(1, y.shape[1] - found.min()) for found in counts) * len(y)
    return {
        "accuracy": 1 / y.size,
        "balanced_accuracy": float(by_class),
        "macro_f1": float(by_class),
        "worst_class_recall": float(max(1 / found.min() for found in counts) / len(y)),
        "nll": _ROUNDING,
        "ece": 1 / y.size,
        "auroc": float(1 / pairs),
    }


def assumed_resolution(name: str, n_test: int) -> float:
    """The resolution of a metric where only the number of test samples is known; 0 for none.

    Twice an even share: enough for averages over classes unless the smallest class has less than half
    of what it would have if all were alike.
    """
    if not get_metric(name).percent:
        return _ROUNDING
    return (1 if name == "accuracy" else 2) / n_test if n_test else 0.0


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """Top-label calibration error over equal-width bins of the confidence in (0, 1].

    `confidence` (any shape) is the probability of the predicted class, `correct` whether it is the
    true one. Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning";
    15 bins as in Guo et al. 2017, "On calibration of modern neural networks".
    """
    confidence, correct = confidence.ravel(), correct.ravel()
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def _check(logits: np.ndarray, y: np.ndarray) -> None:
    if logits.ndim != 3 or logits.shape[:2] != y.shape or not y.size or not logits.shape[-1]:
        raise BadPrediction(
            f"cannot score logits of shape {list(logits.shape)} against labels of shape {list(y.shape)}; "
            "expected [E, M, C] and [E, M]"
        )
    if y.min() < 0 or y.max() >= logits.shape[-1]:
        raise BadPrediction(f"labels {y.min()}..{y.max()} do not fit logits of {logits.shape[-1]} classes")


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    # Summed in sorted order: samples whose other logits only change places get equal values, thus tie.
    normal: np.ndarray = shifted - np.log(np.exp(np.sort(shifted)).sum(-1, keepdims=True))
    return normal


def _confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts `[E, C, C]` by cell, true class and predicted class."""
    cell = np.arange(len(y))[:, None]
    index = (cell * classes + y) * classes + predicted
    counts = np.bincount(index.ravel(), minlength=len(y) * classes * classes)
    return counts.reshape(len(y), classes, classes)


def _from_confusion(confusion: np.ndarray) -> dict[str, float]:
    """The metrics of hard decisions, averaged over cells."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    true, predicted = confusion.sum(2), confusion.sum(1)
    recall = np.where(true > 0, hits / np.maximum(true, 1), np.nan)
    # A class that occurs neither in the labels nor in the predictions has no F1; 0 / 0 elsewhere counts as 0.
    f1 = np.where(true + predicted > 0, 2 * hits / np.maximum(true + predicted, 1), np.nan)
    return {
        "accuracy": float((hits.sum(1) / true.sum(1)).mean()),
        "balanced_accuracy": float(np.nanmean(recall, axis=1).mean()),
        "macro_f1": float(np.nanmean(f1, axis=1).mean()),
        "worst_class_recall": float(np.nanmin(recall, axis=1).mean()),
    }


def _auroc(log_p: np.ndarray, y: np.ndarray) -> float:
    """One-vs-rest area under the ROC curve, averaged over classes; with two classes the usual one.

    The area is the Mann-Whitney statistic, ties counting half (Hanley & McNeil 1982). Logarithms of
    probabilities rank as probabilities do.
    """
    if log_p.shape[1] == 2:
        return _area(log_p[:, 1] - log_p[:, 0], y == 1)
    return float(np.mean([_area(log_p[:, c], y == c) for c in range(log_p.shape[1])]))


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))
