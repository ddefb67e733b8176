"""Early stopping by the loss on samples that are not trained on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fsbench import Context, Fitted, LabeledSet, Recipe, Step, Strategy, TaskInfo, param
from fsbench_plugins._held_out import skip_without
from fsbench_plugins._recipes import changed

if TYPE_CHECKING:
    import torch


@dataclass
class _Best:
    """The least loss so far, the weights that had it, and the looks since."""

    loss: float = math.inf
    weights: list[torch.Tensor] = field(default_factory=list)
    since: int = 0


@dataclass(frozen=True)
class EarlyStopping(Strategy):
    """Keeps the weights with the least cross-entropy on the validation part (Prechelt 1998).

    The learning rate stays constant, because a falling one decides by itself when training ends. There are
    `looks` at evenly spaced steps; after `patience` of them without improvement, training ends. Where a task
    has no validation part, one is taken from the training part: one of `folds` stratified parts, which is
    then not trained on, nor are samples that other components made from it (all that `vae` and
    `self_training` add). It leaves samples of every class, if one of them does. Once training has ended,
    other components make no further steps: `ema` and `swa` beside it average nothing more, and what acts on
    the last step (they and `mean_teacher`) has to be written after it.
    """

    name = "early_stopping"
    cite = "Prechelt, L. (1998). Early stopping - but when? Neural Networks: Tricks of the Trade. Springer."
    family = "regularisation"

    looks: int = param(20, low=1)
    patience: int = param(8, low=1, tune=(3, 20))
    folds: int = param(5, low=2)

    @property
    def uses(self) -> frozenset[str]:
        """The validation set."""
        return frozenset({"val"})

    def skip(self, task: TaskInfo) -> str | None:
        """The strategy needs labels to hold out."""
        return skip_without(task)

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """The recipe with a constant learning rate."""
        return changed(recipe, ctx, schedule="constant")

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Fit on the training set, less what is held out if there is no validation set."""
        if len(ctx.val):
            return inner(train)
        from fsbench_plugins._held_out import divided

        parts = divided(train, self.folds, ctx)
        # One part may have all of a class, if all its samples belong together.
        kept, held_out = max(parts, key=lambda part: int((part[0].class_counts > 0).sum()))
        ctx.note(f"no validation part; {len(held_out)} training samples held out")
        if lost := int(train.added_mask.sum() - kept.added_mask.sum()):
            ctx.note(f"{lost} samples that other components may have made from these are not trained on")
        fitted = inner(kept, val=held_out)
        fitted.require_network(self.name)
        return fitted

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """One step, if training has not ended, and perhaps a look."""
        best = ctx.memory(_Best)
        if best.since >= self.patience:
            return
        inner(step)
        if step.last or (ctx.step + 1) % math.ceil(ctx.recipe.steps / self.looks) == 0:
            self._look(step, best, ctx)

    def _look(self, step: Step, best: _Best, ctx: Context) -> None:
        """Keep the weights if they are the best so far; at the end, return to the best."""
        import torch
        from torch.nn.functional import cross_entropy

        model, val = ctx.model, ctx.val
        current = [p.detach() for p in step.parameters]
        current += [each for each in model.buffers() if each.is_floating_point()]
        training = [module for module in model.modules() if module.training]
        loss = float(cross_entropy(ctx.fitted(model).predict(val.x), val.targets))
        for module in training:
            module.training = True
        best.since += 1
        if loss < best.loss:
            best.loss, best.since, best.weights = loss, 0, [each.clone() for each in current]
        if best.weights and (step.last or best.since >= self.patience):
            with torch.no_grad():
                for each, kept in zip(current, best.weights, strict=True):
                    each.copy_(kept)
