"""A curriculum: the training set in the order of difficulty, easy samples first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Strategy, TaskInfo, param

if TYPE_CHECKING:
    import torch

_PARTS = 20


@dataclass(frozen=True)
class Curriculum(Strategy):
    """Draws batches from the easiest samples of each class, and from more of them as training goes on.

    A sample is as difficult as its loss after a first, shorter training from another start, for the share
    `scoring` of the recipe's steps: the self-taught curriculum of Hacohen & Weinshall (2019). Batches are
    drawn from the share `start` of each class at first, and from all samples from the share `full` of the
    training on; in between, the share grows linearly, once in each twentieth of the training.
    """

    name = "curriculum"
    results_version = "2"
    cite = (
        "Bengio, Y., Louradour, J., Collobert, R. and Weston, J. (2009). Curriculum learning. ICML. "
        "Hacohen, G. and Weinshall, D. (2019). On the power of curriculum learning in training deep "
        "networks. ICML."
    )
    family = "hard_examples"

    start: float = param(0.3, low=0.01, high=1.0, tune=(0.1, 0.7))
    full: float = param(0.5, low=0.05, high=0.95, tune=(0.2, 0.8))
    scoring: float = param(0.25, low=0.01, high=1.0)

    def skip(self, task: TaskInfo) -> str | None:
        """One label of each class leaves nothing to order."""
        alone = task.labels_per_class == 1 and task.protocol != "shift"
        return "no class has two labels to order" if alone else None

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """The predictor of a training whose samples come in by their difficulty."""
        steps = max(1, round(self.scoring * ctx.recipe.steps))
        scorer = inner(train, recipe=replace(ctx.recipe, steps=steps), model=ctx.start("scorer"))
        losses = -(train.targets * scorer.predict(train.x).log_softmax(-1)).sum(-1)
        return inner(replace(train, weights=self._weights(train, losses)))

    def _weights(self, train: LabeledSet, losses: torch.Tensor) -> torch.Tensor:
        """Sampling weights `[T, N]` of T parts of the training: zero for samples that are too hard yet."""
        import torch

        position = torch.zeros_like(losses)
        for label in torch.unique(train.y):
            own = (train.y == label).nonzero()[:, 0]
            position[own[losses[own].argsort()]] = torch.arange(len(own)).to(losses) / len(own)
        done = torch.arange(_PARTS).to(losses) / _PARTS
        reached = self.start + (1 - self.start) * (done / self.full).clamp(max=1)
        given = torch.ones_like(losses) if train.weights is None else train.weights
        return given * (position < reached[:, None])
