"""Temperature scaling: changes confidences, not decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Savable, best_temperature, param
from fsbench_plugins._post_hoc import Change, PostHoc

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Temperature(PostHoc):
    """Divides all logits by one number (Guo et al. 2017).

    `value` is that number; `none` chooses the one between 0.05 and 20 that makes held-out labels likeliest,
    smoothed by Laplace's rule so that a few right predictions do not give certainty. These labels are those
    of the validation part or, without one, of the training part, predicted by `folds` further fits. No
    decision changes: only `nll`, `brier`, `ece` and, with more than two classes, `auroc` and `auprc` do.
    """

    name = "temperature"
    results_version = "3"
    cite = (
        "Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On calibration of modern neural "
        "networks. ICML."
    )

    value: float | None = param(None, low=0.05, high=20.0)

    @property
    def given(self) -> Change | None:
        """Division by `value`."""
        return None if self.value is None else Divided(self.value)

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """Division by the likeliest temperature."""
        found = best_temperature([(logits.cpu().numpy(), targets.argmax(-1).cpu().numpy())])
        ctx.note(f"{found:.2f}, fitted on {len(targets)} samples")
        return Divided(found)


@dataclass(frozen=True, eq=False)
class Divided(Savable):
    """Logits `[N, C]`, divided by a number."""

    by: float

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits."""
        return logits / self.by
