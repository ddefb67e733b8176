"""Minimum class confusion: predictions on the target that do not mix up classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._adapting import Adapting, certainty

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Mcc(Adapting):
    """Minimises the confusion between classes in predictions on unlabelled target samples (Jin et al. 2020).

    The confusion of a batch is the correlation of the classes' probabilities, softened by `temperature`, in
    which samples with a low entropy count for more. The auxiliary loss is `weight` times the mean, over
    classes, of the share of a class's correlation that is with other classes.
    """

    name = "mcc"
    cite = (
        "Jin, Y., Wang, X., Long, M. and Wang, J. (2020). Minimum class confusion for versatile domain "
        "adaptation. ECCV."
    )

    weight: float = param(1.0, low=0.0, tune=(0.1, 3.0))
    temperature: float = param(2.5, low=0.1, tune=(1.0, 5.0))
    steps: int = param(500, low=0, tune=(250, 5000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The confusion on the target half; zero for a batch without one."""
        if out.unlabeled_logits is None:
            return 0.0
        return self.weight * class_confusion(out.unlabeled_logits, self.temperature)


def class_confusion(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """The class confusion of logits `[U, C]`, a scalar from 0 (certain) to `1 - 1/C`."""
    p = (logits / temperature).softmax(-1)
    certain = certainty(p)
    weights = len(p) * certain / certain.sum()
    correlation = p.T @ (p * weights.detach()[:, None])
    shares = correlation / correlation.sum(1, keepdim=True).clamp(min=1e-12)
    return 1 - shares.diagonal().mean()
