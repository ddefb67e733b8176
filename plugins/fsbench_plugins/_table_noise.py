"""The tensor operations of `augmentation` on tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from fsbench import Batch, Stream


def augment_tables(batch: Batch, noise: float, alpha: float, rng: Stream) -> Batch:
    """MixUp with Beta(alpha, alpha), then Gaussian noise; zero leaves out either."""
    if alpha > 0:
        batch = mix(batch, rng.beta(alpha, alpha, len(batch.x)), rng.permutation(len(batch.x)))
    if noise > 0:
        batch = replace(batch, x=batch.x + noise * rng.normal(*batch.x.shape))
    return batch


def mix(batch: Batch, share: torch.Tensor, partner: torch.Tensor) -> Batch:
    """Mix each sample, with weight `share [B]`, with the sample number `partner [B]`."""

    def mixed(values: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        return part * values + (1 - part) * values[partner]

    return replace(
        batch,
        x=mixed(batch.x, share[:, None]),
        targets=mixed(batch.targets, share[:, None]),
        domain=None if batch.domain is None else mixed(batch.domain, share),
    )
