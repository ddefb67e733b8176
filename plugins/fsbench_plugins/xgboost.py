"""Gradient boosting by XGBoost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._boosted import Boosted


@dataclass(frozen=True)
class Xgboost(Boosted):
    """Gradient boosting of trees with second derivatives, on tables, by XGBoost (Chen & Guestrin 2016).

    `n_estimators` rounds with one tree per class (two classes share one), each scaled by `learning_rate` and
    at most `max_depth` deep; a child has at least the weight `min_child_weight`, a sum of second derivatives.
    `reg_lambda` is the L2 penalty of the leaves. The defaults are the library's, except for
    `min_child_weight`: its 1 keeps a class of two samples from ever being split off. Needs
    `fsbench[xgboost]`.
    """

    name = "xgboost"
    results_version = "2"
    library = "xgboost"
    cite = "Chen, T. and Guestrin, C. (2016). XGBoost: a scalable tree boosting system. KDD."

    n_estimators: int = param(100, low=1)
    learning_rate: float = param(0.3, low=1e-6, tune=(0.02, 0.5))
    max_depth: int = param(6, low=1, tune=(2, 8))
    min_child_weight: float = param(0.1, low=0.0, tune=(0.0, 5.0))
    reg_lambda: float = param(1.0, low=0.0, tune=(0.0, 10.0))

    def classifier(self, samples: int, seed: int) -> Any:
        """XGBoost's `XGBClassifier`."""
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            min_child_weight=self.min_child_weight,
            reg_lambda=self.reg_lambda,
            random_state=seed,
            n_jobs=1,
        )
