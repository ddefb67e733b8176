"""Small-loss selection: samples that look mislabelled do not count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SmallLoss(Strategy):
    """Leaves out the samples of each class with the largest losses, most of which have wrong labels.

    Networks learn right labels before they memorise wrong ones (Shen & Sanghavi 2019). `rate` is the fraction
    to leave out, ideally that of the wrong labels; it is reached linearly over the share `warm_up` of the
    training. Losses are compared with the latest ones of all training samples of the same label, as rare
    classes have larger losses without being wrong. The paper chooses samples between trainings; here,
    they are chosen in every step. On clean labels, the samples that are left out are the hard ones.
    """

    name = "small_loss"
    cite = (
        "Shen, Y. and Sanghavi, S. (2019). Learning with bad training data via iterative trimmed loss "
        "minimization. ICML."
    )
    family = "label_noise"

    rate: float = param(0.2, low=0.0, high=0.9, tune=(0.05, 0.5))
    warm_up: float = param(0.2, low=0.01, high=1.0, tune=(0.05, 0.5))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner losses `[B]` of samples with small ones, scaled to the same mean; zero for the others."""
        from fsbench_plugins._per_sample import LatestLosses, numbered, of_small

        losses, found = inner(logits, targets), numbered(logits, ctx)
        if found is None:
            return losses
        fraction = 1 - self.rate * min(1.0, ctx.progress / self.warm_up)
        return of_small(losses, ctx.memory(LatestLosses).small(found[1], losses, targets, fraction))
