"""Inner steps and the outer loops of MAML and Reptile, on a composed objective.

Episodes follow one another. `torch.func.vmap` would take them together, but its second derivatives of batch
normalisation are inexact (torch 2.14): finite differences differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.optim.swa_utils import update_bn

from fsbench import Batch, Context, LabeledSet, NonFinite, require_finite
from fsbench_plugins._cosine_head import CosineHead
from fsbench_plugins._episodes import Episodes
from fsbench_plugins._normalisation import batch_norms

Parameters = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Inner:
    """The inner loop: `steps` plain gradient steps on labels, for the model or only its head."""

    lr: float
    steps: int
    first_order: bool = False
    head_only: bool = False

    def adapt(self, objective: nn.Module, supports: Sequence[Batch]) -> Parameters:
        """The objective's trained parameters by name after a step on each batch, differentiable by them."""
        prefix = "model.head." if self.head_only else "model."
        own = objective.named_parameters()
        adapted: Parameters = {k: p for k, p in own if k.startswith(prefix) and p.requires_grad}
        for support in supports:
            slopes = torch.autograd.grad(
                _loss(adapted, objective, support),
                list(adapted.values()),
                create_graph=not self.first_order,
                materialize_grads=True,
            )
            pairs = zip(adapted.items(), slopes, strict=True)
            adapted = {k: p - self.lr * slope for (k, p), slope in pairs}
        return adapted

    def query_loss(self, objective: nn.Module, support: Batch, query: Batch) -> torch.Tensor:
        """The objective on the queries after adaptation to the support set."""
        adapted = self.adapt(objective, [support] * self.steps)
        return _loss(adapted, objective, query)


def _loss(parameters: Parameters, objective: nn.Module, batch: Batch) -> torch.Tensor:
    value: torch.Tensor = functional_call(objective, parameters, (batch,))
    return value


def meta_train(
    model: nn.Module,
    episodes: Episodes,
    inner: Inner,
    ctx: Context,
    lr: float,
    steps: int,
    episodes_a_step: int,
) -> None:
    """Train the model's weights, in place, so that the inner loop does well.

    Raises NonFinite if the objective was NaN or infinite.
    """
    example = LabeledSet(episodes.support_targets, episodes.support_targets)
    with ctx.entering("meta-training", train=example), ctx.torch_seeded():
        objective = ctx.objective(model)
        objective.train()
        optimizer = torch.optim.Adam(objective.parameters(), lr=lr, fused=True)
        losses = torch.zeros(steps, device=ctx.device)
        for step in range(steps):
            support, query = episodes.draw(episodes_a_step)
            supports = _augmented(support, episodes.support_targets, ctx, step, steps)
            queries = (Batch(x, episodes.query_targets) for x in query)
            pairs = zip(supports, queries, strict=True)
            loss = torch.stack([inner.query_loss(objective, *pair) for pair in pairs]).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses[step] = loss.detach()
    require_finite(losses, "try a smaller inner_lr or meta_lr", name="meta-objective")


def move_to_solutions(
    model: nn.Module,
    episodes: Episodes,
    shot: int,
    inner: Inner,
    ctx: Context,
    rate: float,
    steps: int,
    episodes_a_step: int,
) -> None:
    """Move the model's weights, in place, towards the mean of what the inner loop arrives at on episodes.

    Each inner step is on other labels of the episode, `shot` per class, as long as there are any. The
    fraction of the way falls linearly from `rate` to zero. Raises NonFinite if a weight became NaN or
    infinite.
    """
    example = LabeledSet(episodes.support_targets, episodes.support_targets)
    with ctx.entering("meta-training", train=example), ctx.torch_seeded():
        objective = ctx.objective(model)
        objective.train()
        parts = minibatches(episodes, shot, inner.steps)

        def solution(support: Batch) -> Parameters:
            return inner.adapt(objective, [Batch(support.x[rows], support.targets[rows]) for rows in parts])

        start = dict(objective.named_parameters())
        for step in range(steps):
            support, _ = episodes.draw(episodes_a_step)
            supports = _augmented(support, episodes.support_targets, ctx, step, steps)
            solutions = [solution(each) for each in supports]
            with torch.no_grad():
                for name in solutions[0]:
                    mean = torch.stack([each[name] for each in solutions]).mean(0)
                    start[name].lerp_(mean, rate * (1 - step / steps))
        if not all(bool(p.isfinite().all()) for p in start.values()):
            raise NonFinite("the meta-learned weights are NaN or infinite; try a smaller inner_lr")


def minibatches(episodes: Episodes, shot: int, number: int) -> torch.Tensor:
    """The rows of an episode's support set in each of some batches, `[number, way * shot]` int64.

    Batches have different samples of each class until all have had their turn.
    """
    own = torch.arange(number * shot).reshape(number, 1, shot) % episodes.shot
    rows = own + episodes.shot * torch.arange(episodes.way)[:, None]
    return rows.reshape(number, -1).to(episodes.x.device)


def _augmented(
    support: torch.Tensor, targets: torch.Tensor, ctx: Context, step: int, steps: int
) -> list[Batch]:
    """Each episode's support set after separate augmentation."""
    number, batches = len(support), []
    for i, x in enumerate(support):
        ctx.at_step(step * number + i, steps * number)
        batches.append(ctx.augment(Batch(x, targets)))
    return batches


def zero(head: nn.Module) -> None:
    """Set every parameter of a head to zero; one of cosines keeps its directions, which zeros do not have."""
    if isinstance(head, CosineHead):
        return
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()


@contextmanager
def batch_statistics(model: nn.Module, keep: bool = False) -> Iterator[list[Any]]:
    """Let batch normalisation use the statistics of each batch and store none; with `keep`, permanently."""
    layers = batch_norms(model)
    before = [(layer, layer.running_mean, layer.running_var, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None
        layer.track_running_stats = False
    yield layers
    for layer, mean, var, count in () if keep else before:
        layer.running_mean, layer.running_var, layer.num_batches_tracked = mean, var, count
        layer.track_running_stats = True


def keep_statistics(model: nn.Module, x: torch.Tensor) -> None:
    """Let batch normalisation that stores statistics store only those of `x [N, ...]`."""
    if any(layer.track_running_stats for layer in batch_norms(model)):
        update_bn([x], model)
