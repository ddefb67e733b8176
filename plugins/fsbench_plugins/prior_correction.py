"""Priors of the test inputs instead of those of the training labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Fitted, LabeledSet, Savable, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PriorCorrection(Strategy):
    """Multiplies probabilities by the ratio of other priors to those of the training labels.

    `prior`: `em` estimates the priors of the test inputs by expectation maximisation on the predictions for
    all of them, without labels (Saerens et al. 2002), in `steps` steps. Predictions on a sample then
    depend on the others, which its `uses` shows. `uniform` means equal priors: then it is
    `logit_adjustment` after the fit. Probabilities that are too confident give wrong priors; a `temperature`
    before it helps (`temperature+prior_correction`). Resampling in the same spec changes the priors that a
    model has learned, and is not taken into account.
    """

    name = "prior_correction"
    cite = (
        "Saerens, M., Latinne, P. and Decaestecker, C. (2002). Adjusting the outputs of a classifier to new "
        "a priori probabilities: a simple procedure. Neural Computation 14(1)."
    )
    family = "postprocessing"

    prior: Literal["em", "uniform"] = param("em")
    steps: int = param(100, low=0)

    @property
    def uses(self) -> frozenset[str]:
        """The test inputs, if their priors are estimated."""
        return frozenset({"test_inputs"} if self.prior == "em" else ())

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        """The predictor with other priors."""
        counts = ctx.class_counts
        return fitted.map(Corrected(counts / counts.sum(), self.steps if self.prior == "em" else None))


@dataclass(frozen=True, eq=False)
class Corrected(Savable):
    """Log-probabilities under other priors than the known ones `[C]`; classes without labels keep theirs.

    The other priors are uniform, or those of the inputs, after a number of `steps`.
    """

    known: torch.Tensor
    steps: int | None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The changed logits `[N, C]`."""
        import torch

        seen = self.known > 0
        known = self.known.clamp(min=1e-12)
        p = logits.log_softmax(-1)
        prior = torch.where(seen, 1 / seen.sum(), 0) if self.steps is None else self.known
        for _ in range(self.steps or 0):
            prior = (p + (prior / known).log()).softmax(-1).mean(0)
        ratio = torch.where(seen, prior / known, 1.0)
        return p + ratio.clamp(min=1e-12).log()
