"""A weighted mean of several strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsbench import Context, Fitted, LabeledSet, mixture_weights
from fsbench_plugins._fusing import Fusing


@dataclass(frozen=True)
class Average(Fusing):
    """The weighted mean probability of the strategies that `of` names (LeBlanc & Tibshirani 1996).

    The weights, which are not negative and sum to 1, make held-out labels likeliest: those of the validation
    part. Without one, or if a strategy is fitted to it (as `temperature` is), they are those of the training
    part, predicted by `folds` further fits of each.
    """

    name = "average"
    cite = (
        "LeBlanc, M. and Tibshirani, R. (1996). Combining estimates in regression and classification. "
        "JASA 91(436)."
    )

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The weighted mean of the fitted strategies."""
        import torch

        from fsbench_plugins._fusion import mean_of

        known, members = self.members(train, ctx)
        p = torch.stack([logits.double().softmax(-1) for logits in known.logits])
        weights = mixture_weights((p * known.targets).sum(-1).cpu().numpy()).tolist()
        ctx.note(f"weights {', '.join(f'{each:.2f}' for each in weights)}")
        return mean_of([member() for member in members], weights)
