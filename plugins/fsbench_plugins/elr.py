"""Early-learning regularisation: predictions stay close to those from before labels were memorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Elr(Strategy):
    """Keeps a moving average of each sample's predicted probabilities, and predictions close to it.

    Networks learn right labels first; the averages remember what they then predicted and work against wrong
    labels later (Liu et al. 2020). The term added to the loss is `weight` times the mean of `log(1 - <p, t>)`
    for the probabilities p of a sample and its average t, which moves by the share `1 - decay` in each step
    with the sample. With a weight of 0 nothing changes, so the trial fails, as for any component without
    effect. Samples that an augmentation mixes count as the first one.

    What is learnt first favours large classes, so small ones lose where classes are unequal, even with a
    small weight.
    """

    name = "elr"
    cite = (
        "Liu, S., Niles-Weed, J., Razavian, N. and Fernandez-Granda, C. (2020). Early-learning "
        "regularization prevents memorization of noisy labels. NeurIPS 33."
    )
    family = "label_noise"

    weight: float = param(3.0, low=0.0, high=20.0, tune=(0.5, 7.0))
    decay: float = param(0.7, low=0.0, high=1.0, tune=(0.5, 0.95))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The weighted term, a scalar; zero in a training that does not number its samples."""
        from fsbench_plugins._per_sample import Averages

        if out.batch.rows is None:
            return 0.0
        p = out.logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        averages = ctx.memory(lambda: Averages(self.decay))
        kept = averages.update(out.batch.rows, (p / p.sum(-1, keepdim=True)).detach())
        return self.weight * (1 - (p * kept).sum(-1)).log().mean()
