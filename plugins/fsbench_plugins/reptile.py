"""Reptile: a start that is close to the solutions of many small tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, param
from fsbench_plugins._adapted import Adapted
from fsbench_plugins._source import matched_source, steps_over

if TYPE_CHECKING:
    from torch import nn

MOST_SHOTS = 5


@dataclass(frozen=True)
class Reptile(Adapted):
    """Reptile (Nichol et al. 2018): move the start towards what training on an episode arrives at.

    An episode has as many classes as the task, in a random order. From the start, `inner_steps` plain
    gradient steps at `inner_lr` are taken, each on `shot` other labels per class (`none`: as many as the
    task, at most 5), as far as the source has them. The start moves the fraction `meta_lr` of the way to the
    mean result of `meta_batch` episodes; the fraction falls linearly to zero over `meta_steps` meta-steps, or
    `source_passes` over the source if that is more. No gradient passes through the steps. The training on the
    task is then `adapt_steps` steps of the same form on all its labels at once, and the head starts at zero,
    as in `maml`.

    Losses, auxiliary losses and augmentations of other components also act in the episodes. The defaults are
    for a small budget; the paper takes tens of thousands of meta-steps, and its code takes the inner
    steps by Adam.
    """

    name = "reptile"
    results_version = "3"
    cite = (
        "Nichol, A., Achiam, J. and Schulman, J. (2018). On first-order meta-learning algorithms. "
        "arXiv:1803.02999."
    )

    kinds = frozenset({"image", "table"})

    inner_lr: float = param(0.1, low=0.0, tune=(0.01, 0.5))
    inner_steps: int = param(3, low=1, tune=(2, 10))
    adapt_steps: int = param(50, low=1, tune=(1, 100))
    meta_lr: float = param(0.5, low=0.0, high=1.0, tune=(0.1, 1.0))
    meta_steps: int = param(30, low=1)
    meta_batch: int = param(2, low=1, tune=(1, 4))
    source_passes: int = param(1, low=0)
    shot: int | None = param(None, low=1)

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The meta-learned start."""
        from fsbench_plugins import _meta_training
        from fsbench_plugins._episodes import Episodes

        source = matched_source(ctx)
        shot = self.shot or min(ctx.task.labels_per_class or MOST_SHOTS, MOST_SHOTS)
        labels = shot * self.inner_steps
        episodes = Episodes(source, ctx.num_classes, labels, 1, ctx.stream("episodes"))
        inner = _meta_training.Inner(self.inner_lr, self.inner_steps, first_order=True)
        steps = steps_over(source, self.source_passes, self.meta_batch * episodes.samples, self.meta_steps)
        _meta_training.zero(model.get_submodule("head"))

        def train() -> None:
            _meta_training.move_to_solutions(
                model, episodes, shot, inner, ctx, self.meta_lr, steps, self.meta_batch
            )

        with _meta_training.batch_statistics(model):
            ctx.pretrain_by(train, model, source, episodes.sizes, shot, steps)
        ctx.note(
            f"{steps} meta-steps of {self.meta_batch} episodes, {episodes.way}-way {shot}-shot, "
            f"{self.inner_steps} inner steps on {episodes.shot} labels per class"
        )
        return model
