"""Domain-adversarial training: features that do not distinguish the domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from fsbench import Context, StepOutput, param
from fsbench_plugins._adapting import Adapting

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Dann(Adapting):
    """Domain-adversarial neural networks (Ganin et al. 2016).

    A domain head learns to distinguish the features of labelled source samples from those of unlabelled
    target samples; its gradient reaches the body reversed and scaled by the paper's ramp `2 / (1 + exp(-gamma
    p)) - 1` in the training's progress p. Each step has a source and a target half of the recipe's batch
    size, which pass the body one after the other, so that batch normalisation in the body has statistics of
    one half at a time. Labelled target samples, if the task has any, count as target.

    `weight` multiplies the domain loss (the mean over the source half plus the mean over the target half, as
    in the paper's equation 9, where it is 1), `hidden` is the width of the domain head's hidden layer. For
    short training, a smaller weight may be better. `norm=batch`, which is not in the paper but in many
    re-implementations (Jiang et al. 2022), normalises that layer over both halves: without it, the body can
    win by permanently switching off the layer's units. `norm=none` is the paper's head.

    Training lasts for at least `steps` steps of SGD, the paper's optimizer, at ten times the recipe's rate
    and with a weight decay of at most 0.01, if the recipe is for Adam, which needs three times as many steps
    here. `sgd=false` keeps the recipe's optimizer; a recipe that fixes its steps (`passes=0`) is kept
    altogether. The rate follows the recipe's schedule, not the paper's annealing, as for every strategy on a
    task.
    """

    name = "dann"
    cite = (
        "Ganin, Y., Ustinova, E., Ajakan, H., Germain, P., Larochelle, H., Laviolette, F., Marchand, M. "
        "and Lempitsky, V. (2016). Domain-adversarial training of neural networks. JMLR 17(59). norm: "
        "Jiang, J., Shu, Y., Wang, J. and Long, M. (2022). Transferability in deep learning: a survey."
    )

    results_version = "4"

    weight: float = param(1.0, low=0.0, tune=(0.01, 1.0))
    gamma: float = param(10.0, low=0.0, tune=(1.0, 20.0))
    hidden: int = param(100, low=1)
    norm: Literal["batch"] | None = "batch"
    steps: int = param(2000, low=0, tune=(500, 5000))
    sgd: bool = True

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The domain head: features `[N, D]` to a logit `[N, 1]` of being from the target."""
        from torch import nn

        features = cast(int, model.num_features)
        norm = [] if self.norm is None else [nn.BatchNorm1d(self.hidden)]
        return nn.Sequential(nn.Linear(features, self.hidden), *norm, nn.ReLU(), nn.Linear(self.hidden, 1))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The domain loss of both halves; zero for a batch without a target half (an episode's)."""
        import torch

        from fsbench_plugins._adversarial import domain_loss, ramp, reverse_gradient

        if out.unlabeled_features is None or out.modules is None:
            return 0.0
        scale = ramp(out.progress, self.gamma)
        both = reverse_gradient(torch.cat([out.features, out.unlabeled_features]), scale)
        labelled, target = out.modules(both).squeeze(-1).tensor_split([len(out.features)])
        return self.weight * domain_loss(labelled, target, out.batch.domain)
