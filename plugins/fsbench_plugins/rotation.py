"""Predicting rotations: a pretext task on unlabelled images, trained beside the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fsbench import Context, StepOutput, TaskInfo, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Rotation(UsesUnlabelled):
    """A second head predicts by how many quarter turns an image was rotated (Gidaris et al. 2018).

    The images are those of the step: the labelled ones and, of the target on a `shift` task (Sun et al. 2019)
    or of the same data, the unlabelled ones. Each is turned by a random number of quarter turns. The
    auxiliary loss is `weight` times the mean cross-entropy of the turns, with both domains in separate
    passes, so that batch normalisation has statistics of one domain at a time. Turned images do not enter its
    running averages, with which upright images are predicted.
    """

    name = "rotation"
    results_version = "2"
    cite = (
        "Gidaris, S., Singh, P. and Komodakis, N. (2018). Unsupervised representation learning by predicting "
        "image rotations. ICLR. Sun, Y., Tzeng, E., Darrell, T. and Efros, A. A. (2019). Unsupervised domain "
        "adaptation through self-supervision. arXiv:1909.11825."
    )
    family = "adaptation"
    kinds = frozenset({"image"})

    weight: float = param(0.5, low=0.0, tune=(0.1, 2.0))

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs unlabelled square images."""
        if task.input_shape[-1] != task.input_shape[-2]:
            return "a quarter turn changes the shape of images that are not square"
        return super().skip(task)

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The head: features `[N, D]` to logits `[N, 4]` of the quarter turns."""
        from torch import nn

        return nn.Linear(cast(int, model.num_features), 4)

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The cross-entropy of the turns; zero for a batch without unlabelled images (an episode's)."""
        from torch.nn.functional import cross_entropy

        from fsbench_plugins._normalisation import features_aside

        if out.batch.unlabeled is None or out.modules is None:
            return 0.0
        total: torch.Tensor | float = 0.0
        stream, features = ctx.rng, features_aside(out.model)
        for x in (out.batch.x, out.batch.unlabeled):
            turns = stream.integers(0, 4, len(x))
            with ctx.autocast():
                logits = out.modules(features(turned(x, turns)))
            total = total + cross_entropy(logits.float(), turns)
        return self.weight * total / 2


def turned(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Images `[N, C, S, S]`, each rotated by its number of quarter turns `[N]`, counterclockwise."""
    import torch

    every = torch.stack([x.rot90(k, (-2, -1)) for k in range(4)])
    return every[turns, torch.arange(len(x), device=x.device)]
