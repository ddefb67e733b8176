"""Several strategies vote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable, Strategy, param, specs
from fsbench_plugins._logits import SMALLEST

if TYPE_CHECKING:
    import torch

_TIE_BREAK = 1e-3


@dataclass(frozen=True)
class Vote(Strategy):
    """Fits the strategies that `of` names, and lets them vote (Kittler et al. 1998).

    `how`: `soft` is the mean of their probabilities; `hard` the share of the strategies whose decision is a
    class, with a thousandth of the mean probability, which settles ties.
    """

    name = "vote"
    results_version = "2"
    cite = (
        "Kittler, J., Hatef, M., Duin, R. P. W. and Matas, J. (1998). On combining classifiers. IEEE TPAMI "
        "20(3)."
    )
    family = "fusion"
    replaces = frozenset({"fit"})

    of: str = param("erm, logistic_regression, svm", spec=True)
    how: Literal["soft", "hard"] = param("soft", tune=("soft", "hard"))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The vote of the fitted strategies."""
        from fsbench_plugins._fusion import mean_of

        members = [ctx.fit_with(spec, train) for spec in specs(self.of)]
        if self.how == "soft":
            return mean_of(members)
        return Fitted(Shares([each.predict for each in members]))


@dataclass(frozen=True, eq=False)
class Shares(Savable):
    """The logarithms of the shares of predictors that decide for each class; probabilities settle ties."""

    predictors: list[Predictor]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        import torch
        from torch.nn.functional import one_hot

        found = [predict(x) for predict in self.predictors]
        votes = torch.stack([one_hot(each.argmax(-1), each.shape[1]) for each in found])
        probabilities = torch.stack([each.softmax(-1) for each in found])
        shares = votes.float().mean(0) + _TIE_BREAK * probabilities.mean(0)
        return (shares / (1 + _TIE_BREAK)).clamp(min=SMALLEST).log()
