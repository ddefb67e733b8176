"""Random erasing: rectangles of noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fsbench import Batch, Context, Strategy, param


@dataclass(frozen=True)
class RandomErasing(Strategy):
    """A random rectangle of an image becomes noise, with the probability `p` (Zhong et al. 2020).

    The rectangle has between `smallest` and `largest` of the area and an aspect between 0.3 and 1/0.3, whose
    logarithm is uniform, before what is outside the image is cut off; the noise is uniform in [0, 1). The
    paper draws the aspect itself uniformly, and anew until the rectangle is inside.
    """

    name = "random_erasing"
    results_version = "2"
    cite = (
        "Zhong, Z., Zheng, L., Kang, G., Li, S. and Yang, Y. (2020). Random erasing data augmentation. AAAI."
    )
    family = "augmentations"
    kinds = frozenset({"image"})

    p: float = param(0.5, low=0.0, high=1.0, tune=(0.2, 1.0))
    smallest: float = param(0.02, low=0.0, high=1.0)
    largest: float = param(0.4, low=0.0, high=1.0, tune=(0.1, 0.5))

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape, with images in [0, 1]."""
        import torch

        from fsbench_plugins._mixing import rectangles

        stream, size = ctx.rng, len(batch.x)
        area = stream.uniform(size, low=self.smallest, high=max(self.smallest, self.largest))
        aspect = stream.uniform(size, low=math.log(0.3), high=-math.log(0.3)).exp()
        height, width = batch.x.shape[-2:]
        cut = rectangles((height, width), area, aspect, stream)
        cut &= (stream.uniform(size) < self.p).view(-1, 1, 1, 1)
        return replace(batch, x=torch.where(cut, stream.uniform(*batch.x.shape), batch.x))
