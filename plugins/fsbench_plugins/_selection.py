"""Losses of a batch of which only some count: the largest, or the smallest."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from fsbench import Context
from fsbench_plugins import _class_balance

_ROUNDING = 1e-9  # 0.07 * 100 is a little more than 7


def number_of(fraction: float, samples: int) -> int:
    """How many of some samples a fraction is, rounded up; at least one."""
    return max(1, math.ceil(fraction * samples - _ROUNDING))


def only(losses: torch.Tensor, by: torch.Tensor, fraction: float, largest: bool = False) -> torch.Tensor:
    """The losses `[B]` of the fraction of samples with the smallest (or largest) `by` `[B]`; else zero.

    They are scaled by B over their number, so that the mean of the batch is the mean of those that count.
    """
    number = number_of(fraction, len(losses))
    chosen = by.detach().topk(number, largest=largest).indices
    return losses * losses.new_zeros(losses.shape).scatter(0, chosen, len(losses) / number)


def difficulty(
    logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
) -> torch.Tensor:
    """The inner losses `[B]` with the priors of the classes taken out of the logits `[B, C]`.

    So a sample is not difficult because its class is rare: small losses alone would leave out such classes.
    With equally large classes, these are the inner losses.
    """
    return inner(logits - _class_balance.log_priors(ctx.class_counts), targets).detach()
