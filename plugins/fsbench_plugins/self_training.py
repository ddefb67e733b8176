"""Self-training: the most confident predictions become labels, round after round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SelfTraining(UsesUnlabelled):
    """Learns from its own labels of unlabelled inputs, each class's most confident first (Yarowsky 1995).

    After a fit on the labels, in each of `rounds` another fit also gets the likeliest class of the most
    confident unlabelled inputs as labels: in round r of R, the fraction r / R of the inputs that are
    predicted as a class (class-balanced self-training, Zou et al. 2018). A network goes on from the weights
    of the last fit. Real and guessed labels are equally likely in a batch, all together. The cost is
    `rounds + 1` fits.
    """

    name = "self_training"
    results_version = "2"
    cite = (
        "Yarowsky, D. (1995). Unsupervised word sense disambiguation rivaling supervised methods. ACL. "
        "Zou, Y., Yu, Z., Kumar, B. V. K. V. and Wang, J. (2018). Unsupervised domain adaptation for "
        "semantic segmentation via class-balanced self-training. ECCV."
    )
    family = "semi_supervised"

    rounds: int = param(2, low=1, tune=(1, 4))

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The fit of the last round."""
        import torch
        from torch.nn.functional import one_hot

        x, fitted = ctx.unlabeled, inner(train)
        for number in range(1, self.rounds + 1):
            sure, guessed = fitted.predict(x).softmax(-1).max(-1)
            kept = torch.cat(
                [
                    most_confident(sure, guessed == label, number / self.rounds)
                    for label in range(train.num_classes)
                ]
            )
            targets = one_hot(guessed[kept], train.num_classes).to(train.targets)
            fitted = inner(_joined(train, x[kept], targets))
        return fitted


def _joined(train: LabeledSet, x: torch.Tensor, targets: torch.Tensor) -> LabeledSet:
    """Labelled samples and guesses, each half of the sampling weight.

    Guesses are of the target domain and made from all labels, so that folds leave them out.
    """
    import torch

    given = torch.ones_like(train.targets[:, 0]) if train.weights is None else train.weights
    guesses = targets.new_full((*given.shape[:-1], len(x)), 0.5 / max(1, len(x)))
    weights = torch.cat([given / (2 * given.sum(-1, keepdim=True)), guesses], -1)
    domain, groups = train.domain, train.groups
    if domain is not None:
        domain = domain.new_ones(len(x))
    if groups is not None:
        groups = groups.new_full((len(x),), -1)
    return replace(train.with_added(LabeledSet(x, targets, None, domain, groups)), weights=weights)


def most_confident(sure: torch.Tensor, members: torch.Tensor, share: float) -> torch.Tensor:
    """The numbers of the most confident `share` of inputs that `members [N]` marks, by certainties `[N]`."""
    index = members.nonzero().squeeze(-1)
    return index[sure[index].argsort(descending=True, stable=True)[: round(share * len(index))]]
