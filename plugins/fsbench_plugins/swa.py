"""Stochastic weight averaging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, Recipe, Step, Strategy, param
from fsbench_plugins._recipes import changed


@dataclass(frozen=True)
class Swa(Strategy):
    """Predicts with the mean of the weights from `start` on, a fraction of the steps (Izmailov et al. 2018).

    The learning rate stays constant, so that the weights keep moving. The paper lets a cosine come first and
    averages once in each pass over the data; with few labels, a pass is a few steps, so every step is
    averaged. Batch normalisation then gets the statistics of the training set under the mean weights;
    frozen layers keep theirs.
    """

    name = "swa"
    results_version = "3"
    cite = (
        "Izmailov, P., Podoprikhin, D., Garipov, T., Vetrov, D. and Wilson, A. G. (2018). Averaging weights "
        "leads to wider optima and better generalization. UAI."
    )
    family = "regularisation"

    start: float = param(0.5, low=0.0, high=1.0, tune=(0.25, 0.9))

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with a constant learning rate."""
        return changed(recipe, ctx, schedule="constant")

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """One step, and from `start` on one of the mean."""
        from torch.optim.swa_utils import get_swa_multi_avg_fn

        from fsbench_plugins._averaging import average

        inner(step)
        if ctx.progress >= self.start or step.last:
            average(step, ctx, get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The fit, with the statistics of batch normalisation computed anew if its network has some."""
        from fsbench_plugins._averaging import with_new_statistics

        return with_new_statistics(inner(train), train, ctx)
