"""Self-paced learning: easy samples first, all of them in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SelfPaced(Strategy):
    """Trains on the samples that are easiest for the model so far, of which it takes more and more.

    Only the easiest samples of a batch count: the fraction `start` of it at first, then linearly more, and
    all from the share `full` of the training on. Easy means a small loss, apart from the size of the class.
    Kumar et al. (2010) choose the samples of the whole training set whose losses are below a threshold that
    grows; here, a batch stands for it. `start=1` is plain training.
    """

    name = "self_paced"
    cite = (
        "Kumar, M. P., Packer, B. and Koller, D. (2010). Self-paced learning for latent variable models. "
        "NeurIPS 23."
    )
    family = "hard_examples"

    start: float = param(0.5, low=0.01, high=1.0, tune=(0.25, 0.9))
    full: float = param(0.5, low=0.01, high=1.0, tune=(0.2, 1.0))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner losses `[B]` of the easy samples, scaled by B over their number; zero for the others."""
        from fsbench_plugins import _selection

        by = _selection.difficulty(logits, targets, inner, ctx)
        fraction = self.start + (1 - self.start) * min(1.0, ctx.progress / self.full)
        return _selection.only(inner(logits, targets), by, fraction)
