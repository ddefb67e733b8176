"""The metrics of classification that come with fsbench."""

from __future__ import annotations

import numpy as np

from fsbench.metrics import influence
from fsbench.metrics.calibration import brier, calibration_error
from fsbench.metrics.influence import log_softmax
from fsbench.metrics.ranking import auprc, auroc
from fsbench.metrics.scoring import ROUNDING, Metric


def accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """The fraction of the test samples that are classified correctly."""
    hits, true, _ = _counts(logits, y)
    return float((hits.sum(1) / true.sum(1)).mean())


def balanced_accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """Recall averaged over the classes in a cell's test part."""
    return float(np.nanmean(_recall(logits, y), axis=1).mean())


def worst_class_recall(logits: np.ndarray, y: np.ndarray) -> float:
    """The lowest recall of the classes in a cell's test part."""
    return float(np.nanmin(_recall(logits, y), axis=1).mean())


def macro_f1(logits: np.ndarray, y: np.ndarray) -> float:
    """F1 averaged over the classes that occur in a cell's labels or predictions."""
    hits, true, predicted = _counts(logits, y)
    # A class that occurs neither in the labels nor in the predictions has no F1; 0 / 0 elsewhere counts as 0.
    f1 = np.where(true + predicted > 0, 2 * hits / np.maximum(true + predicted, 1), np.nan)
    return float(np.nanmean(f1, axis=1).mean())


def negative_log_likelihood(logits: np.ndarray, y: np.ndarray) -> float:
    """The mean of -log of the probability of the true class, in nats."""
    return float(-np.take_along_axis(log_softmax(logits), y[..., None], -1).mean())


def _by_sample(y: np.ndarray) -> float:
    return 1 / y.size


def _by_class(y: np.ndarray) -> float:
    """The effect of a decision on the smallest class if all classes have equal weight."""
    counts = _class_counts(y)
    return float(max(1 / (len(found) * found.min()) for found in counts) / len(y))


def _by_worst_class(y: np.ndarray) -> float:
    return float(max(1 / found.min() for found in _class_counts(y)) / len(y))


def _by_pair(y: np.ndarray) -> float:
    """The effect of one pair of samples on AUROC."""
    return float(
        1 / (min(found.min() * max(1, y.shape[1] - found.min()) for found in _class_counts(y)) * len(y))
    )


def _by_rounding(y: np.ndarray) -> float:
    """The smallest difference of log-likelihoods that float32 can distinguish."""
    return ROUNDING


def _even_share(y: np.ndarray) -> float:
    """One over the number of classes, on average over cells."""
    return float(np.mean([1 / len(found) for found in _class_counts(y)]))


def _half(y: np.ndarray) -> float:
    return 0.5


def _class_counts(y: np.ndarray) -> list[np.ndarray]:
    return [np.unique(labels, return_counts=True)[1] for labels in y]


CLASSIFICATION = (
    Metric(
        "accuracy",
        "accuracy",
        "fraction of the test samples that are classified correctly",
        accuracy,
        resolution=_by_sample,
        influence=influence.of_accuracy,
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        "recall averaged over classes",
        balanced_accuracy,
        resolution=_by_class,
        influence=influence.of_balanced_accuracy,
        chance=_even_share,
    ),
    Metric(
        "macro_f1",
        "macro F1",
        "harmonic mean of precision and recall, averaged over classes",
        macro_f1,
        resolution=_by_class,
        influence=influence.of_macro_f1,
    ),
    Metric(
        "worst_class_recall",
        "worst-class recall",
        "lowest recall of any class",
        worst_class_recall,
        resolution=_by_worst_class,
        influence=influence.of_worst_class_recall,
    ),
    Metric(
        "nll",
        "negative log-likelihood",
        "-log of the probability of the true class, in nats",
        negative_log_likelihood,
        higher_is_better=False,
        percent=False,
        resolution=_by_rounding,
        influence=influence.of_negative_log_likelihood,
    ),
    Metric(
        "brier",
        "Brier score",
        "squared distance of the probabilities from the label, summed over classes: 0 to 2",
        brier,
        higher_is_better=False,
        percent=False,
        resolution=_by_rounding,
        influence=influence.of_brier,
        cite="Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly "
        "Weather Review 78.",
    ),
    Metric(
        "ece",
        "squared calibration error",
        "squared gap between confidence and accuracy, debiased: 0 on average if confidences are right, "
        "sometimes below",
        calibration_error,
        higher_is_better=False,
        percent=False,
        resolution=_by_rounding,
        cite="Kumar, A., Liang, P. and Ma, T. (2019). Verified uncertainty calibration. NeurIPS.",
        results_version="2",
        margin=0.001,
    ),
    Metric(
        "auroc",
        "AUROC",
        "probability that a sample of a class is ranked above a sample of the other classes",
        auroc,
        resolution=_by_pair,
        influence=influence.of_auroc,
        chance=_half,
        results_version="2",
        cite="Hanley, J. A. and McNeil, B. J. (1982). The meaning and use of the area under a receiver "
        "operating characteristic (ROC) curve. Radiology 143.",
    ),
    Metric(
        "auprc",
        "AUPRC",
        "precision among the samples ranked as high as a sample of a class, averaged over these and classes",
        auprc,
        resolution=_by_pair,
        influence=influence.of_auprc,
        results_version="2",
        cite="Boyd, K., Eng, K. H. and Page, C. D. (2013). Area under the precision-recall curve: point "
        "estimates and confidence intervals. ECML PKDD.",
    ),
)
"""The metrics, in the order of listing."""


def _confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts `[E, C, C]` by cell, true class and predicted class."""
    cell = np.arange(len(y))[:, None]
    index = (cell * classes + y) * classes + predicted
    counts = np.bincount(index.ravel(), minlength=len(y) * classes * classes)
    return counts.reshape(len(y), classes, classes)


def _counts(logits: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of each class in each cell `[E, C]`: correct samples, samples, and predictions."""
    confusion = _confusion(y, logits.argmax(-1), logits.shape[-1])
    return np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(2), confusion.sum(1)


def _recall(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The recall of each class `[E, C]`; NaN for a class without labels."""
    hits, true, _ = _counts(logits, y)
    return np.where(true > 0, hits / np.maximum(true, 1), np.nan)
