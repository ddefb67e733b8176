"""Deep adaptation networks: features of both domains with the same distribution, by a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, StepOutput, param
from fsbench_plugins._adapting import Adapting, halves

if TYPE_CHECKING:
    import torch

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Mmd(Adapting):
    """Minimises the maximum mean discrepancy between source and target features (Long et al. 2015).

    The kernel is the mean of five radial kernels `exp(-d^2 / (s m))`, where m is the mean squared distance
    within the batch, which has no gradient, and s is 1/4, 1/2, 1, 2 or 4. The auxiliary loss is `weight`
    times the unbiased estimate of the squared discrepancy (Gretton et al. 2012), on the features that the
    head sees. The paper learns the weights of the kernels and adds up several layers.
    """

    name = "mmd"
    cite = (
        "Long, M., Cao, Y., Wang, J. and Jordan, M. I. (2015). Learning transferable features with deep "
        "adaptation networks. ICML. Gretton, A., Borgwardt, K. M., Rasch, M. J., Schölkopf, B. and Smola, A. "
        "(2012). A kernel two-sample test. JMLR 13."
    )

    weight: float = param(1.0, low=0.0, tune=(0.1, 10.0))
    steps: int = param(500, low=0, tune=(250, 5000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The squared discrepancy of the halves; zero for a batch without a target half."""
        both = halves(out)
        return 0.0 if both is None else self.weight * squared_discrepancy(*both)


def squared_discrepancy(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The unbiased squared discrepancy of features `[S, D]` and `[T, D]`, a scalar that can be below 0."""
    import torch

    x = torch.cat([source, target])
    squares = x.square().sum(1)
    distances = (squares[:, None] + squares - 2 * x @ x.T).clamp(min=0)
    scale = distances.detach().sum() / (len(x) * (len(x) - 1)) + torch.finfo(x.dtype).tiny
    kernel = torch.stack([(-distances / (s * scale)).exp() for s in SCALES]).mean(0)
    few = len(source)
    between = kernel[:few, few:].mean()
    return _off_diagonal_mean(kernel[:few, :few]) + _off_diagonal_mean(kernel[few:, few:]) - 2 * between


def _off_diagonal_mean(kernel: torch.Tensor) -> torch.Tensor:
    size = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (size * (size - 1))
