"""Nearest neighbours in the space of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._classical import PEDREGOSA, Classical, note_if_few


@dataclass(frozen=True)
class Knn(Classical):
    """Nearest neighbours by Euclidean distance between flattened inputs (Cover & Hart 1967).

    Each of `n_neighbors` neighbours (fewer, with a note, if there are too few samples) votes with the inverse
    of its distance as its weight, or all have the same weight (`weights="uniform"`). Sampling weights cannot
    be used and are refused. Of more than `most_samples` samples, that many are kept, drawn class by class,
    with a note.
    """

    name = "knn"
    cite = (
        "Cover, T. and Hart, P. (1967). Nearest neighbor pattern classification. IEEE Transactions on "
        f"Information Theory 13(1). {PEDREGOSA}"
    )

    n_neighbors: int = param(1, low=1, tune=(1, 15))
    most_samples: int = param(50_000, low=1)
    weights: Literal["distance", "uniform"] = param("distance")

    def classifier(self, samples: int, seed: int) -> Any:
        """scikit-learn's `KNeighborsClassifier`."""
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(min(self.n_neighbors, samples), weights=self.weights)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the fitted classifier."""
        from fsbench_plugins import _estimators

        note_if_few(self.n_neighbors, len(train), ctx)
        return super().fit(_estimators.at_most(self.most_samples, train, ctx, "compared with"), inner, ctx)
