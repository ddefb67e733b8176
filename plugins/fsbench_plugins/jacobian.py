"""Jacobian regularisation: logits that change little with the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, Strategy, param

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Jacobian(Strategy):
    """A penalty on the derivatives of the logits by the inputs (Hoffman et al. 2019).

    The auxiliary loss is `weight / 2` times the mean over the batch of the squared Frobenius norm of the
    Jacobian, estimated by one random projection per sample. A step with it costs about three times as much as
    without. With `every` above 1, only every so many steps have it, times `every` (lazy regularisation,
    Karras et al. 2020). A weight of 0 changes nothing.
    """

    name = "jacobian"
    results_version = "2"
    cite = (
        "Hoffman, J., Roberts, D. A. and Yaida, S. (2019). Robust learning with Jacobian regularization. "
        "arXiv:1908.02729. every: Karras, T., Laine, S., Aittala, M., Hellsten, J., Lehtinen, J. and Aila, "
        "T. (2020). Analyzing and improving the image quality of StyleGAN. CVPR."
    )
    family = "regularisation"
    kinds = frozenset({"image", "table"})

    weight: float = param(0.01, low=0.0, tune=(0.001, 0.3))
    every: int = param(1, low=1)

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The weighted penalty, a scalar; zero in the steps between, and in those of an episode."""
        if self.weight == 0:
            ctx.note("a weight of 0 is plain training")
            return 0.0
        if out.batch.rows is None or ctx.step % self.every:
            return 0.0
        directions = ctx.rng.normal(*out.logits.shape)
        with ctx.torch_seeded():
            return self.every * self.weight / 2 * squared_norm(out.model, out.batch.x, directions)


def squared_norm(model: nn.Module, x: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """An estimate of the mean squared Frobenius norm of the Jacobians of logits by inputs `[B, ...]`.

    `directions [B, C]` are normally distributed; they are scaled to length 1. The scalar can be
    differentiated. The model's buffers, such as running averages, stay as they are.
    """
    import torch
    from torch.nn.functional import normalize

    from fsbench_plugins._normalisation import aside

    x = x.detach().requires_grad_()
    seen = (normalize(directions) * aside(model)(x).float()).sum()
    (slopes,) = torch.autograd.grad(seen, x, create_graph=True)
    return directions.shape[1] * slopes.square().sum() / len(x)
