"""Sharpness-aware minimisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Step, Strategy, param


@dataclass(frozen=True)
class Sam(Strategy):
    """Every step uses the gradient at the weights moved by `rho` along the gradient (Foret et al. 2021).

    So training prefers weights around which the loss is low everywhere. A step costs two passes over its
    batch. With `rho` 0 it is the recipe's optimizer.
    """

    name = "sam"
    cite = (
        "Foret, P., Kleiner, A., Mobahi, H. and Neyshabur, B. (2021). Sharpness-aware minimization for "
        "efficiently improving generalization. ICLR."
    )
    family = "regularisation"
    replaces = frozenset({"step"})

    rho: float = param(0.05, low=0.0, tune=(0.01, 0.5))

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """Climb by `rho`, take the gradients there, return and update."""
        import torch

        step.gradients()
        with torch.no_grad():
            slopes = [(p, p.grad) for p in step.parameters if p.grad is not None]
            norm = torch.stack([slope.norm() for _, slope in slopes]).norm() + 1e-12
            before = [p.clone() for p, _ in slopes]
            for p, slope in slopes:
                p.add_(self.rho * slope / norm)
        step.gradients()
        with torch.no_grad():
            for (p, _), kept in zip(slopes, before, strict=True):
                p.copy_(kept)
        step.update()
