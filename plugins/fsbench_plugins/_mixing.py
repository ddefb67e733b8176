"""Mixed samples: between two samples of a batch, or of rectangles.

Unlabelled inputs stay as they are: what is said of one input would be taken as said of two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from fsbench import Batch, Stream


def mix(batch: Batch, share: torch.Tensor, partner: torch.Tensor) -> Batch:
    """Mix each sample, with weight `share [B]`, with the sample number `partner [B]`."""
    return relabelled(batch, _between(batch.x, batch.x[partner], share), share, partner)


def relabelled(batch: Batch, x: torch.Tensor, share: torch.Tensor, partner: torch.Tensor) -> Batch:
    """A batch of mixed inputs `[B, ...]`, with targets and domains mixed by the shares `[B]`."""
    if batch.role == "unlabeled":
        return batch
    domain = batch.domain
    return replace(
        batch,
        x=x,
        targets=_between(batch.targets, batch.targets[partner], share),
        domain=None if domain is None else _between(domain, domain[partner], share),
    )


def _between(own: torch.Tensor, other: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    part = share.view(-1, *[1] * (own.dim() - 1))
    return part * own + (1 - part) * other


def rectangles(
    size: tuple[int, int], area: torch.Tensor, aspect: torch.Tensor, stream: Stream
) -> torch.Tensor:
    """Masks `[B, 1, H, W]` of rectangles with a fraction `area [B]` and an aspect (height to width) `[B]`.

    Centres are uniform; what is outside the image is cut off.
    """
    height, width = size
    centre = stream.uniform(2, len(area))
    sides = torch.stack([(area * aspect).sqrt() * height, (area / aspect).sqrt() * width])
    inside = []
    for length, middle, side in zip((height, width), centre, sides, strict=True):
        place = torch.arange(length, device=area.device) + 0.5
        inside.append((place - (middle * length)[:, None]).abs() < side[:, None] / 2)
    masks: torch.Tensor = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    return masks
