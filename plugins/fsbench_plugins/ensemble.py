"""An ensemble of networks from different random starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, InertComponent, LabeledSet, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Ensemble(Strategy):
    """The mean probability of `size` networks from different starts (Lakshminarayanan et al. 2017).

    The first one has the start of the trial; each of the others goes through every component's `init_model`
    and gets its own batches. It costs `size` trainings. It is for networks: other fits that do not depend on
    the start would be the same `size` times.
    """

    name = "ensemble"
    cite = (
        "Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017). Simple and scalable predictive "
        "uncertainty estimation using deep ensembles. NeurIPS."
    )
    family = "fusion"

    size: int = param(3, low=1, tune=(2, 10))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The mean of the members. Raises InertComponent if the first two are the same."""
        from fsbench_plugins._fusion import mean_of

        members = [inner(train)]
        for number in range(1, self.size):
            members.append(inner(train, model=ctx.start(f"member {number}")))
            if number == 1 and _same(members, train.x):
                raise InertComponent(f"{self.name} had no effect; this fit is the same from every start")
        return mean_of(members)


def _same(members: list[Fitted], x: torch.Tensor) -> bool:
    """Whether members without a network predict the same on inputs `[N, ...]`."""
    if any(each.network is not None for each in members):
        return False
    first, *others = (each.predict(x) for each in members)
    return all(bool((other == first).all()) for other in others)
