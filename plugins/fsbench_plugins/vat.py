"""Virtual adversarial training: predictions that no small change of an input changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@dataclass(frozen=True)
class Vat(UsesUnlabelled):
    """Smooth predictions around unlabelled inputs, where they change fastest (Miyato et al. 2018).

    The auxiliary loss is `weight` times the divergence between the prediction on an unlabelled input and that
    on the input moved by a root mean square of `epsilon` in the direction that changes the prediction most,
    found by one step of power iteration from a random direction of root mean square `xi`. As in the authors'
    code, these passes are of unlabelled inputs alone and leave running averages as they are. They are in
    float32, whatever the recipe's precision, as differences of `xi` would vanish otherwise. With `entropy`,
    the mean entropy of the predictions is added to the divergence (VAT+EntMin); the paper gives it the weight
    1. The paper's weight is 1; with a few labels of each class, the smaller default is better.
    """

    name = "vat"
    results_version = "4"
    cite = (
        "Miyato, T., Maeda, S., Koyama, M. and Ishii, S. (2018). Virtual adversarial training: a "
        "regularization method for supervised and semi-supervised learning. IEEE TPAMI 41(8)."
    )
    family = "semi_supervised"
    kinds = frozenset({"image", "table"})

    weight: float = param(0.1, low=0.0, tune=(0.01, 1.0))
    epsilon: float = param(0.1, low=0.0, tune=(0.03, 0.5))
    xi: float = param(1e-3, low=1e-6)
    entropy: bool = True
    steps: int = param(400, low=0, tune=(200, 2000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The divergence, and the entropy; zero for a batch without unlabelled inputs."""
        import torch

        from fsbench_plugins._normalisation import aside

        x, logits = out.batch.unlabeled, out.unlabeled_logits
        if x is None or logits is None:
            return 0.0
        model = aside(out.model)
        with torch.no_grad():
            wanted = model(x).float()
        moved = x + self.epsilon * direction(model, x, wanted, self.xi, ctx.rng.normal(*x.shape))
        loss = divergence(wanted, model(moved).float())
        if self.entropy:
            log_p = logits.log_softmax(-1)
            loss = loss - (log_p.exp() * log_p).sum(-1).mean()
        return self.weight * loss


def divergence(wanted: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """The mean Kullback-Leibler divergence of logits `[U, C]` from those wanted; a scalar."""
    from torch.nn.functional import kl_div

    return kl_div(found.log_softmax(-1), wanted.log_softmax(-1), reduction="batchmean", log_target=True)


def direction(
    model: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    wanted: torch.Tensor,
    xi: float,
    noise: torch.Tensor,
) -> torch.Tensor:
    """Directions `[U, ...]` of root mean square 1 that change the predictions on `x` most."""
    import torch

    d = (xi * unit(noise)).requires_grad_()
    (slope,) = torch.autograd.grad(divergence(wanted, model(x + d).float()), d)
    return unit(slope)


def unit(x: torch.Tensor) -> torch.Tensor:
    """Each sample of `[U, ...]` scaled to the root mean square 1; zeros stay zeros.

    A power of two is divided out first, because the squares of small slopes would be zero.
    """
    import torch

    flat = x.flatten(1)
    flat = torch.ldexp(flat, -torch.frexp(flat.abs().amax(1, keepdim=True)).exponent)
    scale = flat.square().mean(1, keepdim=True).sqrt().clamp(min=1e-30)
    return (flat / scale).view_as(x)
