"""Class means, distances to them, and the training of an embedding on episodes."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from fsbench import Batch, Context, FsbenchError, LabeledSet, Savable
from fsbench_plugins._episodes import Episodes

EMBED_BATCH = 1024
NEVER = -1e9  # the logit of a class without a sample


def class_means(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Prototypes `[C, D]`: the mean of the features `[N, D]` of each class, by targets `[N, C]`.

    A soft target counts with its weight. A class without samples has the prototype 0.
    """
    return targets.T @ features / targets.sum(0).clamp(min=torch.finfo(targets.dtype).eps)[:, None]


def negative_squared_distances(features: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Logits `[N, C]`: minus the squared Euclidean distances of features `[N, D]` to means `[C, D]`."""
    return 2 * features @ means.T - features.square().sum(1)[:, None] - means.square().sum(1)


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

    A class that `absent [C]` marks is never the nearest.
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
        return negative_squared_distances(_features(self.model, x), self.means).masked_fill(
            self.absent, NEVER
        )


class Prototypical(nn.Module):
    """A model that classifies queries by their distances to the class means of a support set.

    Support and queries pass the body together, as one batch of its batch normalisation.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.num_features = cast(int, model.num_features)
        self.support = Batch(torch.empty(0), torch.empty(0))
        self._means = torch.empty(0)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of queries `[N, ...]`; this also computes the class means."""
        features = _features(self.model, torch.cat([self.support.x, x]))
        few = len(self.support.x)
        self._means = class_means(features[:few], self.support.targets)
        return features[few:]

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the queries' features."""
        return negative_squared_distances(features, self._means)


def meta_train(
    model: nn.Module, episodes: Episodes, ctx: Context, lr: float, halve_every: int, steps: int
) -> None:
    """Train the model's body, in place, so that queries are close to the means of their classes.

    There is one episode per step; the optimizer is Adam, with a rate that is halved at regular intervals.
    Raises FsbenchError if the objective was NaN or infinite.
    """
    example = LabeledSet(episodes.support_targets, episodes.support_targets)
    with ctx.entering("meta-training", train=example):
        learner = Prototypical(model)
        objective = ctx.objective(learner)
        objective.train()
        parameters = [p for p in objective.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)
        halving = torch.optim.lr_scheduler.StepLR(optimizer, halve_every, 0.5)
        losses = torch.zeros(steps, device=ctx.device)
        for step in range(steps):
            ctx.at_step(step, steps)
            support, query = episodes.draw(1)
            learner.support = ctx.augment(Batch(support[0], episodes.support_targets))
            loss = objective(Batch(query[0], episodes.query_targets))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            halving.step()
            losses[step] = loss.detach()
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        raise FsbenchError(
            f"the loss became {losses[bad[0, 0]].item()} at episode {int(bad[0, 0])} of {steps}; "
            "try a smaller meta_lr"
        )
