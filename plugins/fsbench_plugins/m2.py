"""M2: a classifier and a model of the inputs that explain labelled and unlabelled samples together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fsbench_plugins._vae import ConditionalVae


@dataclass(frozen=True)
class M2(UsesUnlabelled):
    """The semi-supervised variational autoencoder of Kingma et al. (2014), with the network as `q(y | x)`.

    A conditional autoencoder, with `hidden` units and a code of `latent` dimensions, models inputs given
    their class. The auxiliary loss is minus the lower bound of the labelled inputs under their labels, and of
    the unlabelled inputs under every class, weighted by its predicted probability, minus the entropy of the
    prediction. It is divided by the number of input values and multiplied by `weight`, so the mean
    cross-entropy takes the place of the paper's `alpha`.
    """

    name = "m2"
    results_version = "2"
    cite = (
        "Kingma, D. P., Rezende, D. J., Mohamed, S. and Welling, M. (2014). Semi-supervised learning with "
        "deep generative models. NeurIPS 27."
    )
    family = "generative"
    kinds = frozenset({"image", "table"})

    weight: float = param(1.0, low=0.0, tune=(0.1, 10.0))
    latent: int = param(8, low=1, tune=(2, 32))
    hidden: int = param(128, low=1)

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The autoencoder."""
        from fsbench_plugins._vae import ConditionalVae

        return ConditionalVae(math.prod(ctx.task.input_shape), ctx.num_classes, self.latent, self.hidden)

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """Minus the bounds; zero for a batch without unlabelled inputs (an episode's)."""
        if out.unlabeled_logits is None or out.batch.unlabeled is None or out.modules is None:
            return 0.0
        vae: ConditionalVae = out.modules  # type: ignore[assignment]
        x, unlabeled, stream = out.batch.x.flatten(1), out.batch.unlabeled.flatten(1), ctx.rng
        labelled = vae.bound(x, out.targets, stream.normal(len(x), self.latent)).mean()
        noise = stream.normal(len(unlabeled), self.latent)
        return (
            -self.weight
            * (labelled + unlabelled_bound(vae, unlabeled, out.unlabeled_logits, noise))
            / x.shape[1]
        )


def unlabelled_bound(
    vae: ConditionalVae, x: torch.Tensor, logits: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """The mean bound on `log p(x)` of inputs `[U, F]` whose classes have logits `[U, C]`; a scalar."""
    import torch

    log_p, count = logits.log_softmax(-1), logits.shape[1]
    classes = torch.eye(count, device=x.device).repeat(len(x), 1)
    each, noise = (values.repeat_interleave(count, 0) for values in (x, noise))
    bounds = vae.bound(each, classes, noise).view(-1, count)
    return (log_p.exp() * (bounds - log_p)).sum(1).mean()
