"""The tensor work of `augmentation` on tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from fsbench import Batch, Stream


def augment_tables(batch: Batch, noise: float, alpha: float, rng: Stream) -> Batch:
    """MixUp with Beta(alpha, alpha), then Gaussian noise; zero leaves either out."""
    x, targets = batch.x, batch.targets
    if alpha > 0:
        share, partner = rng.beta(alpha, alpha, len(x), 1), rng.permutation(len(x))
        x, targets = mix(x, share, partner), mix(targets, share, partner)
    if noise > 0:
        x = x + noise * rng.normal(*x.shape)
    return replace(batch, x=x, targets=targets)


def mix(values: torch.Tensor, share: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
    """`share` `[B, 1]` of each row of `values` `[B, F]` and the rest of its partner's row."""
    return share * values + (1 - share) * values[partner]
