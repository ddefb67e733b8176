"""An independent loop of domain-adversarial training in plain torch, to compare the strategy `dann` with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Choices:
    """What descriptions of the method leave open; the defaults are those of `dann(sgd=false)`.

    `tap` is the number of layers of the body before the domain head (None: all), `passes` says whether the
    body sees source and target as one batch or one after the other, and `weight` multiplies the sum of the
    mean domain losses of both. A weight of None trains on the source alone.
    """

    tap: int | None = None
    passes: str = "two"
    weight: float | None = 1.0
    ramp: float = 10.0
    optimizer: str = "adamw"
    lr: float = 1e-3
    domain_lr_scale: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: str = "cosine"


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):  # type: ignore[no-untyped-def]
        ctx.scale = scale
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient.neg() * ctx.scale, None


def train(
    body: nn.Sequential,
    head: nn.Module,
    domain_head: nn.Module,
    source: tuple[torch.Tensor, torch.Tensor],
    target: torch.Tensor,
    batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
    choices: Choices,
) -> list[float]:
    """Train all three in place; returns the loss of each step.

    `source` is inputs `[N, ...]` and labels `[N]`; `batches` has the rows of source and of target for each
    step.
    """
    low, high = body[: choices.tap], nn.Sequential() if choices.tap is None else body[choices.tap :]
    domain_rate = choices.lr * choices.domain_lr_scale
    groups = [
        {"params": [*body.parameters(), *head.parameters()], "lr": choices.lr},
        {"params": list(domain_head.parameters()), "lr": domain_rate},
    ]
    optimizer = _optimizer(groups, choices)
    losses = []
    for number, (rows, others) in enumerate(batches):
        progress = number / max(1, len(batches) - 1)
        for group, rate in zip(optimizer.param_groups, (choices.lr, domain_rate), strict=True):
            group["lr"] = rate * _schedule(choices.schedule, number, len(batches))
        parts = [source[0][rows], target[others]] if choices.weight is not None else [source[0][rows]]
        if choices.passes == "one":
            lows = low(torch.cat(parts)).split([len(part) for part in parts])
            highs = high(torch.cat(lows)).split([len(part) for part in parts])
        else:
            lows = tuple(low(part) for part in parts)
            highs = tuple(high(each) for each in lows)
        loss = F.cross_entropy(head(highs[0]), source[1][rows])
        if choices.weight is not None:
            scale = math.tanh(choices.ramp * progress / 2)
            opinion = domain_head(_Reverse.apply(torch.cat(lows), scale)).flatten()
            truth = torch.cat([opinion.new_zeros(len(rows)), opinion.new_ones(len(others))])
            each = F.binary_cross_entropy_with_logits(opinion, truth, reduction="none")
            loss = loss + choices.weight * (each[: len(rows)].mean() + each[len(rows) :].mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _optimizer(groups: list[dict[str, object]], choices: Choices) -> torch.optim.Optimizer:
    if choices.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=choices.momentum, weight_decay=choices.weight_decay)
    return torch.optim.AdamW(groups, betas=(choices.momentum, 0.999), weight_decay=choices.weight_decay)


def _schedule(name: str, step: int, steps: int) -> float:
    """The factor of the learning rates: cosine, constant, or the annealing of Ganin et al."""
    if name == "cosine":
        return (1 + math.cos(math.pi * step / steps)) / 2
    return 1.0 if name == "constant" else float((1 + 10 * step / max(1, steps - 1)) ** -0.75)
