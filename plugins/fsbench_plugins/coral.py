"""Deep CORAL: the same covariance of features in both domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._adapting import Adapting, halves

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Coral(Adapting):
    """Aligns the covariances of source and target features (Sun & Saenko 2016).

    The auxiliary loss is `weight` times the squared Frobenius norm of the difference between the covariance
    of the source half's features and that of the target half's, divided by `4 D^2`. The paper takes it on
    the last layer; here it is on the features that the head sees, as in most re-implementations.
    """

    name = "coral"
    cite = (
        "Sun, B. and Saenko, K. (2016). Deep CORAL: correlation alignment for deep domain adaptation. ECCV "
        "workshops."
    )

    weight: float = param(1.0, low=0.0, tune=(0.1, 100.0))
    steps: int = param(500, low=0, tune=(250, 5000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The distance between the covariances; zero for a batch without a target half."""
        both = halves(out)
        return 0.0 if both is None else self.weight * coral_distance(*both)


def coral_distance(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """`|cov(source) - cov(target)|_F^2 / (4 D^2)` of features `[S, D]` and `[T, D]`, a scalar."""
    import torch

    difference = torch.cov(source.T) - torch.cov(target.T)
    return difference.square().sum() / (4 * source.shape[1] ** 2)
