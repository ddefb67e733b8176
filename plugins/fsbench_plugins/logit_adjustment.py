"""Logit adjustment: the classes' priors are taken out of the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, param
from fsbench_plugins._post_hoc import Affine

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LogitAdjustment(Strategy):
    """Moves the decision from the likeliest class to the class with the largest balanced probability.

    `mode` says where (Menon et al. 2021): `loss` adds `tau` times the logarithm of each class's share of the
    training labels to its logit in training, and predicts without; `post_hoc` trains as usual and subtracts
    it from the logits of predictions, which works with any classifier that predicts probabilities. With `tau`
    1 the balanced error is minimised; 0 changes nothing. Each assumes that the labels given are what the
    model was trained on: with `resampling` or `class_weights`, classes are balanced twice.
    """

    name = "logit_adjustment"
    cite = (
        "Menon, A. K., Jayasumana, S., Rawat, A. S., Jain, H., Veit, A. and Kumar, S. (2021). Long-tail "
        "learning via logit adjustment. ICLR."
    )
    family = "imbalance"

    mode: Literal["loss", "post_hoc"] = param("loss", tune=("loss", "post_hoc"))
    tau: float = param(1.0, low=0.0, high=10.0, tune=(0.25, 2.0))

    def skip(self, task: TaskInfo) -> str | None:
        """Equal priors change no decision and no loss."""
        return "the training classes are balanced, so it equals erm" if task.balanced else None

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner loss `[B]` of logits `[B, C]`, adjusted with `mode=loss`."""
        return inner(logits + self._priors(ctx) if self.mode == "loss" else logits, targets)

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor, its logits `[N, C]` adjusted with `mode=post_hoc`."""
        if self.mode == "loss":
            return fitted
        return fitted.map(Affine(offset=-self._priors(ctx)))

    def _priors(self, ctx: Context) -> torch.Tensor:
        """`tau` times the logarithms `[C]` of the classes' shares."""
        from fsbench_plugins import _class_balance

        return self.tau * _class_balance.log_priors(ctx.class_counts)
