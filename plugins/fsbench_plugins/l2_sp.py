"""L2-SP: fine-tuning that stays near the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, StepOutput, param
from fsbench_plugins.transfer import Transfer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class L2Sp(Transfer):
    """`transfer` with a penalty on the distance of the body from its start (Li et al. 2018).

    The auxiliary loss is `alpha / 2` times the squared distance between the body's weights and those with
    which the training began (with `mode=gradual`, each part of it). With `alpha` 0 it is `transfer`. The
    recipe's weight decay stays, of head and body; the paper replaces that of the body.
    """

    name = "l2_sp"
    cite = (
        "Li, X., Grandvalet, Y. and Davoine, F. (2018). Explicit inductive bias for transfer learning with "
        "convolutional networks. ICML."
    )
    in_core = False

    mode: Literal["finetune", "frozen_then_finetune", "gradual"] = "finetune"
    alpha: float = param(0.1, low=0.0, tune=(0.001, 1.0))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The penalty on the weights that are trained, a scalar."""
        body = getattr(out.model, "body", None)  # an episode's model has none
        weights = [] if body is None else [p for p in body.parameters() if p.requires_grad]
        if self.alpha == 0 or not weights:
            return 0.0
        start = ctx.memory(lambda: [p.detach().clone() for p in weights])
        return self.alpha / 2 * squared_distance(weights, start)


def squared_distance(weights: list[torch.nn.Parameter], start: list[torch.Tensor]) -> torch.Tensor:
    """The squared Euclidean distance between two lists of tensors, a scalar."""
    import torch

    return torch.stack([(p - kept).square().sum() for p, kept in zip(weights, start, strict=True)]).sum()
