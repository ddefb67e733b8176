"""Generalised cross-entropy: a loss that is bounded, so that wrong labels pull less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Gce(Strategy):
    """Generalised cross-entropy, `(1 - p^q) / q` for the probability p of the label (Zhang & Sabuncu 2018).

    It lies between cross-entropy, its limit as `q` goes to 0 (and what 0 means here), and, for 1, the mean
    absolute error, which withstands wrong labels but learns slowly. It is computed from the loss l of the
    components before it, which is `-log p` for cross-entropy: `(1 - exp(-q l)) / q`.
    """

    name = "gce"
    cite = (
        "Zhang, Z. and Sabuncu, M. R. (2018). Generalized cross entropy loss for training deep neural "
        "networks with noisy labels. NeurIPS 31."
    )
    family = "label_noise"

    q: float = param(0.7, low=0.0, high=1.0, tune=(0.2, 0.9))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The bounded loss `[B]`, between 0 and `1 / q`."""
        losses = inner(logits, targets)
        return -(-self.q * losses).expm1() / self.q if self.q else losses + 0
