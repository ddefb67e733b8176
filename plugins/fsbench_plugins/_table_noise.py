"""The tensor operations of `augmentation` on tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fsbench_plugins._mixing import mix

if TYPE_CHECKING:
    from fsbench import Batch, Stream


def augment_tables(batch: Batch, noise: float, alpha: float, rng: Stream) -> Batch:
    """MixUp with Beta(alpha, alpha), then Gaussian noise; zero leaves out either."""
    if alpha > 0:
        batch = mix(batch, rng.beta(alpha, alpha, len(batch.x)), rng.permutation(len(batch.x)))
    if noise > 0:
        batch = replace(batch, x=batch.x + noise * rng.normal(*batch.x.shape))
    return batch
