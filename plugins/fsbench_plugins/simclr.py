"""SimCLR: a body pretrained to recognise two views of one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fsbench import Context, Stream, param
from fsbench_plugins._pretext import Loss, Pretext

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Simclr(Pretext):
    """Starts from a body that tells views of one input from those of others (Chen et al. 2020).

    Two random views of each unlabelled input of a batch pass the body and a perceptron of `projection`
    outputs. The loss is the cross-entropy of finding the other view among all of the batch, by the cosine
    divided by `temperature` (NT-Xent). Views of images are those of `augmentation` with `strength`; of
    tables, each value becomes, with the probability `corruption`, that of another random row in its column,
    in both views (SCARF, Bahri et al. 2022, changes a fixed number of columns in one view). Then the
    perceptron is dropped, and the network is trained on the labels as always.
    """

    name = "simclr"
    results_version = "3"
    cite = (
        "Chen, T., Kornblith, S., Norouzi, M. and Hinton, G. (2020). A simple framework for contrastive "
        "learning of visual representations. ICML. Tables: Bahri, D., Jiang, H., Tay, Y. and Metzler, D. "
        "(2022). SCARF: self-supervised contrastive learning using random feature corruption. ICLR."
    )

    temperature: float = param(0.5, low=0.01, tune=(0.1, 1.0))
    projection: int = param(64, low=1)
    strength: float = param(1.5, low=0.0, high=5.0, tune=(0.5, 3.0))
    corruption: float = param(0.4, low=0.0, high=1.0, tune=(0.1, 0.7))
    pretext_steps: int = param(150, low=0, tune=(100, 3000))

    def pretext(self, model: nn.Module, ctx: Context) -> tuple[nn.Module, Loss]:
        """The projection, features `[B, D]` to `[B, P]`, and NT-Xent."""
        import torch
        from torch import nn

        from fsbench_plugins._views import view

        features, hidden = cast(int, model.num_features), 2 * self.projection
        project = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, self.projection))

        def loss(x: torch.Tensor, stream: Stream) -> torch.Tensor:
            views = torch.cat([view(x, self.strength, self.corruption, ctx.task, stream) for _ in range(2)])
            return nt_xent(project(model.forward_features(views)), self.temperature)  # type: ignore[operator]

        return project, loss


def nt_xent(z: torch.Tensor, temperature: float) -> torch.Tensor:
    """The loss of projections `[2B, P]` of first views, then second views in the same order; a scalar."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    z = normalize(z.float())
    similarity = z @ z.T / temperature
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return cross_entropy(similarity.masked_fill(own, float("-inf")), partner)
