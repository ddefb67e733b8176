"""Stacking: a classifier of the predictions of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable, param
from fsbench_plugins._fusing import Fusing
from fsbench_plugins._logits import SMALLEST

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Stack(Fusing):
    """Logistic regression on the probabilities of the strategies that `of` names (Wolpert 1992).

    It is fitted to held-out labels: those of the validation part. Without one, or if a strategy is fitted to
    it (as `temperature` is), they are those of the training part, predicted by `folds` further fits of each.
    `C` is its inverse regularisation. A class without a held-out label keeps the members' mean probability;
    if only one class has such labels, all do.
    """

    name = "stack"
    results_version = "2"
    cite = "Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2)."
    C: float = param(10.0, low=1e-6, tune=(0.1, 1000.0))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The classifier on the predictions of the fitted strategies."""
        from sklearn.linear_model import LogisticRegression

        from fsbench_plugins import _estimators
        from fsbench_plugins._fusion import mean_of

        known, members = self.members(train, ctx)
        data = LabeledSet(beside(known.logits), known.targets)
        if (data.class_counts > 0).sum() < 2:
            ctx.note("held-out labels of one class only; the mean of the members in place of a classifier")
            return mean_of([member() for member in members])
        last = _estimators.fit(LogisticRegression(C=self.C, max_iter=1000), data, ctx, kind="table")
        unknown = (data.class_counts == 0).nonzero().flatten().tolist()
        return Fitted(Stacked([member().predict for member in members], last.predict, unknown))


@dataclass(frozen=True, eq=False)
class Stacked(Savable):
    """A predictor on the probabilities of others; those of `unknown` classes are the mean of theirs."""

    predictors: list[Predictor]
    last: Any
    unknown: list[int]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        import torch

        logits = [predict(x) for predict in self.predictors]
        found: torch.Tensor = self.last(beside(logits))
        if not self.unknown:
            return found
        mean = torch.stack([each.softmax(-1) for each in logits]).mean(0)[:, self.unknown]
        p = found.softmax(-1) * (1 - mean.sum(1, keepdim=True))
        p[:, self.unknown] = mean
        return p.clamp(min=SMALLEST).log()


def beside(logits: list[torch.Tensor]) -> torch.Tensor:
    """The probabilities of logits `[N, C]`, side by side; with two classes, those of class 1 only."""
    import torch

    shares = [each.softmax(-1) for each in logits]
    return torch.cat([each[:, 1:] if each.shape[1] == 2 else each for each in shares], 1)
