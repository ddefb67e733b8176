"""R2-D2: ridge regression on a meta-trained embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import param
from fsbench_plugins._episodic import Episodic

if TYPE_CHECKING:
    from fsbench_plugins._episodes import Rule


@dataclass(frozen=True)
class R2d2(Episodic):
    """Ridge regression differentiable discriminator (Bertinetto et al. 2019): a closed-form head.

    The weights of the head are the ridge regression, whose penalty is `l2` times the mean squared length
    of the features, without an intercept, from the features of the labelled samples to their one-hot
    labels; logits are `scale` times its predictions. The paper learns penalty and scale together with the
    body; here they are arguments. The meta-training, whose gradient passes through the solution, is that
    of `protonet`.
    """

    name = "r2d2"
    results_version = "3"
    cite = (
        "Bertinetto, L., Henriques, J. F., Torr, P. H. S. and Vedaldi, A. (2019). Meta-learning with "
        "differentiable closed-form solvers. ICLR."
    )

    l2: float = param(0.1, low=1e-6, tune=(0.001, 1.0))
    scale: float = param(10.0, low=0.1, tune=(1.0, 30.0))

    @property
    def rule(self) -> Rule:
        """The scaled predictions of the regression."""
        from fsbench_plugins._comparisons import Ridge

        return Ridge(self.l2, self.scale)
