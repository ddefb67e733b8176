"""Boosting with a balanced part of the table in every round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fsbench import Context, Fitted, FsbenchError, LabeledSet, param
from fsbench_plugins._classical import LEMAITRE, ClassicalImbalance

_DRAWS = 20


@dataclass(frozen=True)
class Rusboost(ClassicalImbalance):
    """AdaBoost that undersamples larger classes in every round (Seiffert et al. 2010), by imbalanced-learn.

    Each of up to `rounds` rounds fits a tree at most `max_depth` deep to as many samples of each class as
    the smallest has, drawn without replacement, and scales it by `learning_rate`. If the first tree is worse
    than chance, which ends the boosting, other samples are drawn, with a note.
    """

    name = "rusboost"
    cite = (
        "Seiffert, C., Khoshgoftaar, T. M., Van Hulse, J. and Napolitano, A. (2010). RUSBoost: a hybrid "
        "approach to alleviating class imbalance. IEEE Transactions on Systems, Man, and Cybernetics A "
        f"40(1). {LEMAITRE}"
    )

    rounds: int = param(50, low=1, tune=(10, 200))
    learning_rate: float = param(1.0, low=1e-6, tune=(0.1, 1.0))
    max_depth: int = param(1, low=1, tune=(1, 4))

    def classifier(self, samples: int, seed: int) -> Any:
        """imbalanced-learn's `RUSBoostClassifier`."""
        from imblearn.ensemble import RUSBoostClassifier
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(max_depth=self.max_depth)
        return RUSBoostClassifier(
            tree, n_estimators=self.rounds, learning_rate=self.learning_rate, random_state=seed
        )

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier. Raises FsbenchError if no draw gave a useful first tree."""
        from fsbench_plugins import _estimators

        numbers = ctx.rng
        for _ in range(_DRAWS):
            try:
                return _estimators.fit(self.classifier(len(train), numbers.seed()), train, ctx)
            except ValueError as error:
                if "worse than random" not in str(error):
                    raise
                ctx.note("the first tree was worse than chance, so other samples were drawn")
        raise FsbenchError(
            f"{self.name}: no first tree was better than chance in {_DRAWS} draws; raise max_depth"
        )
