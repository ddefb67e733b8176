"""How the components of a composition run: the laws of the stages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from fsbench.composition import BASELINE, Composition
from fsbench.effects import Mark, WatchedFit, Weights, other_tensors, trains
from fsbench.errors import InertComponent, PluginError
from fsbench.returned import (
    checked_batch,
    checked_embedded,
    checked_features,
    checked_fit,
    checked_module,
    checked_recipe,
    checked_term,
    checked_training_set,
)
from fsbench.scope import Scope
from fsbench.stages import STAGES
from fsbench.strategy import Strategy
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, Step, StepOutput
from fsbench.wrapping import (
    announced,
    around_fit,
    around_loss,
    around_step,
    cross_entropy,
    plain_step,
    why_inert,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

T = TypeVar("T")


def _running(composition: Composition, stage: str, ctx: Scope) -> Iterator[tuple[Strategy, Scope, Mark]]:
    """The components that change a stage, each with its context and a function that marks an effect."""
    for component in composition.chain(stage):
        yield component, ctx.scoped(component, stage), _marker(ctx, component, stage)


def _map(
    composition: Composition,
    stage: str,
    value: T,
    ctx: Scope,
    changed: Callable[[T, T], bool],
    checked: Callable[[T, T, str], T],
) -> T:
    """The law of `map`: each component's stage acts on the result of the one before it.

    A component that finds nothing to do on this draw says so in a note and does not count as inert.
    """
    for component, scoped, mark in _running(composition, stage, ctx):
        said = ctx.notes
        given, value = value, checked(value, getattr(component, stage)(value, scoped), component.name)
        if changed(given, value) or ctx.notes != said:
            mark()
    return value


def _wrap(
    composition: Composition,
    stage: str,
    innermost: T,
    ctx: Scope,
    around: Callable[[Strategy, Scope, T, Mark], T],
) -> T:
    """The law of `wrap`: each component's stage wraps the one before it."""
    call = innermost
    for component, scoped, mark in _running(composition, stage, ctx):
        call = around(component, scoped, call, mark)
    return call


def configure(composition: Composition, recipe: Recipe, ctx: Scope) -> Recipe:
    """The recipe after every `configure`; a change that later ones overwrite has no effect."""
    later = list(composition.chain("configure"))

    def lasts(given: Recipe, got: Recipe) -> bool:
        later.pop(0)
        return given != got and _outcome(later, given, ctx) != _outcome(later, got, ctx)

    return _map(composition, "configure", recipe, ctx, lasts, checked_recipe)


def embed(composition: Composition, batch: Batch, ctx: Scope) -> Batch:
    """The batch after every component's `embed`: features."""
    got = _map(composition, "embed", batch, ctx, other_tensors, checked_embedded)
    return checked_features(got, composition.chain("embed")[-1].name)


def resample(composition: Composition, train: LabeledSet, ctx: Scope) -> LabeledSet:
    """The training set after every component's `resample`."""
    return _map(composition, "resample", train, ctx, other_tensors, checked_training_set)


def init_model(composition: Composition, model: nn.Module, ctx: Scope) -> nn.Module:
    """The model after every component's `init_model`."""
    with ctx.effects.resting_on(STAGES["init_model"].rests_on):
        for component, scoped, mark in _running(composition, "init_model", ctx):
            before = Weights(model)
            given, model = model, component.init_model(model, scoped)
            checked_module(model, component.name, "init_model")
            if model is not given or before.differ(model):
                mark()
    return model


def augment(composition: Composition, batch: Batch, ctx: Scope, embedding: bool = False) -> Batch:
    """The batch after every component's `augment`; unlabelled inputs are transformed alike.

    A component sees labelled and unlabelled inputs in separate calls, so it cannot use unlabelled inputs
    that it has not declared. `raw_unlabeled` is not changed.

    Where a component embeds inputs, it alone augments (`embedding`), as later batches contain features.
    """
    if not composition.chain("augment") or (composition.chain("embed") and not embedding):
        return batch
    unlabeled = batch.unlabeled
    labeled = replace(batch, unlabeled=None, raw_unlabeled=None)
    found = _map(composition, "augment", labeled, ctx, other_tensors, checked_batch)
    if unlabeled is not None:
        classes = batch.targets.shape[1]
        even = batch.targets.new_full((len(unlabeled), classes), 1 / classes)
        other = Batch(unlabeled, even, role="unlabeled")
        for component in composition.chain("augment"):
            got = component.augment(other, ctx.scoped(component, "augment.unlabeled"))
            other = checked_batch(other, got, component.name)
        unlabeled = other.x
    return replace(found, unlabeled=unlabeled, raw_unlabeled=batch.raw_unlabeled)


