"""Balanced softmax: the classes' priors belong to the training loss, not to the predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, TaskInfo

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BalancedSoftmax(Strategy):
    """Trains with the logarithm of each class's number of labels added to its logit (Ren et al. 2020).

    The network then learns what makes a class likely apart from its frequency; predictions use its logits
    alone, as for a test part with equally many samples of each class. It equals `logit_adjustment(tau=1)`.
    """

    name = "balanced_softmax"
    cite = (
        "Ren, J., Yu, C., Sheng, S., Ma, X., Zhao, H., Yi, S. and Li, H. (2020). Balanced meta-softmax for "
        "long-tailed visual recognition. NeurIPS 33."
    )
    family = "imbalance"

    def skip(self, task: TaskInfo) -> str | None:
        """Equal priors change no loss."""
        return "the training classes are balanced, so it equals erm" if task.balanced else None

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner loss `[B]` of logits `[B, C]` plus the logarithms of the class counts."""
        from fsbench_plugins import _class_balance

        return inner(logits + _class_balance.log_priors(ctx.class_counts), targets)
