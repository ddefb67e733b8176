"""TrivialAugment: one random operation of a random magnitude."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Batch, Context, Recipe, Strategy, TaskInfo, param


@dataclass(frozen=True)
class Trivialaugment(Strategy):
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
    family = "augmentations"
    kinds = frozenset({"image"})

    steps: int = param(400, low=0)

    def skip(self, task: TaskInfo) -> str | None:
        """torchvision's operations are for grey and colour images."""
        from fsbench_plugins._policies import channels_problem

        return channels_problem(task)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """At least `steps` steps, unless the recipe fixes their number."""
        from fsbench_plugins._recipes import at_least

        return at_least(self.steps, recipe, ctx)

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape, with images in [0, 1] in steps of 1/255."""
        from fsbench_plugins._policies import by_policy, wide_within

        return by_policy(batch, wide_within(*batch.x.shape[-2:]), ctx.rng)
