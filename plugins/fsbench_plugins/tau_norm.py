"""Tau-normalisation: class weights of the last layer with more even norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsbench import Context, Fitted, InertComponent, LabeledSet, Savable, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TauNorm(Strategy):
    """Divides each class's logit by a power of the norm of its weights in the last layer (Kang et al. 2020).

    Classes with many samples get weights of larger norm, which favours them. Logits are divided by the norm,
    relative to the mean over the classes, to the power of `tau`; 0 changes nothing, and with 1 the norms no
    longer matter. The bias is divided as well; the paper leaves it out.
    """

    name = "tau_norm"
    cite = (
        "Kang, B., Xie, S., Rohrbach, M., Yan, Z., Gordo, A., Feng, J. and Kalantidis, Y. (2020). Decoupling "
        "representation and classifier for long-tailed recognition. ICLR."
    )
    family = "imbalance"

    tau: float = param(1.0, low=0.0, high=5.0, tune=(0.0, 2.0))

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor with its logits `[N, C]` divided. Raises InertComponent if there is no last layer."""
        from fsbench_plugins._cosine_head import CosineHead

        network: Any = fitted.require_network(self.name)
        if getattr(network, "head", None) is None:
            raise InertComponent(f"{self.name} had no effect; the network has no last layer")
        if isinstance(network.head, CosineHead):
            raise InertComponent(f"{self.name} had no effect; the last layer compares directions, not norms")
        return fitted.map(ByNorms(network, self.tau))


@dataclass(frozen=True, eq=False)
class ByNorms(Savable):
    """Logits divided by the norms of the weights of a network's last layer, to the power of `tau`."""

    network: Any
    tau: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits `[N, C]`, divided."""
        norms: torch.Tensor = self.network.head.weight.detach().norm(dim=1).clamp(min=1e-12)
        return logits / (norms / norms.mean()) ** self.tau
