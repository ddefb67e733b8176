"""How far confidences are from the truth: the Brier score, and a calibration error without bias.

All functions take logits `[E, M, C]` and labels `[E, M]`.
"""

from __future__ import annotations

import numpy as np

from fsbench.metrics.influence import log_softmax, squared_distances

# Confidences that are equal to this many decimals are equal.
_DIGITS = 9


def brier(logits: np.ndarray, y: np.ndarray) -> float:
    """The Brier score in its original form, the sum over all classes: 0 is perfect, 2 the worst.

    For two classes it is twice the form that looks at one class only. Brier 1950, "Verification of forecasts
    expressed in terms of probability".
    """
    return float(squared_distances(logits, y).mean())


def calibration_error(logits: np.ndarray, y: np.ndarray) -> float | None:
    """The squared calibration error of the predicted class, over the samples of all cells."""
    confidence = np.exp(log_softmax(logits).max(-1))
    return squared_calibration_error(confidence, logits.argmax(-1) == y)


def squared_calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """The mean over samples of the squared gap between confidence and accuracy in the sample's bin, debiased.

    `confidence` (any shape) is the probability of the predicted class, `correct` whether it is the true one.
    The squared gap of a bin is estimated by the mean product of the gaps of two different samples, so noise
    adds nothing: the expectation is 0 for a predictor whose confidences are right, and single values can be
    negative. Kumar, Liang & Ma 2019, "Verified uncertainty calibration", with the exact variance of the
    confidences in a bin; for the Brier score's reliability, Ferro & Fricker 2012. The cube root of the number
    of samples gives the number of bins, which have equal numbers of samples except that equal confidences
    share a bin. None if no bin has two samples.
    """
    confidence, gaps = confidence.ravel(), confidence.ravel() - correct.ravel()
    bins = round(len(gaps) ** (1 / 3))
    ranked = np.round(confidence, _DIGITS)
    place = np.searchsorted(np.sort(ranked), ranked) * bins // len(gaps)
    count, total, squares = (np.bincount(place, weights, bins) for weights in (None, gaps, gaps**2))
    several = count > 1
    if not several.any():
        return None
    products = (total**2 - squares)[several] / (count[several] - 1)
    return float(products.sum() / count[several].sum())
