"""Averages of weights over the steps of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from fsbench import Context, Step

Update = Callable[[list[torch.Tensor], list[torch.Tensor], int], None]
"""Changes averages in place, given the current tensors and how many were averaged: one of torch's."""


@dataclass
class _Kept:
    """Averages, and of how many steps they are."""

    tensors: list[torch.Tensor]
    number: int = 0


def average(step: Step, ctx: Context, update: Update) -> None:
    """Take the current weights into their average, which takes their place after the last step.

    The statistics of normalisation layers are averaged in the same way.
    """
    with torch.no_grad():
        now = [p.detach() for p in step.parameters]
        now += [b for b in ctx.model.buffers() if b.is_floating_point()]
        kept = ctx.memory(lambda: _Kept([each.clone() for each in now]))
        if kept.number:
            update(kept.tensors, now, kept.number)
        kept.number += 1
        if step.last:
            for current, mean in zip(now, kept.tensors, strict=True):
                current.copy_(mean)
