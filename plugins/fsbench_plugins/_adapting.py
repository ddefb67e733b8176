"""What strategies that adapt from labelled source samples to unlabelled target samples share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, InertComponent, LabeledSet, Recipe, StepOutput, TaskInfo
from fsbench_plugins._recipes import MOST_DECAY, converted
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch


class Adapting(UsesUnlabelled):
    """A strategy for `shift` tasks, whose unlabelled inputs are of the target.

    With `sgd`, which a subclass may make a field, it trains by SGD in place of Adam, unless the recipe fixes
    its steps.
    """

    family = "adaptation"
    sgd = False

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs two domains, and inputs of both."""
        if task.protocol != "shift":
            return "train and test come from one domain"
        if not task.labels_on_source:
            return "no labelled source sample to train on"
        return super().skip(task) if task.num_unlabeled else "needs unlabelled target data"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """At least `steps` steps, of SGD at Adam's rate converted, unless the recipe fixes their number."""
        if self.sgd and recipe.passes and recipe.optimizer.startswith("adam"):
            ctx.note(f"sgd in place of the recipe's {recipe.optimizer}")
            decay = min(recipe.weight_decay, MOST_DECAY)
            recipe = replace(converted(recipe, "sgd"), weight_decay=decay)
        return super().configure(recipe, ctx)

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Fit unchanged. Raises InertComponent if there is no labelled source sample."""
        if train.domain is not None and bool((train.domain == 1).all()):
            raise InertComponent(
                f"{self.name}: every labelled sample is of the target domain, so there is no source half"
            )
        return inner(train)


def halves(out: StepOutput) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Features of the source `[S, D]` and of the target `[T, D]`; None if a half has fewer than two samples.

    Labelled samples of which more than half is from the target count as target.
    """
    import torch

    source, target = out.features, out.unlabeled_features
    if target is None:
        return None
    if out.batch.domain is not None:
        of_target = out.batch.domain > 0.5
        source, target = source[~of_target], torch.cat([target, source[of_target]])
    return (source, target) if min(len(source), len(target)) > 1 else None


def certainty(p: torch.Tensor) -> torch.Tensor:
    """`1 + exp(-H)` of probabilities `[N, C]`, with the entropy H in nats, `[N]`."""
    return 1 + (p * p.clamp(min=1e-12).log()).sum(1).exp()
