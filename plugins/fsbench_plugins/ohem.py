"""Online hard example mining: only the worst samples of a batch count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Ohem(Strategy):
    """Online hard example mining (Shrivastava et al. 2016): only the largest losses of a batch count.

    `keep` is the fraction of a batch that counts, rounded up; 1 leaves the loss unchanged. The losses are
    those of the components before it, scaled so that the mean of the batch is the mean of its hard samples.
    If labels are wrong, the samples with wrong labels are the hardest.
    """

    name = "ohem"
    cite = (
        "Shrivastava, A., Gupta, A. and Girshick, R. (2016). Training region-based object detectors with "
        "online hard example mining. CVPR."
    )
    family = "hard_examples"

    keep: float = param(0.5, low=0.01, high=1.0, tune=(0.25, 1.0))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner losses `[B]` of the hard samples, scaled by B over their number; zero for the others."""
        from fsbench_plugins import _selection

        losses = inner(logits, targets)
        return _selection.only(losses, losses, self.keep, largest=True)
