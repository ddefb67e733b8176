"""mixup: training on points between two samples."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Batch, Context, Strategy, param


@dataclass(frozen=True)
class Mixup(Strategy):
    """Each sample of a batch is mixed with another, inputs and targets alike (Zhang et al. 2018).

    The share of the other sample is drawn for each sample from Beta(alpha, alpha), folded so that the sample
    itself has at least one half. With `alpha` 0 nothing is mixed.
    """

    name = "mixup"
    cite = (
        "Zhang, H., Cisse, M., Dauphin, Y. N. and Lopez-Paz, D. (2018). mixup: Beyond empirical risk "
        "minimization. ICLR."
    )
    family = "augmentations"

    alpha: float = param(0.4, low=0.0, tune=(0.1, 2.0))

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """A batch of the same shape; targets stay distributions."""
        from fsbench_plugins._mixing import mix

        if self.alpha == 0:
            return batch
        share = ctx.rng.beta(self.alpha, self.alpha, len(batch.x))
        return mix(batch, share.maximum(1 - share), ctx.stream("partners").permutation(len(batch.x)))
