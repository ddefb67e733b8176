"""No row names a component without effect; an effect is a change, not a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn
from toy import toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, Step, Strategy
from fsbench.composition import Composition
from fsbench.engine.trial import TrialResult
from fsbench.errors import InertComponent
from fsbench.registry import load_registry
from fsbench.testing import toy_split

QUICK = Recipe("mlp", steps=3, batch_size=16)


def means(x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return targets.T @ x.flatten(1) / targets.sum(0)[:, None]


@dataclass(frozen=True)
class Nearest(Strategy):
    """Owns `fit` and uses only the training set."""

    name = "nearest"
    replaces = frozenset({"fit"})

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        centres = means(train.x, train.targets)
        return Fitted(lambda x: -torch.cdist(x.flatten(1), centres))


@dataclass(frozen=True)
class NearestFeature(Nearest):
    """Owns `fit` and uses the model: nearest means of its features."""

    name = "nearest_feature"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        model: Any = ctx.model.eval()
        with torch.no_grad():
            centres = means(model.forward_features(train.x), train.targets)
        return Fitted(lambda x: -torch.cdist(model.forward_features(x), centres).detach())


@dataclass(frozen=True)
class OwnModel(Nearest):
    """Owns `fit` and uses its own model, never the start."""

    name = "own_model"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        model = ctx.new_model(purpose="mine").eval()
        return Fitted(lambda x: model(x).detach())


@dataclass(frozen=True)
class Fresh(Strategy):
    """Trains, but never the start."""

    name = "fresh"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        fitted: Fitted = inner(train, model=ctx.new_model(purpose="fresh"))
        return fitted.map(lambda logits: 2 * logits)


@dataclass(frozen=True)
class Dropout(Strategy):
    """Changes the recipe only."""

    name = "dropout"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        return replace(recipe, dropout=0.5)


@dataclass(frozen=True)
class Steps(Strategy):
    """Sets the number of steps."""

    name = "steps"
    number: int = 5

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        return replace(recipe, steps=self.number)


@dataclass(frozen=True)
class Doubled(Strategy):
    """Doubles a number of steps, the recipe's if none is given, and the logits; refuses one number."""

    name = "doubled"
    of: int | None = None
    refused: int = 0

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        ctx.note(f"doubled {recipe.steps} steps")
        if recipe.steps == self.refused:
            raise ValueError("refused")
        return replace(recipe, steps=2 * (recipe.steps if self.of is None else self.of))

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        return fitted.map(lambda logits: 2 * logits)


@dataclass(frozen=True)
class Passes(Strategy):
    """Passes the input of one or more stages on unchanged."""

    name = "passes"
    how: str = ""

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        if self.how == "resample with a note":
            ctx.note("nothing to do here")
        if self.how == "resample into a new set":
            return replace(train)
        return replace(train, x=train.x + 0) if self.how == "resample" else train

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        if self.how == "augment into a new batch":
            return replace(batch)
        return replace(batch, x=batch.x + 0) if self.how == "augment" else batch

    def loss(self, logits: Any, targets: Any, inner: Any, ctx: Context) -> torch.Tensor:
        losses: torch.Tensor = inner(logits, targets + 0 if self.how == "loss of other targets" else targets)
        return losses + 0 if self.how == "loss" else losses

    def auxiliary_loss(self, out: Any, ctx: Context) -> torch.Tensor | float:
        if self.how == "auxiliary_loss of zero":
            return out.features.sum() * 0
        if self.how == "auxiliary_loss without a gradient":
            return out.features.sum().detach() + 1
        if self.how == "auxiliary_loss of a number":
            return 0.1
        return out.features.sum() * 1e-3 if self.how == "auxiliary_loss" else 0.0

    def step(self, step: Step, inner: Any, ctx: Context) -> None:
        if self.how == "step":
            step.gradients()
            return step.update()
        if self.how == "step, then change the model":
            inner(step)
            with torch.no_grad():
                next(ctx.model.parameters()).mul_(2 if step.last else 1)
            return None
        return inner(step)  # type: ignore[no-any-return]

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        return nn.Sequential(model) if self.how == "init_model" else model

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
        if self.how == "fit twice":
            inner(train)
        if self.how == "fit on other samples":
            return inner(train.select(torch.arange(len(train) - 1)))  # type: ignore[no-any-return]
        if self.how == "fit by another recipe":
            return inner(train, recipe=replace(ctx.recipe, steps=1))  # type: ignore[no-any-return]
        fitted: Fitted = inner(train)
        if self.how == "fit, then change the model":
            for parameter in ctx.model.parameters():
                parameter.data.mul_(0.5)
        if self.how == "fit, closed over":
            return Fitted(lambda x: fitted.predict(x), fitted.network)
        return fitted.map(lambda logits: logits + 0) if self.how == "fit" else fitted

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        if self.how == "postprocess, closed over":
            return fitted.map(lambda logits: logits)
        if self.how == "postprocess, weights":
            for parameter in fitted.require_network("passes").parameters():
                parameter.data.mul_(0.5)
        if self.how == "postprocess, weights at prediction":
            return Fitted(lambda x: self._shrunk(fitted, x), fitted.network)
        return fitted.map(lambda logits: logits + 0) if self.how == "postprocess" else fitted

    @staticmethod
    def _shrunk(fitted: Fitted, x: torch.Tensor) -> torch.Tensor:
        for parameter in fitted.require_network("passes").parameters():
            parameter.data.mul_(0.5)
        return fitted.predict(x)


