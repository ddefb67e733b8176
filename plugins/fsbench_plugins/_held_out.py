"""Predictions for labelled samples that a predictor was not fitted on.

Where a task has a validation part, they are for its samples. Where it has none, they are out of fold: the
training part is divided, and each part is predicted by a fit on the others, from a copy of the same start.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, FsbenchError, LabeledSet, TaskInfo

if TYPE_CHECKING:
    import torch


def skip_without(task: TaskInfo) -> str | None:
    """Why no labels can be held out on a task, or None."""
    enough = task.num_val or task.labels_per_class > 1
    return None if enough else "needs a validation part, or two labels of a class"


@dataclass(frozen=True)
class HeldOut:
    """Logits `[N, C]` of each of several predictors for samples with targets `[N, C]`."""

    logits: list[torch.Tensor]
    targets: torch.Tensor


def divided(train: LabeledSet, folds: int, ctx: Context) -> list[tuple[LabeledSet, LabeledSet]]:
    """The part kept and the part held out in each stratified fold; copies of one sample stay together.

    There are fewer folds if no class has so many samples. Raises FsbenchError if no class has two.
    """
    import torch

    from fsbench_plugins._choosing import members, stratified

    folds = min(folds, max(members(train)))
    if folds < 2:
        raise FsbenchError("nothing can be held out, as no class has two training samples")
    parts = stratified(train, folds, ctx.stream("folds").seed())
    rows = [[torch.from_numpy(each).to(train.x.device) for each in part] for part in parts]
    return [(train.select(kept), train.select(held_out)) for kept, held_out in rows]


def out_of_fold(
    fits: list[Callable[[LabeledSet], Fitted]], train: LabeledSet, folds: int, ctx: Context
) -> HeldOut:
    """Predictions of each fit for the training samples, except those whose class is in no other fold."""
    import torch

    logits: list[list[torch.Tensor]] = [[] for _ in fits]
    targets = []
    for number, (kept, held_out) in enumerate(divided(train, folds, ctx)):
        seen = held_out.select((kept.class_counts() > 0)[held_out.y])
        if len(seen) == 0:
            continue
        targets.append(seen.targets)
        with ctx.entering(f"fold {number}", train=kept):
            for fit, found in zip(fits, logits, strict=True):
                found.append(fit(kept).predict(seen.x))
    return HeldOut([torch.cat(each) for each in logits], torch.cat(targets))


def refits(inner: Callable[..., Fitted], ctx: Context) -> Callable[[LabeledSet], Fitted]:
    """Fits like `inner` that start from the current weights of the model, whatever is trained in between."""
    start = copy.deepcopy(ctx.model)
    return lambda data: inner(data, model=copy.deepcopy(start))


def of_members(
    fits: list[Callable[[LabeledSet], Fitted]], train: LabeledSet, folds: int, ctx: Context
) -> tuple[list[Fitted], HeldOut]:
    """Predictors fitted on the whole training set, and their predictions for samples held out."""
    if not len(ctx.val):
        ctx.note(f"no validation part; {folds} folds of the training part instead")
        held_out = out_of_fold(fits, train, folds, ctx)
        return [fit(train) for fit in fits], held_out
    fitted = [fit(train) for fit in fits]
    return fitted, HeldOut([each.predict(ctx.val.x) for each in fitted], ctx.val.targets)
