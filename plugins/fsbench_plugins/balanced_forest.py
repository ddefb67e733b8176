"""A random forest whose trees see equally many samples of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._classical import LEMAITRE, ClassicalImbalance


@dataclass(frozen=True)
class BalancedForest(ClassicalImbalance):
    """A random forest of `n_estimators` trees on balanced samples (Chen et al. 2004), by imbalanced-learn.

    Each tree is grown on samples drawn with replacement, as many of each class as the smallest has. Each
    split looks at the share `max_features` of the columns, or at the square root of their number if it is 0;
    a leaf has at least `min_samples_leaf` samples.
    """

    name = "balanced_forest"
    cite = (
        "Chen, C., Liaw, A. and Breiman, L. (2004). Using random forest to learn imbalanced data. Technical "
        f"report 666, UC Berkeley. {LEMAITRE}"
    )

    n_estimators: int = param(100, low=1)
    max_features: float = param(0.0, low=0.0, high=1.0, tune=(0.05, 1.0))
    min_samples_leaf: int = param(1, low=1, tune=(1, 5))

    def classifier(self, samples: int, seed: int) -> Any:
        """imbalanced-learn's `BalancedRandomForestClassifier`."""
        from imblearn.ensemble import BalancedRandomForestClassifier

        return BalancedRandomForestClassifier(
            self.n_estimators,
            max_features=self.max_features or "sqrt",
            min_samples_leaf=self.min_samples_leaf,
            random_state=seed,
        )
