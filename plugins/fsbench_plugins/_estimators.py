"""scikit-learn's classifiers by name, fitted on a labelled set, as predictors of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from fsbench import Context, Fitted, InertComponent, LabeledSet

SMALLEST = 1e-7
_MOST_ITERATIONS = 1000


def make(estimator: str, C: float, n_neighbors: int, n_estimators: int, samples: int, ctx: Context) -> Any:
    """The unfitted classifier of a name for a number of samples, with the trial's random numbers."""
    seed = ctx.rng.seed()
    match estimator:
        case "logistic_regression":
            return LogisticRegression(C=C, max_iter=_MOST_ITERATIONS, random_state=seed)
        case "knn":
            neighbors = min(n_neighbors, samples)
            if neighbors < n_neighbors:
                ctx.note(f"{samples} samples, so n_neighbors={neighbors} instead of {n_neighbors}")
            return KNeighborsClassifier(neighbors)
        case "decision_tree":
            return DecisionTreeClassifier(random_state=seed)
        case "random_forest":
            return RandomForestClassifier(n_estimators, random_state=seed)
        case "svm":
            return SVC(C=C)
        case "gradient_boosting":
            return GradientBoostingClassifier(n_estimators=n_estimators, random_state=seed)


def fit(classifier: Any, train: LabeledSet, ctx: Context) -> Fitted:
    """Fit on flattened inputs and the likeliest classes; the predictor `x [N, ...] -> logits [N, C]`.

    Raises InertComponent for sampling weights that the classifier cannot take.
    """
    if bool((train.targets.max(1).values < 1).any()):
        ctx.note("soft targets count as their likeliest class")
    classifier.fit(_table(train.x), train.y.cpu().numpy(), **_weights(classifier, train))
    classes = train.num_classes

    def predict(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(_logits(classifier, _table(x), classes)).to(x.device)

    return Fitted(predict)


def _weights(classifier: Any, train: LabeledSet) -> dict[str, np.ndarray]:
    """Sample weights of mean 1, as keyword arguments of `fit`."""
    if train.weights is None:
        return {}
    if isinstance(classifier, KNeighborsClassifier):
        raise InertComponent(
            "sklearn(estimator=knn): nearest neighbours take no sampling weights, so the component that "
            "set them has no effect; resampling(method=random_over) changes the samples instead"
        )
    return {"sample_weight": (train.weights / train.weights.mean()).cpu().numpy()}


def _table(x: torch.Tensor) -> np.ndarray:
    return x.flatten(1).double().cpu().numpy()


def _logits(classifier: Any, table: np.ndarray, num_classes: int) -> np.ndarray:
    """Logits float32 `[N, C]`; classes that the classifier has not seen get the smallest probability."""
    if isinstance(classifier, SVC):
        values = classifier.decision_function(table)
        found = np.stack([-values / 2, values / 2], 1) if values.ndim == 1 else values
        lowest = found.min(1, keepdims=True) + np.log(SMALLEST)
    else:
        found = np.log(np.maximum(classifier.predict_proba(table), SMALLEST))
        lowest = np.full((len(table), 1), np.log(SMALLEST))
    logits = np.repeat(lowest, num_classes, axis=1)
    logits[:, classifier.classes_] = found
    return logits.astype(np.float32)
