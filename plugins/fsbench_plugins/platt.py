"""Platt scaling: a sigmoid of each class's score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context
from fsbench_plugins._post_hoc import Change, PostHoc

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Platt(PostHoc):
    """Probabilities by a sigmoid of each class's log-odds, by scikit-learn (Platt 1999).

    The sigmoids are fitted to held-out labels: those of the validation part or, without one, of the training
    part, predicted by `folds` further fits. With more than two classes, each has a sigmoid against the
    others, and the probabilities are divided by their sum (Zadrozny & Elkan 2002), so decisions can change.
    A class without a held-out label keeps its probability.

    Where classes are unequal, calibrated probabilities favour the large ones more than overconfident logits
    do, so balanced accuracy may fall; `threshold` decides for such a metric.
    """

    name = "platt"
    results_version = "4"
    cite = (
        "Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to regularized "
        "likelihood methods. Advances in Large Margin Classifiers. MIT Press. Zadrozny, B. and Elkan, C. "
        "(2002). Transforming classifier scores into accurate multiclass probability estimates. KDD."
    )

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """The fitted sigmoids."""
        from fsbench_plugins import _one_vs_rest

        return _one_vs_rest.fitted(logits, targets.argmax(-1), "sigmoid")
