"""Temperature scaling: changes confidences, not decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, FsbenchError, LabeledSet, Savable, Strategy, TaskInfo, hookimpl, param

if TYPE_CHECKING:
    import torch

LEAST, MOST = 0.1, 10.0


@dataclass(frozen=True)
class Divided(Savable):
    """Logits divided by a number; a class, not a lambda, so that a model with it can be saved."""

    by: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the same shape."""
        return logits / self.by


@dataclass(frozen=True)
class Temperature(Strategy):
    """Temperature scaling (Guo et al. 2017): all logits are divided by one number.

    `value` is that number; `none` chooses the number between 0.1 and 10 that makes the validation labels
    most likely. Decisions do not change: only `nll`, `ece` and, with more than two classes, `auroc` do. A
    validation part as small as the training part gives only a rough fit, and one of another domain, as on a
    `shift` task, fits that domain. If it has no errors, the best temperature is the smallest.
    """

    name = "temperature"
    cite = (
        "Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On calibration of modern neural "
        "networks. ICML."
    )

    value: float | None = param(None, low=LEAST, high=MOST)

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs a validation part on which to fit the temperature."""
        return None if self.value is not None or task.num_val else "needs a validation part"

    @property
    def uses(self) -> frozenset[str]:
        """The validation set, unless the temperature is given."""
        return frozenset({"val"} if self.value is None else ())

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor with its logits divided. Raises FsbenchError if there is no validation sample."""
        by = self._fitted(fitted, val, ctx) if self.value is None else self.value
        return fitted.map(Divided(by))

    def _fitted(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> float:
        if not len(val):
            raise FsbenchError("temperature: no validation sample in this split; give temperature(value=...)")
        found = fitted_temperature(fitted.predict(val.x), val.targets)
        ctx.note(f"{found:.2f}, fitted on {len(val)} validation samples; decisions stay, nll and ece move")
        return found


def fitted_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The temperature between 0.1 and 10 with the least cross-entropy of logits `[N, C]` against `[N, C]`."""
    from scipy.optimize import minimize_scalar
    from torch.nn.functional import cross_entropy

    exact, wanted = logits.double().cpu(), targets.double().cpu()

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(exact / math.exp(log_temperature), wanted))

    # Convex in 1 / T, so it has a single minimum in log T.
    found = minimize_scalar(loss, bounds=(math.log(LEAST), math.log(MOST)), method="bounded")
    return math.exp(found.x)


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The strategy of this package."""
    return [Temperature]
