"""Pseudo-labels: the likeliest class of an unlabelled input is its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PseudoLabel(UsesUnlabelled):
    """Trains on the likeliest class of each unlabelled input of the step, more and more (Lee 2013).

    The auxiliary loss is the cross-entropy of the unlabelled half against its own likeliest classes, times a
    factor that is 0 for the first tenth of the steps, rises linearly to `weight` until six tenths, and then
    stays. The paper's weight is 3.
    """

    name = "pseudo_label"
    cite = (
        "Lee, D.-H. (2013). Pseudo-label: the simple and efficient semi-supervised learning method for deep "
        "neural networks. ICML workshop."
    )
    family = "semi_supervised"

    weight: float = param(1.0, low=0.0, tune=(0.3, 3.0))
    steps: int = param(400, low=0, tune=(200, 2000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The cross-entropy against the guesses; zero for a batch without unlabelled inputs."""
        from torch.nn.functional import cross_entropy

        if out.unlabeled_logits is None:
            return 0.0
        guesses = out.unlabeled_logits.detach().argmax(-1)
        return self.weight * ramp(out.progress) * cross_entropy(out.unlabeled_logits, guesses)


def ramp(progress: float) -> float:
    """0 until a tenth, 1 from six tenths of the training, linear between them."""
    return min(1.0, max(0.0, (progress - 0.1) / 0.5))
