"""The meta-training of an embedding on episodes."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from fsbench import Batch, Context, LabeledSet, require_finite, training_mode
from fsbench_plugins._episodes import Episodes, Rule


class Comparing(nn.Module):
    """A model that classifies queries by comparing their features with those of a support set.

    Support and queries pass the body together, as one batch of its batch normalisation.
    """

    def __init__(self, model: nn.Module, rule: Rule) -> None:
        super().__init__()
        self.model = model
        self.rule = rule
        self.num_features = cast(int, model.num_features)
        self.support = Batch(torch.empty(0), torch.empty(0))
        self._seen = torch.empty(0)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of queries `[N, ...]`; those of the support are kept for the head."""
        features: torch.Tensor = self.model.forward_features(torch.cat([self.support.x, x]))  # type: ignore[operator]
        few = len(self.support.x)
        self._seen = features[:few]
        return features[few:]

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the queries' features."""
        return self.rule(features, self._seen, self.support.targets)


def train_on_episodes(
    model: nn.Module,
    rule: Rule,
    episodes: Episodes,
    ctx: Context,
    lr: float,
    steps: int,
    halve_every: int | None = None,
) -> None:
    """Train the model's body, in place, so that the rule gets the classes of queries right.

    There is one episode per step; the optimizer is Adam, with a rate that falls to zero along a cosine, or
    that is halved every `halve_every` steps. Raises NonFinite if the objective was NaN or infinite.
    """
    example = LabeledSet(episodes.support_targets, episodes.support_targets)
    with ctx.entering("meta-training", train=example), ctx.torch_seeded():
        learner = Comparing(model, rule)
        objective = ctx.objective(learner)
        training_mode(objective)
        parameters = [p for p in objective.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)
        schedule = (
            CosineAnnealingLR(optimizer, steps)
            if halve_every is None
            else StepLR(optimizer, halve_every, 0.5)
        )
        losses = torch.zeros(steps, device=ctx.device)
        for step in range(steps):
            ctx.at_step(step, steps)
            support, query = episodes.draw(1)
            learner.support = ctx.augment(Batch(support[0], episodes.support_targets))
            loss = objective(Batch(query[0], episodes.query_targets))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses[step] = loss.detach()
    require_finite(losses, "try a smaller meta_lr")
