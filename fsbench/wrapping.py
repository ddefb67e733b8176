"""Wraps one component's stage around the one before it and watches for effects; defines the innermost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fsbench.effects import Effects, Mark, WatchedFit, WatchedStep, Weights, other_tensors
from fsbench.returned import check_passed_targets, checked_fit, checked_loss, sound_recipe
from fsbench.scope import Scope
from fsbench.stages import STAGES
from fsbench.strategy import Strategy, overrides
from fsbench.types import Fitted, LabeledSet, Recipe, Step

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


def why_inert(component: Strategy, effects: Effects) -> str:
    """Why a component had no effect, and what to do."""
    if effects.inner_steps[component.name] == {0}:
        return "its step never called inner; call it, or declare replaces = frozenset({'step'})"
    stages = [stage for stage in STAGES if overrides(component, stage)]
    if not stages:
        return "it overrides no stage"
    why = f"none of its stages changed anything that was used ({', '.join(stages)})"
    if {"embed", "resample", "augment", "loss"}.isdisjoint(stages):
        return why
    return f"{why}; changes in place do not count: return new tensors"


def around_loss(
    component: Strategy, ctx: Scope, inner: Callable[..., torch.Tensor], mark: Mark
) -> Callable[..., torch.Tensor]:
    """A component's `loss` around another one. It has an effect unless it returns the other's result."""

    def call(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        passed: list[torch.Tensor] = []

        def watched(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            if t is not targets:
                check_passed_targets(z, t, component.name)
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
    """A component's `step` around another one.

    It has an effect if it uses the step itself, if it does not call the other one just once in each step, or
    if it changes the weights after the last one. Without calls in any step, it must own the stage.
    """
    numbers = ctx.effects.inner_steps[component.name]

    def call(step: Step) -> None:
        calls, left = 0, None

        def counted(given: Step) -> None:
            nonlocal calls, left
            calls += 1
            inner(given.step if isinstance(given, WatchedStep) else given)
            if step.last and not ctx.effects.had_effect(component.name):
                left = Weights(ctx.trained)

        component.step(cast(Step, WatchedStep(step, mark)), counted, ctx)
        numbers.add(calls)
        if numbers != {1} and (numbers != {0} or "step" in component.replaces | component.yields):
            mark()
        if left is not None and left.differ(ctx.trained):
            mark()

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
            if changes.get("recipe") is not None:
                sound_recipe(changes["recipe"], f"{name}: fit passed inner")
            if data is not train and other_tensors(data, train):
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


def training_mode(network: nn.Module) -> None:
    """Set training mode, but evaluation mode for modules with only frozen parameters.

    So a frozen body keeps its normalisation statistics and has no dropout.
    """
    network.train()
    for module in network.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
