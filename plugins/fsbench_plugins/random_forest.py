"""A random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._classical import PEDREGOSA, Classical


@dataclass(frozen=True)
class RandomForest(Classical):
    """A random forest of `n_estimators` trees on flattened inputs (Breiman 2001).

    Each split looks at the share `max_features` of the inputs, or at the square root of their number if it is
    0; a leaf has at least `min_samples_leaf` samples. A tree is grown on as many samples as there are, drawn
    with replacement, but on at most `most_samples`.
    """

    name = "random_forest"
    cite = f"Breiman, L. (2001). Random forests. Machine Learning 45. {PEDREGOSA}"

    n_estimators: int = param(100, low=1)
    max_features: float = param(0.0, low=0.0, high=1.0, tune=(0.05, 1.0))
    min_samples_leaf: int = param(1, low=1, tune=(1, 5))
    most_samples: int = param(20_000, low=1)

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `RandomForestClassifier`."""
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            self.n_estimators,
            max_features=self.max_features or "sqrt",
            min_samples_leaf=self.min_samples_leaf,
            max_samples=self.most_samples if samples > self.most_samples else None,
            random_state=seed,
        )
