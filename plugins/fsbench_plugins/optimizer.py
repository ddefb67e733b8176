"""Other optimizers."""

from __future__ import annotations

from dataclasses import dataclass

from fsbench import Context, Recipe, Strategy, param
from fsbench_plugins._recipes import Method, changed, converted


@dataclass(frozen=True)
class Optimizer(Strategy):
    """An optimizer of torch other than the recipe's.

    `method`: `sgd` with the recipe's momentum (Sutskever et al. 2013), `adam` (Kingma & Ba 2015), `adamw`
    (Loshchilov & Hutter 2019), `rmsprop` (Tieleman & Hinton 2012) or `adagrad` (Duchi et al. 2011). `lr` is
    its learning rate; `none` converts the recipe's: a rate for the Adam family or RMSprop is multiplied by
    ten for SGD or Adagrad, and the reverse. The weight decay changes inversely, so that their product stays
    the same, but the decay of AdamW, which is apart from the gradient, becomes 0.01 at most: it is part of
    the gradient elsewhere.
    """

    name = "optimizer"
    results_version = "2"
    cite = (
        "Sutskever, I., Martens, J., Dahl, G. and Hinton, G. (2013). On the importance of initialization and "
        "momentum in deep learning. ICML. Adam: Kingma, D. P. and Ba, J. (2015). Adam: a method for "
        "stochastic optimization. ICLR. AdamW: Loshchilov, I. and Hutter, F. (2019). Decoupled weight decay "
        "regularization. ICLR. RMSprop: Tieleman, T. and Hinton, G. (2012). Lecture 6.5 - rmsprop. COURSERA: "
        "Neural networks for machine learning. Adagrad: Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive "
        "subgradient methods for online learning and stochastic optimization. JMLR 12."
    )
    family = "optimisation"

    method: Method = param("sgd", tune=("sgd", "adam", "adamw", "rmsprop", "adagrad"))
    lr: float | None = param(None, low=0.0)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with this optimizer, its learning rate and its weight decay."""
        return changed(recipe, ctx, **vars(converted(recipe, self.method, self.lr)))
