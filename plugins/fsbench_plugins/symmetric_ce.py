"""Symmetric cross-entropy: the targets are also judged by the predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SymmetricCe(Strategy):
    """Cross-entropy plus reverse cross-entropy, `-sum_c p_c log t_c` (Wang et al. 2019).

    The reverse term is bounded, because the logarithm of a target of zero is set to `log_zero`: for a hard
    label it is `-log_zero (1 - p)` for the label's probability p. `alpha` multiplies the loss of the
    components before it, `beta` the reverse term; `alpha=1, beta=0` changes nothing.
    """

    name = "symmetric_ce"
    cite = (
        "Wang, Y., Ma, X., Chen, Z., Luo, Y., Yi, J. and Bailey, J. (2019). Symmetric cross entropy for "
        "robust learning with noisy labels. ICCV."
    )
    family = "label_noise"

    alpha: float = param(0.1, low=0.0, high=10.0, tune=(0.01, 1.0))
    beta: float = param(1.0, low=0.0, high=10.0, tune=(0.1, 2.0))
    log_zero: float = param(-4.0, low=-20.0, high=0.0)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """`alpha` times the inner loss `[B]`, plus `beta` times the reverse one."""
        reverse = -(logits.softmax(-1) * targets.log().clamp(min=self.log_zero)).sum(-1)
        return self.alpha * inner(logits, targets) + self.beta * reverse
