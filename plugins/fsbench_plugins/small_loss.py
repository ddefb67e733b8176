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
    """Leaves out the samples of a batch with the largest losses, most of which have wrong labels.

    Networks learn right labels before they memorise wrong ones (Shen & Sanghavi 2019, who trim the losses of
    the whole training set; here, those of a batch). `rate` is the fraction to leave out, best that of wrong
    labels; it is reached linearly over the share `warm_up` of the training. The priors of the classes are
    taken out of the losses that are compared, or rare classes would be left out. On clean labels, the samples
    that are left out are the hard ones.
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
        """The smallest inner losses `[B]`, scaled by B over their number; zero for the others."""
        from fsbench_plugins import _selection

        by = _selection.difficulty(logits, targets, inner, ctx)
        fraction = 1 - self.rate * min(1.0, ctx.progress / self.warm_up)
        return _selection.only(inner(logits, targets), by, fraction)
