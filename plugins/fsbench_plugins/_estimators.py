"""scikit-learn's classifiers, fitted on a labelled set, as predictors of logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from fsbench import Context, Fitted, InertComponent, LabeledSet, Savable, get_kind
from fsbench_plugins._logits import SMALLEST


def fit(classifier: Any, train: LabeledSet, ctx: Context, kind: str | None = None) -> Fitted:
    """Fit on the rows that a kind makes of inputs; the predictor `x [N, ...] -> logits [N, C]`.

    Rows are flattened inputs or, of texts, TF-IDF (`Kind.rows`); the kind is that of the task, unless inputs
    were made from its samples. Targets are the likeliest classes.
    Raises InertComponent for sampling weights that the classifier cannot take.
    """
    if bool((train.targets.max(1).values < 1).any()):
        ctx.note("soft targets count as their likeliest class")
    rows = get_kind(kind or ctx.task.kind).rows(train.x)
    fit_rows(classifier, rows(train.x), train.y.cpu().numpy(), **_weights(classifier, train))
    return Fitted(ByClassifier(classifier, rows, train.num_classes))


def fit_rows(classifier: Any, x: Any, y: np.ndarray, **weights: np.ndarray) -> Any:
    """The classifier, fitted on rows `[N, F]`, dense or sparse, of classes int64 `[N]`.

    Of equal sparse rows, scikit-learn may compute a variance below 0, from which `SVC` makes a width that it
    then refuses. It gets the width for a variance of 0.
    """
    scaled = isinstance(classifier, SVC) and classifier.gamma == "scale" and issparse(x)
    if scaled and x.multiply(x).mean() < x.mean() ** 2:
        classifier.set_params(gamma=1.0)
    return classifier.fit(x, y, **weights)


@dataclass(frozen=True, eq=False)
class ByClassifier(Savable):
    """Logits of a fitted classifier of scikit-learn for `num_classes` classes, of `rows` made of inputs."""

    classifier: Any
    rows: Callable[[torch.Tensor], Any]
    num_classes: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        return torch.from_numpy(_logits(self.classifier, self.rows(x), self.num_classes)).to(x.device)


def at_most(most: int, train: LabeledSet, ctx: Context, what: str) -> LabeledSet:
    """The training set or, if it has more than `most` samples, about as many, in equal shares of each class.

    A note then says `what` is done with them: "fitted on", for example.
    """
    if len(train) <= most:
        return train
    order = ctx.rng.permutation(len(train)).cpu()
    rows = []
    for label in torch.unique(train.y).tolist():
        own = order[(train.y.cpu() == label)[order]]
        rows.append(own[: max(1, round(len(own) * most / len(train)))])
    part = train.select(torch.cat(rows).to(train.x.device))
    ctx.note(f"{len(train)} samples, {what} {len(part)} of them")
    return part


def sample_weights(train: LabeledSet) -> np.ndarray | None:
    """Sample weights of mean 1, if the training set has sampling weights."""
    weights = train.mean_weights
    return None if weights is None else (weights / weights.mean()).cpu().numpy()


def _weights(classifier: Any, train: LabeledSet) -> dict[str, np.ndarray]:
    """The sample weights, as keyword arguments of `fit`."""
    weights = sample_weights(train)
    if weights is None:
        return {}
    if not has_fit_parameter(classifier, "sample_weight"):
        raise InertComponent(
            f"{type(classifier).__name__} takes no sampling weights, so the component that "
            "set them has no effect; resampling(method=random_over) changes the samples instead"
        )
    return {"sample_weight": weights}


def _logits(classifier: Any, x: Any, num_classes: int) -> np.ndarray:
    """Logits float32 `[N, C]`; classes that the classifier has not seen get the smallest probability."""
    if isinstance(classifier, SVC):
        values = classifier.decision_function(x)
        found = np.stack([-values / 2, values / 2], 1) if values.ndim == 1 else values
        lowest = found.min(1, keepdims=True) + np.log(SMALLEST)
    else:
        found = np.log(np.maximum(classifier.predict_proba(x), SMALLEST))
        lowest = np.full((x.shape[0], 1), np.log(SMALLEST))
    logits = np.repeat(lowest, num_classes, axis=1)
    logits[:, classifier.classes_] = found
    return logits.astype(np.float32)
