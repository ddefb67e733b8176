"""A snapshot ensemble: one training, several models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

from fsbench import Context, Fitted, LabeledSet, Strategy, param


@dataclass(frozen=True)
class Snapshot(Strategy):
    """The mean probability of the networks at the ends of `cycles` of one training (Huang et al. 2017).

    In each cycle, the learning rate falls from its maximum to zero; the next one goes on from the same
    weights. They share the recipe's steps equally, less a remainder, so the cost is that of one training.
    With fewer steps than cycles there are as many cycles as steps.
    """

    name = "snapshot"
    cite = (
        "Huang, G., Li, Y., Pleiss, G., Liu, Z., Hopcroft, J. E. and Weinberger, K. Q. (2017). Snapshot "
        "ensembles: train 1, get M for free. ICLR."
    )
    family = "fusion"

    cycles: int = param(3, low=1, tune=(2, 6))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The mean of the snapshots."""
        from fsbench_plugins._fusion import mean_of

        cycles = min(self.cycles, ctx.recipe.steps)
        each = replace(ctx.recipe, steps=ctx.recipe.steps // cycles, schedule="cosine")
        snapshots = []
        for _ in range(cycles):
            network = inner(train, recipe=each).require_network(self.name)
            snapshots.append(ctx.fitted(copy.deepcopy(network)))
        return mean_of(snapshots)
