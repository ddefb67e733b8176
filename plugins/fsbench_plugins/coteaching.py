"""Co-teaching: two networks choose each other's samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, InertComponent, LabeledSet, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Coteaching(Strategy):
    """Two networks from different starts, each trained on the samples with the smallest losses of the other.

    Of each class, the fraction `rate` with the largest losses is left out, ideally that of the wrong labels;
    it is reached linearly over the share `warm_up` of the training (Han et al. 2018). As the networks make
    different mistakes, one does not reinforce what it got wrong itself. The paper compares the losses of a
    batch; here, they are compared with the latest ones of all training samples of the same label, as rare
    classes have larger losses without being wrong. The first network predicts. Write it after other losses
    (`focal+coteaching`), which then are those of both networks. Where another component fits again, the peer
    starts anew.
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
        """The predictor of the first of two networks that are trained together.

        Raises InertComponent if nothing trains a network on the samples.
        """
        from fsbench_plugins._peers import Peers

        pair = Peers(ctx.model, ctx.start("peer"))
        fitted = inner(train, model=pair)
        if not pair.asked:
            raise InertComponent(f"{self.name} had no effect; no network is trained on the samples here")
        return ctx.fitted(pair.first) if fitted.network is pair else fitted

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The sum `[B]` of both networks' losses on the samples that the other one chose."""
        from fsbench_plugins._peers import peer_logits
        from fsbench_plugins._per_sample import LatestLosses, numbered, of_small

        losses, found = inner(logits, targets), numbered(logits, ctx)
        others = None if found is None else peer_logits(found[0].x, ctx)
        if found is None or others is None:
            return losses
        rows, peer = found[1], inner(others, targets)
        fraction = 1 - self.rate * min(1.0, ctx.progress / self.warm_up)
        mine, theirs = ctx.memory(lambda: (LatestLosses(), LatestLosses()))
        chosen = mine.small(rows, losses, targets, fraction)
        return of_small(losses, theirs.small(rows, peer, targets, fraction)) + of_small(peer, chosen)
