"""Rules that give logits by comparing features with those of labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fsbench import Context, Fitted, LabeledSet, Predictor, Savable
from fsbench_plugins._episodes import Rule
from fsbench_plugins._prototypes import embed, weighted_targets

TINY = 1e-9


@dataclass(frozen=True)
class Attention(Savable):
    """Log of the attention `softmax(scale * cosine)` of queries `[Q, D]` that each class gets, `[Q, C]`."""

    scale: float

    def __call__(self, queries: torch.Tensor, support: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits, of which the softmax is the shares."""
        normalize = nn.functional.normalize
        attention = (self.scale * normalize(queries) @ normalize(support).T).softmax(-1)
        return (attention @ targets).clamp(min=TINY).log()


@dataclass(frozen=True)
class Ridge(Savable):
    """`scale` times the prediction `[Q, C]` for queries `[Q, D]` of a ridge regression on the support.

    The penalty is `l2` times the mean squared length of the support's features. The weight of a sample is the
    sum of its targets.
    """

    l2: float
    scale: float

    def __call__(self, queries: torch.Tensor, support: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits; the system that is solved is of the smaller of the numbers of samples and features."""
        samples, features = support.shape
        penalty = self.l2 * support.square().sum(1).mean()
        root = targets.sum(1, keepdim=True).sqrt()
        support, targets = root * support, targets / root.clamp(min=TINY)
        eye = penalty * torch.eye(min(samples, features), dtype=support.dtype, device=support.device)
        if samples < features:
            weights = support.T @ torch.linalg.solve(support @ support.T + eye, targets)
        else:
            weights = torch.linalg.solve(support.T @ support + eye, support.T @ targets)
        logits: torch.Tensor = self.scale * queries @ weights
        return logits


@dataclass(frozen=True, eq=False)
class Cached(Savable):
    """Log-probabilities of a predictor plus `alpha` times labels by similarity, on features `[N, D]`.

    `keys [S, D]` are features of length 1 with the targets `[S, C]`; the similarity of a cosine c is
    `exp(-beta (1 - c))`.
    """

    predict: Predictor
    keys: torch.Tensor
    targets: torch.Tensor
    alpha: float
    beta: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`."""
        similarity = (-self.beta * (1 - nn.functional.normalize(x) @ self.keys.T)).exp()
        return self.predict(x).log_softmax(-1) + self.alpha * similarity @ self.targets


class Compared(nn.Module, Savable):
    """A model's features, compared by a rule with those of labelled samples `[S, D]`, targets `[S, C]`."""

    support: torch.Tensor
    targets: torch.Tensor

    def __init__(self, model: nn.Module, rule: Rule, support: torch.Tensor, targets: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.rule = rule
        self.register_buffer("support", support)
        self.register_buffer("targets", targets)

    def arguments(self) -> dict[str, Any]:
        """The model, the rule, and the labelled samples."""
        return {"model": self.model, "rule": self.rule, "support": self.support, "targets": self.targets}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        features: torch.Tensor = self.model.forward_features(x)  # type: ignore[operator]
        return self.rule(features, self.support, self.targets)


def compared(rule: Rule, train: LabeledSet, ctx: Context) -> Fitted:
    """The predictor that compares with a training set; sampling weights multiply the targets."""
    shares = weighted_targets(train, mean_one=True)
    return ctx.fitted(Compared(ctx.model, rule, embed(ctx.model, train.x), shares))
