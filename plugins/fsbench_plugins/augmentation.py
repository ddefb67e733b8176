"""Random changes to training batches that keep their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fsbench import Batch, Context, Recipe, Strategy, Stream, param

if TYPE_CHECKING:
    import torch

    from fsbench_plugins._image_transforms import Limits


@dataclass(frozen=True)
class Augmentation(Strategy):
    """Random transformations, drawn for each sample of each batch (Shorten & Khoshgoftaar 2019).

    Only transformations that keep the labels of the dataset are applied (`TaskInfo.symmetries`): photographs
    may be mirrored, digits are not. `strength` multiplies everything below; with 0 nothing changes, so the
    trial fails, as for any component without effect.

    Images: `crop` is the largest fraction of a side that is cut away before the rest is resized back, `flip`
    the probability of each mirror image, `rotation` in degrees to either side, `scale` the largest relative
    zoom in or out, `translation` the largest shift as a fraction of the side, in whole pixels; `padding`
    fills areas outside the image: with the pixel at the `border`, or with the `reflection` there.
    `brightness`, `contrast` and `saturation` (of colour images) are relative. Tables: `mixup` is the
    parameter of Beta(mixup, mixup), from which the weights of two mixed samples are drawn (Zhang et al.
    2018); 0, the default, mixes none, because mixing few rows of a table hurts. Both: `noise` is the standard
    deviation of Gaussian noise, on the scale of the inputs.

    On images, training lasts for at least `steps`, unless the recipe fixes its steps (`passes=0`): the steps
    after which plain training gains nothing are too few for images that are new each time.
    """

    name = "augmentation"
    results_version = "2"
    cite = (
        "Shorten, C. and Khoshgoftaar, T. M. (2019). A survey on image data augmentation for deep learning. "
        "Journal of Big Data 6(60). "
        "Tables: Zhang, H., Cisse, M., Dauphin, Y. N. and Lopez-Paz, D. (2018). "
        "mixup: Beyond empirical risk minimization. ICLR."
    )
    family = "augmentations"
    in_core = True
    kinds = frozenset({"image", "table"})

    strength: float = param(1.0, low=0.0, high=5.0, tune=(0.25, 2.0))
    crop: float = param(0.1, low=0.0, high=0.9, tune=(0.0, 0.4))
    flip: float = param(0.5, low=0.0, high=0.5)
    rotation: float = param(10.0, low=0.0, high=180.0, tune=(0.0, 30.0))
    scale: float = param(0.1, low=0.0, high=1.0, tune=(0.0, 0.3))
    translation: float = param(0.125, low=0.0, high=0.5, tune=(0.0, 0.25))
    padding: Literal["border", "reflection"] = param("border")
    brightness: float = param(0.2, low=0.0, high=1.0, tune=(0.0, 0.5))
    contrast: float = param(0.2, low=0.0, high=1.0, tune=(0.0, 0.5))
    saturation: float = param(0.2, low=0.0, high=1.0, tune=(0.0, 0.5))
    noise: float = param(0.05, low=0.0, high=1.0, tune=(0.0, 0.2))
    mixup: float = param(0.0, low=0.0, high=4.0, tune=(0.0, 1.0))
    steps: int = param(400, low=0)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """At least `steps` steps on images, unless the recipe fixes their number or nothing is changed."""
        from fsbench_plugins._recipes import at_least

        steps = self.steps if self.strength > 0 else 0
        return at_least({"image": steps, "table": 0}[ctx.task.kind], recipe, ctx)

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape; images stay in [0, 1] and targets distributions."""
        if self.strength == 0:
            return batch
        return {"image": self._image, "table": self._table}[ctx.task.kind](batch, ctx)

    def _image(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch, x=self.images(batch.x, ctx.task.symmetries, ctx.rng))

    def images(self, x: torch.Tensor, symmetries: frozenset[str], rng: Stream) -> torch.Tensor:
        """Random views of images `[B, C, H, W]` in [0, 1] whose labels `symmetries` keep."""
        from fsbench_plugins._image_transforms import augment_images

        return augment_images(x, self.limits(symmetries), self.padding, rng)

    def _table(self, batch: Batch, ctx: Context) -> Batch:
        from fsbench_plugins._table_noise import augment_tables

        return augment_tables(batch, self.noise * self.strength, self.mixup * self.strength, ctx.rng)

    def limits(self, symmetries: frozenset[str]) -> Limits:
        """The magnitudes if only `symmetries` keep a label."""
        from fsbench_plugins._image_transforms import Limits

        def limit(name: str, most: float, *needs: str) -> float:
            return min(most, self.strength * getattr(self, name)) if symmetries.issuperset(needs) else 0.0

        return Limits(
            crop=limit("crop", 0.9, "scale", "translation"),
            hflip=limit("flip", 0.5, "hflip"),
            vflip=limit("flip", 0.5, "vflip"),
            rotation=limit("rotation", 180.0, "rotation"),
            scale=limit("scale", 2.0, "scale"),
            translation=limit("translation", 0.5, "translation"),
            brightness=limit("brightness", 1.0, "colour"),
            contrast=limit("contrast", 1.0, "colour"),
            saturation=limit("saturation", 1.0, "colour"),
            noise=limit("noise", 1.0),
        )
