"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._classical import PEDREGOSA, Classical


@dataclass(frozen=True)
class LogisticRegression(Classical):
    """Multinomial logistic regression on flattened inputs; `C` is the inverse of the L2 penalty."""

    name = "logistic_regression"
    cite = f"Cox, D. R. (1958). The regression analysis of binary sequences. JRSS B 20(2). {PEDREGOSA}"

    C: float = param(1.0, low=1e-6, tune=(0.001, 100.0))

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `LogisticRegression`, with at most 1000 iterations."""
        from sklearn.linear_model import LogisticRegression as Classifier

        return Classifier(C=self.C, max_iter=1000, random_state=seed)
