"""Gradient reversal, its ramp, and the loss of a domain classifier."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F


class _ReverseGradient(torch.autograd.Function):
    """The identity forward; the gradient times `-scale` backward."""

    @staticmethod
    def forward(x: torch.Tensor, scale: float) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.scale * gradient, None


def reverse_gradient(x: torch.Tensor, scale: float) -> torch.Tensor:
    """`x`, with gradients multiplied by `-scale`."""
    reversed_: torch.Tensor = _ReverseGradient.apply(x, scale)
    return reversed_


def ramp(progress: float, gamma: float) -> float:
    """The factor of the reversed gradient, rising from 0 towards 1."""
    return 2 / (1 + math.exp(-gamma * progress)) - 1


def domain_loss(
    labelled: torch.Tensor,
    target: torch.Tensor,
    domain: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
    target_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean binary cross-entropy over source samples plus that over target samples.

    `labelled [B]` and `target [U]` are logits of being from the target; `domain [B]` in [0, 1] is the
    fraction of each labelled sample that is from the target (0 if it is not given). `weights [B]` and
    `target_weights [U]`, which are at least 1, make the means weighted.
    """
    source, other = F.softplus(labelled), F.softplus(-target)
    if domain is None and weights is None:
        return source.mean() + other.mean()
    weights = torch.ones_like(labelled) if weights is None else weights
    target_weights = torch.ones_like(target) if target_weights is None else target_weights
    of_target = torch.zeros_like(labelled) if domain is None else domain * weights
    of_source = weights - of_target
    both = (target_weights * other).sum() + (of_target * F.softplus(-labelled)).sum()
    return (of_source * source).sum() / of_source.sum().clamp(min=1) + both / (
        target_weights.sum() + of_target.sum()
    )
