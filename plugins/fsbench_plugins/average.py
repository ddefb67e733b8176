"""A weighted mean of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, param
from fsbench_plugins._held_out import skip_without

if TYPE_CHECKING:
    from fsbench_plugins._held_out import HeldOut


@dataclass(frozen=True)
class Average(Strategy):
    """The weighted mean probability of the strategies that `of` names (LeBlanc & Tibshirani 1996).

    The weights, which are not negative and sum to 1, make held-out labels likeliest: those of the validation
    part or, without one, of the training part, predicted by `folds` further fits of each strategy.
    """

    name = "average"
    cite = (
        "LeBlanc, M. and Tibshirani, R. (1996). Combining estimates in regression and classification. "
        "JASA 91(436)."
    )
    family = "fusion"
    replaces = frozenset({"fit"})

    of: str = param("erm, logistic_regression, svm", spec=True)
    folds: int = param(3, low=2)

    @property
    def uses(self) -> frozenset[str]:
        """The validation set."""
        return frozenset({"val"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs labels to hold out."""
        return skip_without(task)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The weighted mean of the fitted strategies."""
        from fsbench_plugins._fusion import fits_of, mean_of
        from fsbench_plugins._held_out import held_out_of_members

        known, members = held_out_of_members(fits_of(self.of, ctx), train, self.folds, ctx)
        weights = mixture_weights(known)
        ctx.note(f"weights {', '.join(f'{each:.2f}' for each in weights)}")
        return mean_of([member() for member in members], weights)


def mixture_weights(known: HeldOut, steps: int = 500) -> list[float]:
    """The weights that make the labels likeliest, by expectation maximisation (Dempster et al. 1977)."""
    import torch

    log_p = torch.stack([z.double().log_softmax(-1) for z in known.logits])
    right = (log_p.exp() * known.targets).sum(-1).clamp(min=1e-12)
    weights = torch.full_like(right[:, :1], 1 / len(right))
    for _ in range(steps):
        weights = (weights * right / (weights * right).sum(0)).mean(1, keepdim=True)
    return [float(each) for each in weights[:, 0]]
