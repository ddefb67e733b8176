"""A body trained on the task's labelled source data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fsbench import Context, match_inputs

if TYPE_CHECKING:
    import torch
    from torch import nn


def train_on_source(
    ctx: Context, steps: int, passes: int, change: Callable[[nn.Module], nn.Module] = lambda model: model
) -> dict[str, torch.Tensor]:
    """The state of a body after plain training on the source, with inputs converted to the task's shape.

    It takes `steps` steps of the recipe, or `passes` over the source if that is more. `change` changes the
    new network, whose head is for the source's classes, before the training.
    """
    source = ctx.source
    data = replace(source, x=match_inputs(source.x, ctx.task))
    recipe = replace(ctx.recipe, steps=steps, passes=passes, backbone_lr_scale=1.0).sized(len(data))
    trained = ctx.pretrain(change(ctx.new_model(data.num_classes)), data, recipe)
    ctx.note(f"{recipe.steps} steps of {recipe.batch_size} on {len(data)} source samples")
    return trained.get_submodule("body").state_dict()
