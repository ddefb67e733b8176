"""Smaller and larger networks."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Context, InertComponent, Recipe, Strategy, param, scale_width
from fsbench_plugins._recipes import changed


@dataclass(frozen=True)
class Width(Strategy):
    """The recipe's backbone with `factor` times as many channels or units in each layer.

    A smaller network can overfit less; a larger one does not have to overfit more (Belkin et al. 2019). The
    cost of convolutions grows with the square of the factor. A backbone without an argument for its width
    makes the trial fail.
    """

    name = "width"
    cite = (
        "Belkin, M., Hsu, D., Ma, S. and Mandal, S. (2019). Reconciling modern machine-learning practice and "
        "the classical bias-variance trade-off. PNAS 116(32)."
    )
    family = "regularisation"

    factor: float = param(0.5, low=0.01, high=16.0, tune=(0.25, 2.0))

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with another backbone. Raises InertComponent if it has no width."""
        scaled = scale_width(recipe.backbone, self.factor)
        if scaled is None:
            raise InertComponent(f"width had no effect; {recipe.backbone} has no argument for its width")
        return changed(recipe, ctx, backbone=scaled)
