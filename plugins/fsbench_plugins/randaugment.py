"""RandAugment: a few random operations of one magnitude."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Batch, Context, param
from fsbench_plugins._policies import Policy, by_policy


@dataclass(frozen=True)
class Randaugment(Policy):
    """`operations` random operations of magnitude `magnitude` (of 31) on each image (Cubuk et al. 2020).

    The operations are those of torchvision: none, shears, shifts, rotations, changes of colour, contrast,
    brightness and sharpness, fewer grey levels, inverted light pixels, and stretched or equalised histograms.
    They are drawn for each quarter of a batch, and do not ask whether a label survives them. Training lasts
    for at least `steps`, as in `augmentation`.
    """

    name = "randaugment"
    results_version = "2"
    cite = (
        "Cubuk, E. D., Zoph, B., Shlens, J. and Le, Q. V. (2020). RandAugment: practical automated data "
        "augmentation with a reduced search space. CVPR workshops."
    )

    operations: int = param(2, low=1, tune=(1, 3))
    magnitude: int = param(9, low=0, high=30, tune=(3, 15))
    steps: int = param(400, low=0)

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape, with images in [0, 1] in steps of 1/255."""
        from torchvision.transforms import v2

        return by_policy(batch, v2.RandAugment(self.operations, self.magnitude), ctx.rng)
