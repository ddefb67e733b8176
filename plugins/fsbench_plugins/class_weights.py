"""Losses weighted by the sizes of the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Strategy, TaskInfo, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ClassWeights(Strategy):
    """The loss of a sample is multiplied by a weight of its class, which is larger for smaller classes.

    `method` is `inverse`, the inverse of the class's number of training labels (King & Zeng 2001), or
    `effective_number`, the inverse of `(1 - beta^n) / (1 - beta)` for n labels (Cui et al. 2019): samples
    that overlap count less, and a class of more than about `1 / (1 - beta)` samples counts as that large.
    Weights are scaled so that the mean weight of a training sample is 1. The weight of a soft target is the
    mean of the classes' weights under it. The labels are those given: with `resampling`, classes are balanced
    twice.
    """

    name = "class_weights"
    cite = (
        "King, G. and Zeng, L. (2001). Logistic regression in rare events data. Political Analysis 9(2). "
        "effective_number: Cui, Y., Jia, M., Lin, T.-Y., Song, Y. and Belongie, S. (2019). Class-balanced "
        "loss based on effective number of samples. CVPR."
    )
    family = "imbalance"

    method: Literal["inverse", "effective_number"] = param("inverse", tune=("inverse", "effective_number"))
    beta: float = param(0.99, low=0.0, high=0.99999, tune=(0.9, 0.999))

    def skip(self, task: TaskInfo) -> str | None:
        """Equal classes have equal weights."""
        return "the training classes are balanced, so it equals erm" if task.balanced else None

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner loss `[B]` times the weights of the targets `[B, C]`."""
        from fsbench_plugins import _class_balance

        counts = ctx.class_counts
        weights = (
            _class_balance.inverse(counts)
            if self.method == "inverse"
            else _class_balance.effective_number(counts, self.beta)
        )
        return inner(logits, targets) * (targets @ weights.to(targets))
