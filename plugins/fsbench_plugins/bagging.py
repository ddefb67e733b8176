"""Bagging: models of random samples of the training set."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, Strategy, param


@dataclass(frozen=True)
class Bagging(Strategy):
    """The mean probability of `size` models, each fitted on a bootstrap sample (Breiman 1996).

    A sample has as many rows of each class as the training set, drawn with repetition, so that no class is
    lost where there are few labels. All begin with the same start. It costs `size` fits.
    """

    name = "bagging"
    cite = "Breiman, L. (1996). Bagging predictors. Machine Learning 24(2)."
    family = "fusion"

    size: int = param(3, low=1, tune=(2, 10))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The mean of the models."""
        from fsbench_plugins import _fusion

        start = copy.deepcopy(ctx.model)
        parts = [_fusion.bootstrap(train, ctx, f"sample {number}") for number in range(self.size)]
        return _fusion.mean_of([inner(train.select(rows), model=copy.deepcopy(start)) for rows in parts])
