"""Conditional adversarial adaptation: features that do not distinguish the domains, given the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fsbench import Context, StepOutput, param
from fsbench_plugins._adapting import Adapting, certainty

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Cdan(Adapting):
    """Conditional domain-adversarial networks (Long et al. 2018): a domain head on features times classes.

    As `dann`, but the domain head sees the outer product of a sample's class probabilities, which pass no
    gradient, and its features. With `entropy`, a sample counts by `1 + exp(-H)`, where H is the entropy of
    its prediction (the paper's CDAN+E), so that samples whose class is uncertain count for less. `weight`,
    `gamma`, `hidden` and `sgd` are those of `dann`; the hidden layer is batch-normalised over both halves.
    The products are never approximated by random projections, as the paper does where there are many.
    """

    name = "cdan"
    results_version = "2"
    cite = (
        "Long, M., Cao, Z., Wang, J. and Jordan, M. I. (2018). Conditional adversarial domain adaptation. "
        "NeurIPS 31."
    )

    weight: float = param(1.0, low=0.0, tune=(0.01, 1.0))
    gamma: float = param(10.0, low=0.0, tune=(1.0, 20.0))
    hidden: int = param(100, low=1)
    entropy: bool = True
    steps: int = param(750, low=0, tune=(500, 5000))
    sgd: bool = True

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The domain head: products `[N, C * D]` to a logit `[N, 1]` of being from the target."""
        from torch import nn

        inputs = ctx.num_classes * cast(int, model.num_features)
        return nn.Sequential(
            nn.Linear(inputs, self.hidden), nn.BatchNorm1d(self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1)
        )

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The conditional domain loss of both halves; zero for a batch without a target half."""
        import torch

        from fsbench_plugins._adversarial import domain_loss, ramp, reverse_gradient

        if out.unlabeled_features is None or out.unlabeled_logits is None or out.modules is None:
            return 0.0
        features = torch.cat([out.features, out.unlabeled_features])
        p = torch.cat([out.logits, out.unlabeled_logits]).detach().softmax(-1)
        products = (p[:, :, None] * features[:, None, :]).flatten(1)
        logits = out.modules(reverse_gradient(products, ramp(out.progress, self.gamma))).squeeze(-1)
        few, weights = len(out.features), certainty(p) if self.entropy else torch.ones_like(logits)
        return self.weight * domain_loss(
            logits[:few], logits[few:], out.batch.domain, weights[:few], weights[few:]
        )
