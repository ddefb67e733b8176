"""TrivialAugment: one random operation of a random magnitude."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Batch, Context, param
from fsbench_plugins._policies import Policy, by_policy, wide_within


@dataclass(frozen=True)
class Trivialaugment(Policy):
    """One random operation of a random magnitude on each image (Müller & Hutter 2021).

    The operations are the wide ones of torchvision, but nothing is shifted by more than the side of an image,
    as on the paper's smallest images, of 32 pixels; shifts of 32 pixels would leave smaller ones empty. They
    are drawn for each quarter of a batch, and do not ask whether a label survives them. Training lasts for at
    least `steps`, as in `augmentation`.
    """

    name = "trivialaugment"
    results_version = "2"
    cite = (
        "Müller, S. G. and Hutter, F. (2021). TrivialAugment: tuning-free yet state-of-the-art data "
        "augmentation. ICCV."
    )

    steps: int = param(400, low=0)

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape, with images in [0, 1] in steps of 1/255."""
        return by_policy(batch, wide_within(*batch.x.shape[-2:]), ctx.rng)