def loss(composition: Composition, logits: torch.Tensor, targets: torch.Tensor, ctx: Scope) -> torch.Tensor:
    """Per-sample loss `[B]`: cross-entropy, replaced or wrapped by the components."""
    call: Callable[..., torch.Tensor] = functools.partial(_plain_loss, composition)
    return _wrap(composition, "loss", call, ctx, around_loss)(logits, targets)


def _plain_loss(composition: Composition, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy. Raises PluginError for a model with another number of outputs than classes."""
    if logits.shape[-1] != targets.shape[-1]:
        who = (
            " and ".join(c.name for c in composition.chain("init_model"))
            or composition.text
            or "ctx.pretrain"
        )
        raise PluginError(
            f"{who}: the model has {logits.shape[-1]} outputs for {targets.shape[-1]} classes; give it a "
            "head for them by model.with_head(num_classes)"
        )
    return cross_entropy(logits, targets)


def auxiliary_loss(
    composition: Composition, out: StepOutput, modules: nn.ModuleDict, ctx: Scope
) -> torch.Tensor | float:
    """The sum of the components' auxiliary losses.

    A loss of zero, or without a gradient, has no effect, unless the component says why in a note.
    """
    total: torch.Tensor | float = 0.0
    for component, scoped, mark in _running(composition, "auxiliary_loss", ctx):
        seen = replace(out, modules=dict(modules.items()).get(component.name))
        if "unlabeled" not in component.uses:
            batch = replace(out.batch, unlabeled=None, raw_unlabeled=None)
            seen = replace(seen, unlabeled_features=None, unlabeled_logits=None, batch=batch)
        said = ctx.notes
        term = checked_term(component.auxiliary_loss(seen, scoped), component.name)
        if not ctx.effects.had_effect(component.name) and (trains(term) or ctx.notes != said):
            mark()
        total = total + term
    return total


def auxiliary_modules(composition: Composition, model: nn.Module, ctx: Scope) -> dict[str, nn.Module]:
    """The components' modules by component name, each with independent random weights."""
    found: dict[str, nn.Module] = {}
    for component in composition.components:
        scoped = ctx.scoped(component, "auxiliary_modules")
        with scoped.torch_seeded():
            module = component.auxiliary_modules(model, scoped)
        if module is not None:
            found[component.name] = checked_module(module, component.name, "auxiliary_modules")
    return found


def step(composition: Composition, step: Step, ctx: Scope) -> None:
    """One optimizer step: gradients and update, replaced or wrapped by the components."""
    call: Callable[[Step], None] = plain_step
    _wrap(composition, "step", call, ctx, around_step)(step)


def fit(composition: Composition, train: LabeledSet, inner: Callable[..., Fitted], ctx: Scope) -> Fitted:
    """Fit with the engine's training `inner`, replaced or wrapped by the components."""
    return _wrap(composition, "fit", announced(inner, ctx), ctx, around_fit)(train)


def postprocess(
    composition: Composition, fitted: Fitted, val: LabeledSet, ctx: Scope, before: Strategy | None = None
) -> Fitted:
    """The fitted predictor after every component's `postprocess`, or those before one component."""
    for component, scoped, mark in _running(composition, "postprocess", ctx):
        if component is before:
            break
        watched = WatchedFit(fitted, mark)
        shown = val if "val" in component.uses else scoped.withheld("val")
        got = component.postprocess(watched.given, shown, scoped)
        fitted = watched.check(checked_fit(got, component.name, "postprocess"))
    return fitted


def check_effects(composition: Composition, ctx: Scope) -> None:
    """Raise InertComponent if a component other than the baseline had no effect."""
    for component in composition.components:
        if component.name != BASELINE and not ctx.effects.had_effect(component.name):
            where = "" if composition.text == component.name else f"{composition.text}: "
            raise InertComponent(
                f"{where}{component.name} had no effect; {why_inert(component, ctx.effects)}"
            )


def _marker(ctx: Scope, component: Strategy, stage: str) -> Mark:
    return lambda: ctx.effects.did(component.name, STAGES[stage].rests_on)


def _outcome(components: list[Strategy], recipe: Recipe, ctx: Scope) -> Recipe | None:
    """The recipe that components would make of another one; None if one of them cannot work with it."""
    with ctx.rehearsing():
        try:
            for component in components:
                recipe = component.configure(recipe, ctx.scoped(component, "configure"))
        except Exception:  # noqa: BLE001 - with the real recipe, the component raises again
            return None
    return recipe
