"""What strategies share that start from the task's labelled source data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fsbench import Context, LabeledSet, Strategy, TaskInfo, match_inputs, source_problem

if TYPE_CHECKING:
    from torch import nn


class UsesSource(Strategy):
    """A strategy that learns from the source, then from labels of the target only.

    `without_labels` is the reason why a task without such labels is skipped.
    """

    without_labels = "no labelled target samples to adapt to"

    @property
    def uses(self) -> frozenset[str]:
        """The source data."""
        return frozenset({"source"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs a source of inputs like the task's, and labels of the target."""
        if problem := source_problem(task):
            return problem
        return None if task.labels_on_target else self.without_labels

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """Only target samples remain."""
        return replace(task, labels_on_source=False)

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        """The target samples, if both domains are labelled."""
        return train if train.domain is None else train.select(train.domain == 1)


def matched_source(ctx: Context) -> LabeledSet:
    """The source, with inputs converted to the task's shape."""
    return replace(ctx.source, x=match_inputs(ctx.source.x, ctx.task))


def steps_over(source: LabeledSet, passes: int, samples: int, steps: int) -> int:
    """`steps` of `samples` each, or as many as `passes` over the source take if that is more."""
    return max(steps, math.ceil(passes * len(source) / samples))


def train_on_source(
    body: nn.Module,
    ctx: Context,
    steps: int,
    passes: int,
    change: Callable[[nn.Module], nn.Module] = lambda model: model,
) -> None:
    """Train a body on the source, in place, with inputs converted to the task's shape.

    It takes `steps` steps of the recipe, or `passes` over the source if that is more. `change` changes the
    network of this training, whose head is for the source's classes, before it begins.
    """
    data = matched_source(ctx)
    recipe = replace(ctx.recipe, steps=steps, passes=passes, backbone_lr_scale=1.0).sized(len(data))
    network = ctx.new_model(data.num_classes)
    network.get_submodule("body").load_state_dict(body.state_dict())
    trained = ctx.pretrain(change(network), data, recipe)
    ctx.note(f"{recipe.steps} steps of {recipe.batch_size} on {len(data)} source samples")
    body.load_state_dict(trained.get_submodule("body").state_dict())
