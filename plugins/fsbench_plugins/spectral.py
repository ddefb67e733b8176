"""Spectral norm regularisation: layers that stretch nothing much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, Strategy, param

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Spectral(Strategy):
    """A penalty on the largest singular value of every layer's weights (Yoshida & Miyato 2017).

    The auxiliary loss is `weight / 2` times the sum of the squared singular values over all linear and
    convolutional layers that are trained; the weights of a convolution are a matrix with a row for each of
    its outputs. The singular vectors are remembered, and every step improves them by one step of power
    iteration. A weight of 0 changes nothing.
    """

    name = "spectral"
    cite = (
        "Yoshida, Y. and Miyato, T. (2017). Spectral norm regularization for improving the generalizability "
        "of deep learning. arXiv:1705.10941."
    )
    family = "regularisation"

    weight: float = param(0.01, low=0.0, tune=(0.001, 0.3))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The weighted penalty, a scalar; zero without such layers, and in the steps of an episode."""
        if self.weight == 0:
            ctx.note("a weight of 0 is plain training")
            return 0.0
        matrices = weight_matrices(out.model)
        if not matrices or out.batch.rows is None:
            return 0.0
        stream = ctx.stream("first vectors")
        vectors: list[torch.Tensor] = ctx.memory(lambda: [stream.normal(len(w)) for w in matrices])
        return self.weight / 2 * sum(squared_norm(w, u) for w, u in zip(matrices, vectors, strict=True))


def weight_matrices(model: nn.Module) -> list[torch.Tensor]:
    """The weights `[outputs, inputs]` of linear and convolutional layers that are trained."""
    from torch import nn

    layers = (nn.Linear, nn.Conv1d, nn.Conv2d)
    found = [module.weight for module in model.modules() if isinstance(module, layers)]
    return [weight.flatten(1) for weight in found if weight.requires_grad]


def squared_norm(weight: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The square of the largest singular value of `[outputs, inputs]`, as far as its vector is known.

    `u [outputs]`, the left singular vector, is improved in place by one step of power iteration. The scalar
    can be differentiated by the weights; the vectors count as constants.
    """
    import torch
    from torch.nn.functional import normalize

    with torch.no_grad():
        v = normalize(weight.mT @ u, dim=0)
        u.copy_(normalize(weight @ v, dim=0))
    return (u @ (weight @ v)).square()
