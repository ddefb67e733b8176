"""What the strategies that fuse several models share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable


@dataclass(frozen=True, eq=False)
class MeanProbability(Savable):
    """The logarithm of the mean probability of predictors `x [N, ...] -> logits [N, C]`, perhaps weighted."""

    predictors: list[Predictor]
    weights: list[float] | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`; those of a single predictor are left as they are."""
        if len(self.predictors) == 1:
            return self.predictors[0](x).clone()
        shares = self.weights or [1 / len(self.predictors)] * len(self.predictors)
        terms = [
            predict(x).log_softmax(-1) + math.log(share)
            for predict, share in zip(self.predictors, shares, strict=True)
            if share > 0
        ]
        return torch.stack(terms).logsumexp(0)


def mean_of(members: Sequence[Fitted], weights: list[float] | None = None) -> Fitted:
    """The predictor of the mean probability of several."""
    return Fitted(MeanProbability([each.predict for each in members], weights))


def bootstrap(train: LabeledSet, ctx: Context, purpose: str) -> torch.Tensor:
    """As many random rows of each class as it has, `[N]` int64, with repetition."""
    rng, parts = ctx.stream(purpose), []
    for label in torch.unique(train.y).tolist():
        own = (train.y == label).nonzero()[:, 0]
        parts.append(own[rng.integers(0, len(own), len(own))])
    return torch.cat(parts)
