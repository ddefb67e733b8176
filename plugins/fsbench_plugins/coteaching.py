"""Co-teaching: two networks choose each other's samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Coteaching(Strategy):
    """Two networks from different starts, each trained on the samples with the smallest losses of the other.

    Each batch leaves out the fraction `rate` of the samples, best that of wrong labels; it is reached
    linearly over the share `warm_up` of the training (Han et al. 2018). As the networks make different
    mistakes, one does not reinforce what it got wrong itself. The priors of the classes are taken out of the
    losses that are compared, or rare classes would be left out. The first network predicts. Write it after
    other losses (`focal+coteaching`), which then are those of both networks.
    """

    name = "coteaching"
    cite = (
        "Han, B., Yao, Q., Yu, X., Niu, G., Xu, M., Hu, W., Tsang, I. and Sugiyama, M. (2018). Co-teaching: "
        "robust training of deep neural networks with extremely noisy labels. NeurIPS 31."
    )
    family = "label_noise"

    rate: float = param(0.2, low=0.0, high=0.9, tune=(0.05, 0.5))
    warm_up: float = param(0.2, low=0.01, high=1.0, tune=(0.05, 0.5))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of the first of two networks that are trained together."""
        from fsbench_plugins._peers import Peers

        pair = Peers(ctx.model, ctx.start("peer"))
        fitted = inner(train, model=pair)
        return ctx.fitted(pair.first) if fitted.network is pair else fitted

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The sum `[B]` of both networks' losses on the samples that the other one chose."""
        from fsbench_plugins import _peers, _selection

        others = _peers.peer_logits(logits, ctx)
        if others is None:
            return inner(logits, targets)
        fraction = 1 - self.rate * min(1.0, ctx.progress / self.warm_up)
        mine, theirs = (_selection.difficulty(z, targets, inner, ctx) for z in (logits, others))
        first = _selection.only(inner(logits, targets), theirs, fraction)
        return first + _selection.only(inner(others, targets), mine, fraction)
