"""Label smoothing: targets that are never quite certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LabelSmoothing(Strategy):
    """Moves every target by the share `amount` towards the uniform distribution (Szegedy et al. 2016).

    Wrong labels then pull less (Lukasik et al. 2020). 0 changes nothing.
    """

    name = "label_smoothing"
    cite = (
        "Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J. and Wojna, Z. (2016). Rethinking the Inception "
        "architecture for computer vision. CVPR. Wrong labels: Lukasik, M., Bhojanapalli, S., Menon, A. K. "
        "and Kumar, S. (2020). Does label smoothing mitigate label noise? ICML."
    )
    family = "label_noise"

    amount: float = param(0.1, low=0.0, high=0.95, tune=(0.02, 0.5))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner loss `[B]` of logits `[B, C]` against smoothed targets `[B, C]`."""
        return inner(logits, (1 - self.amount) * targets + self.amount / targets.shape[1])
