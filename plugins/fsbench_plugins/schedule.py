"""Schedules of the learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fsbench import Context, Recipe, Strategy, param
from fsbench_plugins._recipes import changed

Form = Literal["cosine", "warmup_cosine", "one_cycle", "step", "plateau", "constant"]


@dataclass(frozen=True)
class Schedule(Strategy):
    """A learning-rate schedule other than the recipe's.

    `form`: `cosine` falls to zero (Loshchilov & Hutter 2017); `warmup_cosine` rises over the first tenth of
    the steps before that; `one_cycle` rises over 30% and falls to almost zero (Smith & Topin 2019);
    `step` divides by ten after a half and after three quarters; `plateau` divides by ten when the training
    loss has not fallen for a tenth of the steps; `constant`. The highest rate is `scale` times the recipe's.
    """

    name = "schedule"
    cite = (
        "Smith, L. N. and Topin, N. (2019). Super-convergence: very fast training of neural networks using "
        "large learning rates. SPIE. Cosine: Loshchilov, I. and Hutter, F. (2017). SGDR: stochastic gradient "
        "descent with warm restarts. ICLR."
    )
    family = "optimisation"

    form: Form = param("one_cycle", tune=("cosine", "warmup_cosine", "one_cycle", "step", "plateau"))
    scale: float = param(1.0, low=0.0, tune=(0.3, 10.0))

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with this schedule."""
        return changed(recipe, ctx, schedule=self.form, lr=self.scale * recipe.lr)
