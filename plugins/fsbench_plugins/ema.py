"""An exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, Step, Strategy, param


@dataclass(frozen=True)
class Ema(Strategy):
    """Predicts with an exponential moving average of the weights over the steps (Polyak & Juditsky 1992).

    In each step, the average moves by `1 - decay` of the way to the current weights, so it is over about
    `1 / (1 - decay)` steps. Batch normalisation then gets the statistics of the training set under the
    average, as in `swa`. `decay` 0 is plain training.
    """

    name = "ema"
    results_version = "2"
    cite = (
        "Polyak, B. T. and Juditsky, A. B. (1992). Acceleration of stochastic approximation by averaging. "
        "SIAM Journal on Control and Optimization 30(4)."
    )
    family = "regularisation"

    decay: float = param(0.95, low=0.0, high=1.0, tune=(0.8, 0.99))

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """One step, then one of the average."""
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        from fsbench_plugins._averaging import average

        inner(step)
        average(step, ctx, get_ema_multi_avg_fn(self.decay))  # type: ignore[no-untyped-call]

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The fit, with the statistics of batch normalisation computed anew if its network has some."""
        from fsbench_plugins._averaging import with_new_statistics

        fitted = inner(train)
        return with_new_statistics(fitted, train, ctx) if self.decay else fitted
