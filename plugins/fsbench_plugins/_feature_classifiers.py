"""Classifiers on features `[N, D]` of a pretrained body, as predictors of logits."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional as F

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable
from fsbench_plugins import _choosing, _estimators
from fsbench_plugins._classical import note_if_few
from fsbench_plugins._prototypes import weighted_targets

CHOICES = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)
_FOLDS, _MOST_SAMPLES = 5, 1000
_ITERATIONS = 1000
_SCALE = 10.0  # of cosines, as Gidaris & Komodakis (2018) start with


@dataclass(frozen=True, eq=False)
class Turned(Savable):
    """A predictor on features `[N, D]` multiplied by the matrix `turn [D, R]`, in float64."""

    predict: Predictor
    turn: torch.Tensor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`."""
        return self.predict(x.double() @ self.turn)


@dataclass(frozen=True, eq=False)
class Normalised(Savable):
    """A predictor on features `[N, D]` of length 1."""

    predict: Predictor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`."""
        return self.predict(F.normalize(x))


@dataclass(frozen=True, eq=False)
class Cosines(Savable):
    """Ten times the cosines of features `[N, D]` to the directions `[C, D]`."""

    directions: torch.Tensor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`."""
        return _SCALE * F.normalize(x) @ self.directions.mT


def logistic_regression(train: LabeledSet, C: float | None, ctx: Context) -> Fitted:
    """Logistic regression (scikit-learn's) on features divided by their root mean square.

    Without `C`, it is the one of CHOICES with the smallest cross-validated log loss.
    """
    scale = train.x.square().mean().sqrt().clamp_min(1e-12)
    # With few samples of many features, all that counts is in the space that the samples span.
    turn = torch.linalg.svd((train.x / scale).double(), full_matrices=False).Vh.mT / scale
    turned = replace(train, x=train.x.double() @ turn)
    if C is None:
        C = _chosen(turned, ctx)
    fitted = _estimators.fit(LogisticRegression(C=C, max_iter=_ITERATIONS), turned, ctx)
    return Fitted(Turned(fitted.predict, turn))


def _chosen(train: LabeledSet, ctx: Context) -> float:
    """The best C by stratified cross-validation, in float32."""
    train = _estimators.at_most(_MOST_SAMPLES, train, ctx, "C chosen on")
    least = min(_choosing.separate_samples(train))
    if least < 2:
        ctx.note("C=1, without cross-validation, because a class has only one sample")
        return 1.0
    x, y = train.x.float().cpu().numpy(), train.y.cpu().numpy()
    weights = _estimators.sample_weights(train)
    parts = _choosing.stratified(train, min(_FOLDS, least), ctx.rng.seed())
    # A group of several classes can leave the others without one of them.
    parts = [part for part in parts if len(np.unique(y[part[0]])) == len(np.unique(y))]
    if not parts:
        ctx.note("C=1, without cross-validation, because no fold leaves every class to the others")
        return 1.0
    losses = np.sum([_losses(x, y, weights, *part) for part in parts], axis=0)
    return CHOICES[int(np.argmin(losses))]


def _losses(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, inside: np.ndarray, out: np.ndarray
) -> list[float]:
    """The summed log loss on the samples left out, for each of CHOICES; a fit begins where the last ended."""
    own, other = (None if weights is None else weights[rows] for rows in (inside, out))
    model: Any = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    found = []
    for C in CHOICES:
        with warnings.catch_warnings():
            # In float32, the last line search may be lost in rounding; only the choice depends on it.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=C).fit(x[inside], y[inside], own)
        shares = model.predict_proba(x[out])
        found.append(log_loss(y[out], shares, labels=model.classes_, normalize=False, sample_weight=other))
    return found


def nearest(train: LabeledSet, n_neighbors: int, ctx: Context) -> Fitted:
    """The shares of classes among the training samples with the largest cosines."""
    neighbors = min(n_neighbors, len(train))
    note_if_few(n_neighbors, len(train), ctx)
    fitted = _estimators.fit(KNeighborsClassifier(neighbors), replace(train, x=F.normalize(train.x)), ctx)
    return Fitted(Normalised(fitted.predict))


def prototype(train: LabeledSet) -> Fitted:
    """Ten times the cosine to the mean direction of each class."""
    return Fitted(Cosines(_means(train)))


def cosine(train: LabeledSet) -> Fitted:
    """Ten times the cosine to trained class weights."""
    return Fitted(Cosines(directions(train, _SCALE)))


def directions(train: LabeledSet, scale: float) -> torch.Tensor:
    """The class weights `[C, D]`, of length 1, whose scaled cosines to features have the least cross-entropy.

    They are found by L-BFGS, from the class means. Those of a class without samples are zero.
    """
    found, there = _means(train), train.class_counts > 0
    weight, targets = found[there].requires_grad_(), train.targets[:, there]
    weights = train.mean_weights
    share = torch.ones_like(train.targets[:, 0]) if weights is None else weights
    x = F.normalize(train.x)
    optimizer = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        losses = F.cross_entropy(scale * x @ F.normalize(weight).mT, targets, reduction="none")
        loss = (share * losses).sum() / share.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    found[there] = F.normalize(weight.detach())
    return found


def _means(train: LabeledSet) -> torch.Tensor:
    """The mean direction `[C, D]` of each class's samples; zero for a class without any."""
    return F.normalize(weighted_targets(train).mT @ F.normalize(train.x))
