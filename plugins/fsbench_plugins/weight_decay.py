"""Weight decay: weights shrink in every step."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Context, Recipe, Strategy, param
from fsbench_plugins._recipes import changed


@dataclass(frozen=True)
class WeightDecay(Strategy):
    """`factor` times the weight decay of the recipe (Krogh & Hertz 1991).

    AdamW shrinks every weight by the learning rate times the decay, as a fraction of it (Loshchilov & Hutter
    2019); other optimizers add the decay times the weight to its gradient.
    """

    name = "weight_decay"
    cite = (
        "Krogh, A. and Hertz, J. A. (1991). A simple weight decay can improve generalization. NeurIPS 4. "
        "AdamW: Loshchilov, I. and Hutter, F. (2019). Decoupled weight decay regularization. ICLR."
    )
    family = "regularisation"

    factor: float = param(10.0, low=0.0, tune=(0.1, 100.0))

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with more or less weight decay."""
        return changed(recipe, ctx, weight_decay=self.factor * recipe.weight_decay)
