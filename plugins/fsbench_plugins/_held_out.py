"""Predictions for labelled samples that a predictor was not fitted on.

Where a task has a validation part, they are for its samples. Where it has none, or a predictor is fitted to
it, they are out of fold: the training part is divided, and each part is predicted by a fit on the others,
from a copy of the same start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, FsbenchError, LabeledSet, TaskInfo

if TYPE_CHECKING:
    import torch

Fit = Callable[[LabeledSet], Fitted]


def skip_without(task: TaskInfo) -> str | None:
    """Why no labels can be held out on a task, or None."""
    enough = task.num_val or task.labels_per_class > 1
    return None if enough else "needs a validation part, or two labels of a class"


def within_folds(task: TaskInfo, folds: int) -> TaskInfo:
    """A task as fits on folds of its training part get it, with fewer labels; unchanged with validation."""
    if task.num_val:
        return task
    labels = task.labels_per_class
    return replace(task, labels_per_class=labels - -(-labels // min(folds, max(1, labels))))


@dataclass(frozen=True)
class HeldOut:
    """Logits `[N, C]` of each of several predictors for samples with targets `[N, C]`."""

    logits: list[torch.Tensor]
    targets: torch.Tensor

    @property
    def y(self) -> torch.Tensor:
        """Hard labels `[N]` int64."""
        return self.targets.argmax(-1)


def divided(train: LabeledSet, folds: int, ctx: Context) -> list[tuple[LabeledSet, LabeledSet]]:
    """The part kept and the part held out in each stratified fold; what belongs together stays together.

    There are fewer folds if no class has so many separate samples. Raises FsbenchError if no class has two.
    """
    import torch

    from fsbench_plugins._choosing import separate_samples, stratified

    folds = min(folds, max(separate_samples(train)))
    if folds < 2:
        raise FsbenchError(
            "nothing can be held out, as no class has two training samples that do not belong together"
        )
    parts = stratified(train, folds, ctx.stream("folds").seed())
    rows = [[torch.from_numpy(each).to(train.x.device) for each in part] for part in parts]
    return [(train.select(kept), train.select(held_out)) for kept, held_out in rows]


def out_of_fold(fits: Sequence[Fit], train: LabeledSet, folds: int, ctx: Context) -> HeldOut:
    """Predictions of each fit for the training samples, except those whose class is in no other fold.

    A fold that leaves one class to fit on is left out. Raises FsbenchError if none is left.
    """
    import torch

    logits: list[list[torch.Tensor]] = [[] for _ in fits]
    targets = []
    for number, (kept, held_out) in enumerate(divided(train, folds, ctx)):
        there = kept.class_counts > 0
        known = held_out.select(there[held_out.y])
        if len(known) == 0 or there.sum() < 2:
            continue
        targets.append(known.targets)
        with ctx.entering(f"fold {number}", train=kept):
            for fit, found in zip(fits, logits, strict=True):
                found.append(fit(kept).predict(known.x))
    if not targets:
        raise FsbenchError("nothing can be held out: one class alone would be left to fit on")
    why = "the validation part is used by a member" if len(ctx.val) else "no validation part"
    ctx.note(f"{why}; fitted on predictions of {len(targets)} folds of the training part")
    return HeldOut([torch.cat(each) for each in logits], torch.cat(targets))


def held_out_of_members(
    specs: Sequence[str], train: LabeledSet, folds: int, ctx: Context
) -> tuple[HeldOut, Sequence[Callable[[], Fitted]]]:
    """Predictions of several strategies for held-out samples, and their fits on the whole training set.

    If one of them is fitted to the validation part too, its samples are not held out, so predictions are out
    of fold.
    """
    fits = [partial(ctx.fit_with, spec) for spec in specs]
    if not len(ctx.val) or any("val" in ctx.uses_of(spec) for spec in specs):
        return out_of_fold(fits, train, folds, ctx), [lambda fit=fit: fit(train) for fit in fits]
    fitted = [fit(train) for fit in fits]
    known = HeldOut([each.predict(ctx.val.x) for each in fitted], ctx.val.targets)
    return known, [lambda each=each: each for each in fitted]
