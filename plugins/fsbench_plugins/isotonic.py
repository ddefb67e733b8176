"""Isotonic calibration: a step function of each class's score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context
from fsbench_plugins._post_hoc import Change, PostHoc

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Isotonic(PostHoc):
    """Probabilities by an isotonic regression on each class's log-odds (Zadrozny & Elkan 2002).

    The regressions, scikit-learn's, are fitted to held-out labels: those of the validation part or, without
    one, of the training part, predicted by `folds` further fits. They have many free numbers, so they need
    some hundred labels. With more than two classes, each has one against the others, and the probabilities
    are divided by their sum, so decisions can change. A class without a held-out label keeps its probability.
    """

    name = "isotonic"
    results_version = "4"
    cite = (
        "Zadrozny, B. and Elkan, C. (2002). Transforming classifier scores into accurate multiclass "
        "probability estimates. KDD."
    )

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """The fitted regressions."""
        from fsbench_plugins import _one_vs_rest

        return _one_vs_rest.fitted(logits, targets.argmax(-1), "isotonic")
