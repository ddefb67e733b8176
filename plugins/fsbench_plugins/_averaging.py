"""Averages of weights over the steps of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from fsbench import Context, Fitted, LabeledSet, Step
from fsbench_plugins._normalisation import equal_parts, renew_statistics, require_own_statistics

_PART = 256

Update = Callable[[list[torch.Tensor], list[torch.Tensor], int], None]
"""Changes averages in place, given the current tensors and how many were averaged: one of torch's."""


@dataclass
class _Kept:
    """Averages, and of how many steps they are."""

    tensors: list[torch.Tensor]
    number: int = 0


def average(step: Step, ctx: Context, update: Update) -> None:
    """Take the current weights into their average, which takes their place after the last step."""
    with torch.no_grad():
        now = [p.detach() for p in step.parameters]
        kept = ctx.memory(lambda: _Kept([each.clone() for each in now]))
        if kept.number:
            update(kept.tensors, now, kept.number)
        kept.number += 1
        if step.last:
            for current, mean in zip(now, kept.tensors, strict=True):
                current.copy_(mean)


def with_new_statistics(fitted: Fitted, train: LabeledSet, ctx: Context) -> Fitted:
    """A fit whose batch normalisation has the statistics of the training set under the averaged weights.

    An average of running averages would lag behind the weights. Frozen layers keep their statistics, and so
    does a network that was fitted on one sample. Raises InertComponent as `require_own_statistics` does.
    """
    require_own_statistics(fitted, ctx)
    if len(train) > 1 and fitted.network is not None:
        renew_statistics(fitted.network, equal_parts(train.x, _PART))
    return fitted
