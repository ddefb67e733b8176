"""Naive Bayes: inputs as independent, given the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fsbench import Context, Fitted, LabeledSet, get_kind, param
from fsbench_plugins._classical import PEDREGOSA, Classical


@dataclass(frozen=True)
class NaiveBayes(Classical):
    """Naive Bayes: of texts, multinomial on TF-IDF (Rennie et al. 2003); of other samples, Gaussian.

    `alpha` is added to the counts of terms, and `var_smoothing` times the largest variance of an input to
    all variances. Each is read only where it applies.
    """

    name = "naive_bayes"
    cite = (
        "Rennie, J. D. M., Shih, L., Teevan, J. and Karger, D. R. (2003). Tackling the poor assumptions of "
        f"naive Bayes text classifiers. ICML. {PEDREGOSA}"
    )

    alpha: float = param(0.1, low=1e-6, tune=(0.01, 1.0))
    var_smoothing: float = param(1e-2, low=0.0, tune=(1e-6, 0.3))

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `MultinomialNB`, which is for texts."""
        from sklearn.naive_bayes import MultinomialNB

        return MultinomialNB(alpha=self.alpha)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier; without terms, of scikit-learn's `GaussianNB`."""
        if get_kind(ctx.task.kind).terms:
            return super().fit(train, inner, ctx)
        from sklearn.naive_bayes import GaussianNB

        from fsbench_plugins import _estimators

        return _estimators.fit(GaussianNB(var_smoothing=self.var_smoothing), train, ctx)
