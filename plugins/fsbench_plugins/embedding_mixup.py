"""Mixup of embeddings: a network learns from mixed features in place of mixed inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class EmbeddingMixup(Strategy):
    """Trains on mixtures of the features of two samples and of their targets (Guo et al. 2019).

    Features are mixed before the head. As the heads of fsbench's networks are affine, mixing logits is the
    same, and it works for all kinds of samples, such as texts, whose inputs cannot be mixed. Beside a
    component with a head of cosines (`ldam_drw`), logits are mixed. The weight of each pair is drawn from
    Beta(alpha, alpha); with `alpha` of 0 nothing is mixed.
    """

    name = "embedding_mixup"
    cite = (
        "Guo, H., Mao, Y. and Zhang, R. (2019). Augmenting data with mixup for sentence classification: an "
        "empirical study. arXiv:1905.08941."
    )
    family = "augmentations"

    alpha: float = param(0.2, low=0.0, high=8.0, tune=(0.05, 2.0))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The next loss `[B]` of mixed logits `[B, C]` against mixed targets `[B, C]`."""
        if not self.alpha:
            return inner(logits, targets)
        rng = ctx.rng
        share = rng.beta(self.alpha, self.alpha, len(logits), 1)
        other = rng.permutation(len(logits))
        return inner(logits.lerp(logits[other], 1 - share), targets.lerp(targets[other], 1 - share))
