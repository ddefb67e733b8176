"""Class means, and distances to them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from fsbench import LabeledSet, Savable
from fsbench_plugins._logits import SMALLEST

EMBED_BATCH = 1024


def weighted_targets(train: LabeledSet, mean_one: bool = False) -> torch.Tensor:
    """Targets `[N, C]` times the sampling weights, if there are any, or times weights of mean 1."""
    weights = train.mean_weights
    if weights is None:
        return train.targets
    return train.targets * (weights / weights.mean() if mean_one else weights)[:, None]


def class_means(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Prototypes `[C, D]`: the mean of the features `[N, D]` of each class, by targets `[N, C]`.

    A soft target counts with its weight. A class without samples has the prototype 0.
    """
    return targets.T @ features / targets.sum(0).clamp(min=torch.finfo(targets.dtype).eps)[:, None]


def negative_squared_distances(features: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Logits `[N, C]`: minus the squared Euclidean distances of features `[N, D]` to means `[C, D]`."""
    return 2 * features @ means.T - features.square().sum(1)[:, None] - means.square().sum(1)


def by_means(queries: torch.Tensor, support: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Logits `[Q, C]` of queries `[Q, D]`: minus squared distances to the class means of a support."""
    return negative_squared_distances(queries, class_means(support, targets))


def without(absent: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Logits `[Q, C]` in which each class that `absent [C]` marks is the least likely of its row."""
    least = logits.masked_fill(absent, torch.inf).amin(1, keepdim=True)
    return torch.where(absent, least + math.log(SMALLEST), logits)


def embed(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Features `[N, D]` of inputs `[N, ...]` in evaluation mode, without gradients."""
    model.eval()
    with torch.no_grad():
        return torch.cat([_features(model, part).float() for part in torch.split(x, EMBED_BATCH)])


def _features(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = model.forward_features(x)  # type: ignore[operator]
    return features


class NearestMeans(nn.Module, Savable):
    """A model's features under class means `[C, D]`: logits are minus the squared distances to them.

    A class that `absent [C]` marks is never the nearest: its logit is the row's least one plus log(1e-7).
    """

    means: torch.Tensor
    absent: torch.Tensor

    def __init__(self, model: nn.Module, means: torch.Tensor, absent: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("means", means)
        self.register_buffer("absent", absent)

    def arguments(self) -> dict[str, Any]:
        """The model, the means and the absent classes."""
        return {"model": self.model, "means": self.means, "absent": self.absent}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        return without(self.absent, negative_squared_distances(_features(self.model, x), self.means))


def nearest_means(model: nn.Module, train: LabeledSet) -> NearestMeans:
    """A model's features under the class means of a training set, in which sampling weights count."""
    shares = weighted_targets(train)
    return NearestMeans(model, class_means(embed(model, train.x), shares), shares.sum(0) == 0)
