"""Wraps one component's stage around the one before it and watches for effects; defines the innermost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fsbench.effects import Mark, WatchedFit, WatchedStep, Weights, same_tensors
from fsbench.errors import PluginError
from fsbench.scope import Scope
from fsbench.strategy import Strategy
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, Step

if TYPE_CHECKING:
    import torch
    from torch import nn


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy `[B]` of logits `[B, C]` against distributions `[B, C]`."""
    return -(targets * logits.log_softmax(-1)).sum(-1)


def plain_step(step: Step) -> None:
    """Gradients and an update."""
    step.gradients()
    step.update()


def announced(inner: Callable[..., Fitted], ctx: Scope) -> Callable[..., Fitted]:
    """The engine's training, which reports that it was reached."""

    def call(train: LabeledSet, **changes: Any) -> Fitted:
        ctx.reached_training(changes.get("model"))
        return inner(train, **changes)

    return call


def checked_fit(got: object, name: str, stage: str) -> Fitted:
    """What a stage returned. Raises PluginError if it is not a Fitted."""
    if not isinstance(got, Fitted):
        raise PluginError(
            f"{name}: {stage} returned {type(got).__name__}; expected fsbench.Fitted(predict), or what "
            "inner returned"
        )
    return got


def checked_training_set(given: LabeledSet, got: LabeledSet, name: str) -> LabeledSet:
    """What a `resample` returned. Raises PluginError if it is not a LabeledSet, or an empty one."""
    if not isinstance(got, LabeledSet):
        raise PluginError(
            f"{name}: resample returned {type(got).__name__}; expected a LabeledSet, as by train.select(rows)"
        )
    if not len(got):
        raise PluginError(f"{name}: resample returned an empty training set")
    return got


def checked_loss(got: torch.Tensor, samples: int, name: str) -> torch.Tensor:
    """What a `loss` returned. Raises PluginError if it is not a float for each sample."""
    if _form(got) != (True, (samples,)):
        raise PluginError(
            f"{name}: loss returned {_described(got)}; expected one loss per sample, float [{samples}]"
        )
    return got


def checked_batch(given: Batch, got: Batch, name: str) -> Batch:
    """What an `augment` returned. Raises PluginError if it is not a batch like the one that it was given."""
    if not isinstance(got, Batch):
        raise PluginError(
            f"{name}: augment returned {type(got).__name__}; expected dataclasses.replace(batch, x=...)"
        )
    if getattr(got.x, "dtype", None) != given.x.dtype:
        raise PluginError(
            f"{name}: augment returned x as {_described(got.x)}; expected {_dtype(given.x)}, as it was given"
        )
    if _form(got.targets) != (True, (len(got.x), given.targets.shape[1])):
        wanted = f"float [{len(got.x)}, {given.targets.shape[1]}]"
        raise PluginError(
            f"{name}: augment returned targets as {_described(got.targets)}; expected distributions, {wanted}"
        )
    return got


def _form(got: object) -> tuple[bool, tuple[int, ...]] | None:
    """Whether a tensor has floats, and its shape; None for something else."""
    import torch

    return (got.is_floating_point(), tuple(got.shape)) if isinstance(got, torch.Tensor) else None


def _described(got: object) -> str:
    import torch

    return f"{_dtype(got)} {list(got.shape)}" if isinstance(got, torch.Tensor) else type(got).__name__


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def around_loss(
    component: Strategy, ctx: Scope, inner: Callable[..., torch.Tensor], mark: Mark
) -> Callable[..., torch.Tensor]:
    """A component's `loss` around another one. It has an effect unless it returns the other's result."""

    def call(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        passed: list[torch.Tensor] = []

        def watched(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            losses = inner(z, t)
            passed.extend([losses] if z is logits and t is targets else [])
            return losses

        losses = checked_loss(component.loss(logits, targets, watched, ctx), len(logits), component.name)
        if not any(losses is each for each in passed):
            mark()
        return losses

    return call


def around_step(
    component: Strategy, ctx: Scope, inner: Callable[[Step], None], mark: Mark
) -> Callable[[Step], None]:
    """A component's `step` around another one. It has an effect if it uses the step itself."""

    def call(step: Step) -> None:
        def unwatched(given: Step) -> None:
            inner(given.step if isinstance(given, WatchedStep) else given)

        component.step(cast(Step, WatchedStep(step, mark)), unwatched, ctx)

    return call


def around_fit(
    component: Strategy, ctx: Scope, inner: Callable[..., Fitted], mark: Mark
) -> Callable[..., Fitted]:
    """A component's `fit` around another one.

    It has an effect if it fits on other data, with another recipe, from another start or more than once, or
    if it returns something other than it was given (`WatchedFit`).
    """
    name = component.name

    def call(
        train: LabeledSet,
        *,
        recipe: Recipe | None = None,
        model: nn.Module | None = None,
        val: LabeledSet | None = None,
    ) -> Fitted:
        passed: list[WatchedFit] = []

        def watched(data: LabeledSet, **changes: Any) -> Fitted:
            if data is not train and not same_tensors(data, train):
                mark()
            elif passed or changes:
                ctx.effects.did(name, "recipe")
            if not changes.get("model") and before.differ(ctx.trained):
                ctx.effects.did(name, "model")
            passed.append(WatchedFit(inner(data, **changes), mark))
            return passed[-1].given

        with ctx.in_force(recipe, model, val):
            before = Weights(ctx.trained)
            fitted = checked_fit(component.fit(train, watched, ctx), name, "fit")
        mine = [each for each in passed if each.given.predict == fitted.predict] or passed[-1:]
        if not mine:
            mark()
            return fitted
        return mine[0].check(fitted)

    return call
