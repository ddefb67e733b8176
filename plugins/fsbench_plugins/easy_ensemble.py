"""Boosted trees on balanced parts of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fsbench import param
from fsbench_plugins._classical import LEMAITRE, ClassicalImbalance


@dataclass(frozen=True)
class EasyEnsemble(ClassicalImbalance):
    """AdaBoost on several balanced parts of the training set (Liu et al. 2009), by imbalanced-learn.

    Each of `bags` parts has as many samples of each class as the smallest has, drawn without replacement; on
    each, AdaBoost fits up to `rounds` trees of one split. The probabilities are averaged.
    """

    name = "easy_ensemble"
    cite = (
        "Liu, X.-Y., Wu, J. and Zhou, Z.-H. (2009). Exploratory undersampling for class-imbalance learning. "
        f"IEEE Transactions on Systems, Man, and Cybernetics B 39(2). {LEMAITRE}"
    )

    bags: int = param(10, low=1)
    rounds: int = param(10, low=1, tune=(5, 50))
    learning_rate: float = param(1.0, low=1e-6, tune=(0.1, 1.0))

    def classifier(self, samples: int, seed: int) -> Any:
        """imbalanced-learn's `EasyEnsembleClassifier`."""
        from imblearn.ensemble import EasyEnsembleClassifier
        from sklearn.ensemble import AdaBoostClassifier

        boosted = AdaBoostClassifier(n_estimators=self.rounds, learning_rate=self.learning_rate)
        return EasyEnsembleClassifier(self.bags, boosted, random_state=seed)
