"""A support vector machine with a radial kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._classical import PEDREGOSA, Classical


@dataclass(frozen=True)
class Svm(Classical):
    """A support vector machine with a radial kernel on flattened inputs (Cortes & Vapnik 1995).

    `C` is the inverse regularisation; the width of the kernel is scikit-learn's `scale`, the inverse of the
    number of inputs times their variance. An SVM predicts no probabilities: its logits are the values of its
    decision function (for two classes, minus and plus half of it). Its cost grows with the square of the
    samples, so of more than `most_samples` it is fitted on that many, drawn class by class, with a note.
    """

    name = "svm"
    cite = f"Cortes, C. and Vapnik, V. (1995). Support-vector networks. Machine Learning 20. {PEDREGOSA}"

    C: float = param(10.0, low=1e-6, tune=(0.1, 1000.0))
    most_samples: int = param(10_000, low=2)

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `SVC`."""
        from sklearn.svm import SVC

        return SVC(C=self.C, break_ties=True, random_state=seed)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier."""
        from fsbench_plugins import _estimators

        return super().fit(_estimators.at_most(self.most_samples, train, ctx, "fitted on"), inner, ctx)
