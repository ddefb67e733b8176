"""Stacking: a classifier of the predictions of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable, param
from fsbench_plugins._fusing import Fusing

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Stack(Fusing):
    """Logistic regression on the probabilities of the strategies that `of` names (Wolpert 1992).

    It is fitted to held-out labels: those of the validation part. Without one, or if a strategy is fitted to
    it (as `temperature` is), they are those of the training part, predicted by `folds` further fits of each.
    `C` is its inverse regularisation.
    """

    name = "stack"
    cite = "Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2)."
    C: float = param(10.0, low=1e-6, tune=(0.1, 1000.0))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The classifier on the predictions of the fitted strategies."""
        from sklearn.linear_model import LogisticRegression

        from fsbench_plugins import _estimators

        known, members = self.members(train, ctx)
        data = LabeledSet(beside(known.logits), known.targets)
        last = _estimators.fit(LogisticRegression(C=self.C, max_iter=1000), data, ctx, kind="table")
        return Fitted(Stacked([member().predict for member in members], last.predict))


@dataclass(frozen=True, eq=False)
class Stacked(Savable):
    """A predictor on the probabilities of others."""

    predictors: list[Predictor]
    last: Any

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        found: torch.Tensor = self.last(beside([predict(x) for predict in self.predictors]))
        return found


def beside(logits: list[torch.Tensor]) -> torch.Tensor:
    """The probabilities of logits `[N, C]`, side by side; with two classes, those of class 1 only."""
    import torch

    shares = [each.softmax(-1) for each in logits]
    return torch.cat([each[:, 1:] if each.shape[1] == 2 else each for each in shares], 1)
