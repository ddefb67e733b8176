"""Dropout: random features are zero in training."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Context, Recipe, Strategy, param
from fsbench_plugins._recipes import changed


@dataclass(frozen=True)
class Dropout(Strategy):
    """Dropout before the head, and inside bodies that have it, with probability `rate`.

    The features that are left are scaled by `1 / (1 - rate)`; predictions use all of them.
    """

    name = "dropout"
    cite = (
        "Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I. and Salakhutdinov, R. (2014). Dropout: a "
        "simple way to prevent neural networks from overfitting. JMLR 15."
    )
    family = "regularisation"

    rate: float = param(0.3, low=0.0, high=0.95, tune=(0.1, 0.7))

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with this dropout."""
        return changed(recipe, ctx, dropout=self.rate)
