"""An ensemble of networks from different random starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, Strategy, param


@dataclass(frozen=True)
class Ensemble(Strategy):
    """The mean probability of `size` networks from different starts (Lakshminarayanan et al. 2017).

    The first one has the start of the trial; each of the others goes through every component's `init_model`
    and gets its own batches. It costs `size` trainings.
    """

    name = "ensemble"
    cite = (
        "Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017). Simple and scalable predictive "
        "uncertainty estimation using deep ensembles. NeurIPS."
    )
    family = "fusion"

    size: int = param(3, low=1, tune=(2, 10))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The mean of the members."""
        from fsbench_plugins._fusion import mean_of

        members = [inner(train)]
        members += [inner(train, model=ctx.start(f"member {number}")) for number in range(1, self.size)]
        return mean_of(members)
