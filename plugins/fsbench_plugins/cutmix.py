"""CutMix: a rectangle of another image, and its share of the label."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Batch, Context, Strategy, param


@dataclass(frozen=True)
class Cutmix(Strategy):
    """A random rectangle of each image is replaced by that of another (Yun et al. 2019).

    The rectangle's share of the area is drawn from Beta(alpha, alpha) for each image, before what is outside
    the image is cut off; targets are mixed by the area that is left. A batch is changed with the probability
    `p`.
    """

    name = "cutmix"
    cite = (
        "Yun, S., Han, D., Oh, S. J., Chun, S., Choe, J. and Yoo, Y. (2019). CutMix: regularization "
        "strategy to train strong classifiers with localizable features. ICCV."
    )
    family = "augmentations"
    kinds = frozenset({"image"})

    alpha: float = param(1.0, low=1e-3, tune=(0.2, 2.0))
    p: float = param(0.5, low=0.0, high=1.0, tune=(0.2, 1.0))

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape; targets stay distributions."""
        import torch

        from fsbench_plugins._mixing import rectangles, relabelled

        stream = ctx.rng
        if float(stream.numpy.random()) >= self.p:
            return batch
        area = stream.beta(self.alpha, self.alpha, len(batch.x))
        partner = stream.permutation(len(batch.x))
        height, width = batch.x.shape[-2:]
        cut = rectangles((height, width), area, torch.ones_like(area), stream)
        x = torch.where(cut, batch.x[partner], batch.x)
        return relabelled(batch, x, 1 - cut.float().mean((1, 2, 3)), partner)
