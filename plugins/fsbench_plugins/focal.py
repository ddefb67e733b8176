"""Focal loss: easy samples count for less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Strategy, TaskInfo, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Focal(Strategy):
    """The focal loss of Lin et al. 2017 over a softmax: `-alpha_c (1 - p_c)^gamma log p_c`.

    `gamma` reduces the weight of samples that the model already classifies with confidence; 0 is
    cross-entropy. `alpha` weights the classes: `none`; a number, as in the paper, for two classes (`alpha`
    for class 1, `1 - alpha` for class 0); or `balanced`, the inverse class frequencies of the training labels
    as given (King & Zeng 2001), scaled so that the mean weight of a training sample is 1. Soft targets weight
    the classes' terms: `sum_c t_c alpha_c (1 - p_c)^gamma (-log p_c)`. `alpha=balanced` does not take a
    `resampling` in the same spec into account: together they correct twice.
    """

    name = "focal"
    cite = (
        "Lin, T.-Y., Goyal, P., Girshick, R., He, K. and Dollár, P. (2017). "
        "Focal loss for dense object detection. ICCV. "
        "alpha=balanced: King, G. and Zeng, L. (2001). Logistic regression in rare events data. "
        "Political Analysis 9(2)."
    )
    family = "imbalance"
    in_core = True
    replaces = frozenset({"loss"})

    gamma: float = param(2.0, low=0.0, high=20.0, tune=(0.0, 5.0))
    alpha: float | Literal["balanced"] | None = param(None, low=0.0, high=1.0)

    def skip(self, task: TaskInfo) -> str | None:
        """A number for alpha is only for two classes."""
        if isinstance(self.alpha, float) and task.num_classes != 2:
            return f"alpha={self.alpha} is for two classes, not {task.num_classes}; use alpha=balanced"
        return None

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """Focal loss `[B]` of logits `[B, C]` against distributions `[B, C]`."""
        log_p = logits.log_softmax(-1)
        terms = targets * (self.gamma * log_complement(log_p)).exp() * log_p
        if self.alpha is not None:
            terms = terms * self._class_weights(logits, ctx)
        return -terms.sum(-1)

    def _class_weights(self, logits: torch.Tensor, ctx: Context) -> torch.Tensor:
        """Weights `[C]`."""
        import torch

        if isinstance(self.alpha, float):
            return torch.linspace(1 - self.alpha, self.alpha, 2, device=logits.device)
        from fsbench_plugins import _class_balance

        counts = ctx.class_counts
        return _class_balance.normalised(1 / counts.clamp(min=1), counts)


def log_complement(log_p: torch.Tensor) -> torch.Tensor:
    """`log(1 - p)` of log-probabilities `[..., C]`, exact also where p rounds to 1.

    For the likeliest class it is computed from the sum of the others; for all others p is at most one half.
    """
    import torch

    top = log_p.argmax(-1, keepdim=True) == torch.arange(log_p.shape[-1], device=log_p.device)
    rest = log_p.masked_fill(top, float("-inf")).logsumexp(-1, keepdim=True)
    return torch.where(top, rest, torch.log1p(-log_p.masked_fill(top, float("-inf")).exp()))
