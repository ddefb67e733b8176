"""Classical classifiers of scikit-learn instead of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._classical import PEDREGOSA, Classical, note_if_few

Estimator = Literal[
    "logistic_regression", "knn", "decision_tree", "random_forest", "svm", "gradient_boosting"
]


@dataclass(frozen=True)
class Sklearn(Classical):
    """Fits a classifier of scikit-learn (Pedregosa et al. 2011) on the training set, images flattened.

    `estimator`: `logistic_regression` and `svm` (with a radial kernel) have the inverse regularisation `C`;
    `knn` uses `n_neighbors` neighbours (fewer, with a note, if there are too few samples); `random_forest`
    and `gradient_boosting` have `n_estimators` trees, `decision_tree` is one tree. All other settings are
    scikit-learn's defaults, except for 1000 iterations of logistic regression. `all` leaves this strategy
    out, because the strategies named after a classifier have settings for few labels.

    Logits are the logarithms of the predicted probabilities, which are at least 1e-7. `svm` predicts no
    probabilities: its logits are the values of its decision function (for two classes, minus and plus half of
    it). Nothing is trained by gradients, so recipe, losses and augmentations are not used. Sampling weights
    become sample weights of mean 1, which `knn` cannot use and refuses; soft targets count as their likeliest
    class, and the record says so.
    """

    name = "sklearn"
    cite = f"{PEDREGOSA} The classifiers' own papers are cited in scikit-learn's documentation."
    baseline = False
    in_all = False

    estimator: Estimator = param("logistic_regression")
    C: float = param(1.0, low=1e-6, tune=(0.01, 100.0))
    n_neighbors: int = param(5, low=1, tune=(1, 15))
    n_estimators: int = param(100, low=1, tune=(50, 500))

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's class of the name `estimator`."""
        from sklearn import ensemble, linear_model, neighbors, svm, tree

        match self.estimator:
            case "logistic_regression":
                return linear_model.LogisticRegression(C=self.C, max_iter=1000, random_state=seed)
            case "knn":
                return neighbors.KNeighborsClassifier(min(self.n_neighbors, samples))
            case "decision_tree":
                return tree.DecisionTreeClassifier(random_state=seed)
            case "random_forest":
                return ensemble.RandomForestClassifier(self.n_estimators, random_state=seed)
            case "svm":
                return svm.SVC(C=self.C, random_state=seed)
            case "gradient_boosting":
                return ensemble.GradientBoostingClassifier(n_estimators=self.n_estimators, random_state=seed)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier."""
        if self.estimator == "knn":
            note_if_few(self.n_neighbors, len(train), ctx)
        return super().fit(train, inner, ctx)
