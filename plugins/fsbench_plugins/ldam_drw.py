"""Label-distribution-aware margins, and class weights in the last part of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class LdamDrw(Strategy):
    """Larger margins for smaller classes, then class weights (Cao et al. 2019).

    The head is replaced by one whose logits are `scale` times the cosine between features and the weight of
    each class. In the loss, the cosine of the true class is reduced by a margin proportional to `n^(-1/4)`
    for n labels of the class; that of the smallest class is `margin`. After the share `defer` of the
    training, losses are weighted by the inverse effective number of labels (Cui et al. 2019), with `beta`, as
    by `class_weights`; `defer=1` leaves the weights out. Balanced classes have equal margins, which still
    change the training.
    """

    name = "ldam_drw"
    cite = (
        "Cao, K., Wei, C., Gaidon, A., Arechiga, N. and Ma, T. (2019). Learning imbalanced datasets with "
        "label-distribution-aware margin loss. NeurIPS 32."
    )
    family = "imbalance"

    margin: float = param(0.5, low=0.0, high=1.0, tune=(0.1, 0.8))
    scale: float = param(30.0, low=1.0, tune=(10.0, 40.0))
    defer: float = param(0.8, low=0.0, high=1.0, tune=(0.5, 0.9))
    beta: float = param(0.9999, low=0.0, high=0.99999)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a head of cosines."""
        from fsbench_plugins._cosine_head import CosineHead

        with ctx.torch_seeded():
            head = CosineHead(cast(int, model.num_features), ctx.num_classes, self.scale)
        model.set_submodule("head", head.to(ctx.device))
        return model

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner loss `[B]` of logits `[B, C]` less the margins of their targets, weighted at the end."""
        from fsbench_plugins import _class_balance

        losses = inner(logits - self.scale * targets * self.margins(ctx.class_counts).to(logits), targets)
        if ctx.progress < self.defer or self.defer == 1:
            return losses
        weights = _class_balance.effective_number(ctx.class_counts, self.beta)
        return losses * (targets @ weights.to(targets))

    def margins(self, counts: torch.Tensor) -> torch.Tensor:
        """The margin `[C]` of each class, in cosines; a class without labels counts as if it had one."""
        present = counts.clamp(min=1)
        return self.margin * (present.min() / present) ** 0.25
