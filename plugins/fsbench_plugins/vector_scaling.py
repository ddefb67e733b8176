"""Vector scaling: a factor and an offset for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, param
from fsbench_plugins._post_hoc import Affine, Change, PostHoc

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class VectorScaling(PostHoc):
    """Multiplies each class's logit by a number and adds another one (Guo et al. 2017).

    Both make held-out labels likely: those of the validation part or, without one, of the training part,
    predicted by `folds` further fits. `penalty` times the squares of the offsets and of the factors' distance
    from 1, summed, is added to the mean negative log-likelihood, because few labels cannot determine so many
    numbers (Kull et al. 2019).
    """

    name = "vector_scaling"
    results_version = "3"
    cite = (
        "Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On calibration of modern neural "
        "networks. ICML. Penalty: Kull, M., Perello-Nieto, M., Kängsepp, M., Silva Filho, T., Song, H. and "
        "Flach, P. (2019). Beyond temperature scaling: obtaining well-calibrated multi-class probabilities "
        "with Dirichlet calibration. NeurIPS."
    )

    penalty: float = param(0.1, low=0.0, tune=(1e-4, 1.0))

    def correction(self, logits: torch.Tensor, targets: torch.Tensor, ctx: Context) -> Change:
        """The best factors and offsets, by L-BFGS."""
        import torch
        from torch.nn.functional import cross_entropy

        z, t = logits.double(), targets.double()
        change = torch.stack([torch.ones_like(z[0]), torch.zeros_like(z[0])]).requires_grad_()
        neutral = change.detach().clone()
        optimizer = torch.optim.LBFGS([change], max_iter=200, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(change[0] * z + change[1], t)
            loss = loss + self.penalty * (change - neutral).square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        with torch.enable_grad():
            optimizer.step(closure)  # type: ignore[no-untyped-call]
        scale, offset = change.detach().float()
        return Affine(scale, offset)
