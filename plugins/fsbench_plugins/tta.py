"""Test-time augmentation: the mean prediction over views of a test sample."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Context, Fitted, InertComponent, LabeledSet, Strategy, TaskInfo, param


@dataclass(frozen=True)
class Tta(Strategy):
    """The mean probability over a test image and `views` moved copies of it (Krizhevsky et al. 2012).

    The copies are shifted, turned, zoomed and, where the label survives it, mirrored, as `augmentation` with
    `strength` does. The movements are drawn once for a training set (an episode has one of its own) and are
    the same for all of its test images, so a prediction depends on no other. Training is not changed.
    """

    name = "tta"
    cite = (
        "Krizhevsky, A., Sutskever, I. and Hinton, G. E. (2012). ImageNet classification with deep "
        "convolutional neural networks. NeurIPS 25."
    )
    family = "augmentations"
    kinds = frozenset({"image"})

    views: int = param(8, low=0, tune=(2, 16))
    strength: float = param(0.5, low=0.0, high=5.0, tune=(0.25, 1.0))

    def skip(self, task: TaskInfo) -> str | None:
        """A movement must keep the labels."""
        moves = {"translation", "rotation", "scale", "hflip", "vflip"}
        return None if task.symmetries & moves else "no movement is known to keep the labels"

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor that averages. Raises InertComponent if another component embeds the images."""
        from fsbench_plugins._test_views import Averaged, movements

        if not self.views:
            return fitted
        if len(ctx.task.input_shape) != 3:
            raise InertComponent("tta had no effect; the predictor gets features, not images")
        moved = movements(self.views, self.strength, ctx.task, ctx.rng)
        return Fitted(Averaged(fitted.predict, *moved), fitted.network)
