"""Gradient boosting of trees on binned columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._classical import PEDREGOSA, Classical


@dataclass(frozen=True)
class HistGradientBoosting(Classical):
    """Gradient boosting of trees on binned columns of tables (Ke et al. 2017, in scikit-learn).

    `max_iter` rounds with one tree per class (two classes share one), each scaled by `learning_rate`; a leaf
    has at least `min_samples_leaf` samples, far fewer than scikit-learn's 20, and `l2` is its L2 penalty.
    There is no early stopping, as every label is needed for training.
    """

    name = "hist_gradient_boosting"
    cite = (
        "Ke, G. et al. (2017). LightGBM: a highly efficient gradient boosting decision tree. NeurIPS 30. "
        f"{PEDREGOSA}"
    )
    kinds = frozenset({"table"})

    max_iter: int = param(100, low=1)
    learning_rate: float = param(0.1, low=1e-6, tune=(0.02, 0.3))
    min_samples_leaf: int = param(2, low=1, tune=(1, 20))
    l2: float = param(0.0, low=0.0, tune=(0.0, 10.0))

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `HistGradientBoostingClassifier`."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2,
            early_stopping=False,
            random_state=seed,
        )