def trial(*components: Strategy, **toy: Any) -> TrialResult:
    split = toy_split(**({"source": True} | toy))
    return toy_trial(Composition(components), split, QUICK)


def bundled(text: str) -> tuple[Strategy, ...]:
    return load_registry().parse(text)[0].components


@pytest.mark.parametrize(
    "spec",
    [
        "transfer(source_steps=2)",
        "transfer(mode=frozen_then_finetune, source_steps=2)",
        "maml(meta_steps=1)",
        "augmentation",
        "focal",
        "focal+maml(meta_steps=1)",
        "maml(meta_steps=1)+augmentation",
    ],
)
def test_components_have_no_effect_with_an_owner_of_fit_that_uses_no_model(spec: str) -> None:
    for components in ((Nearest(), *bundled(spec)), (*bundled(spec), Nearest())):
        with pytest.raises(InertComponent, match=r"(transfer|maml|augmentation|focal) had no effect"):
            trial(*components)


def test_an_unused_recipe_or_start_has_no_effect() -> None:
    transfer = bundled("transfer(source_steps=2)")
    for components, inert in [
        ((Nearest(), Dropout()), "dropout"),
        ((Nearest(), *bundled("dann")), "dann"),
        ((OwnModel(), *transfer), "transfer"),
        ((Fresh(), *transfer), "transfer"),
        ((*transfer, Fresh()), "transfer"),
        ((Steps(QUICK.steps),), "steps"),
        ((Steps(), Doubled(5)), "steps"),
        (bundled("optimizer+maml(meta_steps=1)"), "optimizer"),
        (bundled("schedule(form=one_cycle)+swa"), "schedule"),
    ]:
        with pytest.raises(InertComponent, match=f"{inert} had no effect"):
            trial(*components, shift=inert == "dann")


@pytest.mark.parametrize(
    "components",
    [
        (NearestFeature(), *bundled("transfer(source_steps=2)")),
        (*bundled("maml(meta_steps=1)"), NearestFeature()),
        (NearestFeature(), *bundled("maml(meta_steps=1)+focal")),
        (NearestFeature(), Dropout()),
        (OwnModel(), Dropout()),
        (Fresh(), Dropout()),
        (Fresh(), *bundled("focal+augmentation")),
        (Steps(),),
        (Steps(), *bundled("transfer(source_steps=2)")),
        (Steps(), Doubled()),
        (Doubled(5), Steps()),
        (Steps(), Doubled(refused=QUICK.steps)),
        bundled("maml(meta_steps=1)+optimizer"),
    ],
    ids=lambda components: Composition(components).text,
)
def test_a_used_change_counts_as_an_effect(components: tuple[Strategy, ...]) -> None:
    trial(*components)
    trial(*components, cells=2)


def test_only_what_was_done_is_noted() -> None:
    """Whether a change lasts is found by doing without it; what components say then is not kept."""
    assert [note for note in trial(Steps(), Doubled()).notes if "doubled" in note] == [
        "doubled: doubled 5 steps"
    ]


@pytest.mark.parametrize(
    "how",
    [
        "resample",
        "resample with a note",
        "augment",
        "loss",
        "loss of other targets",
        "auxiliary_loss",
        "fit",
        "fit twice",
        "fit on other samples",
        "fit by another recipe",
        "fit, then change the model",
        "init_model",
        "step",
        "step, then change the model",
        "postprocess",
        "postprocess, weights",
        "postprocess, weights at prediction",
    ],
)
def test_a_stage_that_changes_something_has_an_effect(how: str) -> None:
    trial(Passes(how))


@pytest.mark.parametrize(
    "how",
    [
        "",
        "resample into a new set",
        "augment into a new batch",
        "auxiliary_loss of zero",
        "auxiliary_loss without a gradient",
        "auxiliary_loss of a number",
        "fit, closed over",
        "postprocess, closed over",
    ],
)
def test_stages_that_return_their_input_have_no_effect(how: str) -> None:
    says = "passes had no effect; .*; changes in place do not count: return new tensors"
    with pytest.raises(InertComponent, match=says):
        trial(Passes(how))


def test_a_setting_that_returns_its_input_has_no_effect() -> None:
    with pytest.raises(InertComponent, match=r"augmentation\(strength=0.0\): augmentation had no effect"):
        trial(*bundled("augmentation(strength=0)"))
    with pytest.raises(InertComponent, match="augmentation had no effect"):
        trial(*bundled("focal+augmentation(strength=0)"), kind="image")
