"""PolyLoss: cross-entropy with another weight for the first term of its expansion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Strategy, hookimpl, param

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Poly(Strategy):
    """Poly-1 (Leng et al. 2022): the loss plus `epsilon (1 - p)` for the probability p of the label.

    Cross-entropy is `(1 - p) + (1 - p)^2 / 2 + (1 - p)^3 / 3 + ...`; `epsilon` changes the weight of the
    first term, and 0 leaves the loss unchanged. The losses are those of the components before it.
    """

    name = "poly"
    cite = (
        "Leng, Z., Tan, M., Liu, C., Cubuk, E. D., Shi, J., Cheng, S. and Anguelov, D. (2022). PolyLoss: a "
        "polynomial expansion perspective of classification loss functions. ICLR."
    )

    epsilon: float = param(1.0, low=-1.0, high=10.0, tune=(0.5, 4.0))

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The inner losses `[B]` plus the changed term, for logits `[B, C]` and distributions `[B, C]`."""
        return inner(logits, targets) + self.epsilon * (1 - (targets * logits.softmax(-1)).sum(-1))


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The strategy of this package."""
    return [Poly]
