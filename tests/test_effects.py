"""No component stands in a row that it had no part in: what is called is not what matters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from fsbench import Batch, Context, LabeledSet, Predictor, Recipe, Strategy
from fsbench.composition import Composition
from fsbench.engine.trial import TrialResult, run_trial
from fsbench.errors import InertComponent
from fsbench.registry import load_registry
from fsbench.testing import toy_split

QUICK = Recipe("mlp", steps=3, batch_size=16)


def means(x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return targets.T @ x.flatten(1) / targets.sum(0)[:, None]


@dataclass(frozen=True)
class Nearest(Strategy):
    """Owns `fit` and looks at nothing but the training set."""

    name = "nearest"
    replaces = frozenset({"fit"})

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Predictor:
        centres = means(train.x, train.targets)
        return lambda x: -torch.cdist(x.flatten(1), centres)


@dataclass(frozen=True)
class NearestFeature(Nearest):
    """Owns `fit` and looks at the model: nearest means of its features."""

    name = "nearest_feature"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Predictor:
        model: Any = ctx.model.eval()
        with torch.no_grad():
            centres = means(model.forward_features(train.x), train.targets)
        return lambda x: -torch.cdist(model.forward_features(x), centres).detach()


@dataclass(frozen=True)
class OwnModel(Nearest):
    """Owns `fit` and uses a model of its own, never the start."""

    name = "own_model"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Predictor:
        model = ctx.new_model(purpose="mine").eval()
        return lambda x: model(x).detach()


@dataclass(frozen=True)
class Fresh(Strategy):
    """Trains, but never the start."""

    name = "fresh"

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Predictor:
        predict: Predictor = inner(train, model=ctx.new_model(purpose="fresh"))
        return lambda x: 2 * predict(x)


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
class Passes(Strategy):
    """Hands one stage, or more of them, on as it was given."""

    name = "passes"
    how: str = ""

    def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
        if self.how == "resample with a note":
            ctx.note("nothing to do here")
        return replace(train) if self.how == "resample" else train

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        return replace(batch) if self.how == "augment" else batch

    def loss(self, logits: Any, targets: Any, inner: Any, ctx: Context) -> torch.Tensor:
        losses: torch.Tensor = inner(logits, targets + 0 if self.how == "loss of other targets" else targets)
        return losses + 0 if self.how == "loss" else losses

    def auxiliary_loss(self, out: Any, ctx: Context) -> torch.Tensor | float:
        return out.features.sum() * 0 if self.how == "auxiliary_loss" else 0.0

    def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Predictor:
        if self.how == "fit twice":
            inner(train)
        if self.how == "fit on other samples":
            return inner(train.select(torch.arange(len(train) - 1)))  # type: ignore[no-any-return]
        if self.how == "fit by another recipe":
            return inner(train, recipe=replace(ctx.recipe, steps=1))  # type: ignore[no-any-return]
        predict: Predictor = inner(train)
        if self.how == "fit, then change the model":
            for parameter in ctx.model.parameters():
                parameter.data.mul_(0.5)
        return (lambda x: predict(x)) if self.how == "fit" else predict

    def postprocess(self, predict: Predictor, val: LabeledSet, ctx: Context) -> Predictor:
        return (lambda x: predict(x)) if self.how == "postprocess" else predict


def trial(*components: Strategy, **toy: Any) -> TrialResult:
    split = toy_split(**({"source": True} | toy))
    return run_trial(("toy", 0, 0), Composition(components), QUICK, split, torch.device("cpu"))


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
def test_beside_an_owner_of_fit_that_sees_no_model_there_is_nothing_to_do(spec: str) -> None:
    for components in ((Nearest(), *bundled(spec)), (*bundled(spec), Nearest())):
        with pytest.raises(InertComponent, match=r"(transfer|maml|augmentation|focal) had no effect"):
            trial(*components)


def test_a_recipe_or_a_start_that_nobody_uses_is_no_effect() -> None:
    transfer = bundled("transfer(source_steps=2)")
    for components, inert in [
        ((Nearest(), Dropout()), "dropout"),
        ((Nearest(), *bundled("dann")), "dann"),
        ((OwnModel(), *transfer), "transfer"),
        ((Fresh(), *transfer), "transfer"),
        ((*transfer, Fresh()), "transfer"),
        ((Steps(QUICK.steps),), "steps"),
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
    ],
    ids=lambda components: Composition(components).text,
)
def test_what_is_used_counts(components: tuple[Strategy, ...]) -> None:
    trial(*components)
    trial(*components, cells=2)


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
        "postprocess",
    ],
)
def test_a_stage_that_does_something_counts(how: str) -> None:
    trial(Passes(how))


def test_stages_that_hand_on_what_they_were_given_do_nothing() -> None:
    with pytest.raises(InertComponent, match="passes had no effect"):
        trial(Passes())
    with pytest.raises(InertComponent, match=r"augmentation\(strength=0.0\): augmentation had no effect"):
        trial(*bundled("augmentation(strength=0)"))
    with pytest.raises(InertComponent, match="augmentation had no effect"):
        trial(*bundled("focal+augmentation(strength=0)"), kind="image")
