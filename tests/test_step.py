"""The training step as a stage: who owns it, who wraps it, and what they remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toy import toy_trial

from fsbench import Context, Recipe, Step, StepOutput, Strategy
from fsbench.composition import Composition
from fsbench.engine.trial import TrialResult
from fsbench.errors import ConflictError, InertComponent, PluginError
from fsbench.registry import load_registry
from fsbench.testing import toy_split

QUICK = Recipe("mlp", steps=8, batch_size=16)
BATCH_NORM = Recipe("conv4(norm=batch, width=8)", steps=7, batch_size=16, dropout=0.3)


def composed(spec: str) -> Composition:
    registry = load_registry(["plugins_training"])
    registry.check_loaded()
    (found,) = registry.parse(spec)
    return found


def trial(spec: str | Composition, recipe: Recipe = QUICK, **toy: Any) -> TrialResult:
    composition = composed(spec) if isinstance(spec, str) else spec
    return toy_trial(composition, toy_split(**toy), recipe)


def same(first: str, second: str, recipe: Recipe = QUICK, **toy: Any) -> bool:
    found, other = trial(first, recipe, **toy), trial(second, recipe, **toy)
    return np.array_equal(found.predictions, other.predictions)


@pytest.mark.parametrize(
    "neutral", ["sam(rho=0)", "ema(decay=0)", "sam(rho=0)+ema(decay=0)", "clip(most=1e9)"]
)
@pytest.mark.parametrize(
    "beside", ["", "+focal", "+augmentation", "+transfer(source_steps=3)", "+maml(meta_steps=2)"]
)
def test_neutral_settings_are_bit_identical_to_plain_training(neutral: str, beside: str) -> None:
    """With dropout, and with batch normalisation, whose statistics a second pass must not change."""
    plain = beside.removeprefix("+") or "erm"
    assert same(neutral + beside, plain, BATCH_NORM, kind="image", source=True)


@pytest.mark.parametrize("changed", ["sam(rho=0.5)", "ema(decay=0.9)", "clip(most=0.01)"])
@pytest.mark.parametrize("beside", ["", "+focal", "+transfer(source_steps=3)"])
def test_other_settings_differ_from_plain_training(changed: str, beside: str) -> None:
    assert not same(changed + beside, beside.removeprefix("+") or "erm", source=True)


@pytest.mark.parametrize("spec", ["dann+sam", "sam+dann+ema", "mean_teacher+sam", "mean_teacher+ema+dann"])
def test_auxiliary_losses_work_with_step_components(spec: str) -> None:
    for alone in ("erm", *spec.split("+")):
        assert not same(spec, alone, shift=True)


def test_two_owners_of_the_step_are_refused() -> None:
    @dataclass(frozen=True)
    class Rival(Strategy):
        name = "rival"
        replaces = frozenset({"step"})

    with pytest.raises(ConflictError, match="rival both own the stage 'step'"):
        Composition((*composed("sam").components, Rival()))


def test_wrappers_go_around_the_owner_whatever_is_written_first() -> None:
    assert same("sam(rho=0.5)+ema", "ema+sam(rho=0.5)")


def test_training_agrees_with_a_plain_loop() -> None:
    """Compared with a plain loop: SAM on a linear model with one full batch."""
    x, y = torch.randn(16, 2), torch.eye(2)[torch.arange(16) % 2]
    weight = torch.zeros(2, 2, requires_grad=True)
    rho, rate = 0.3, 0.5

    def loss(w: torch.Tensor) -> torch.Tensor:
        return -(y * (x @ w.T).log_softmax(-1)).sum(-1).mean()

    (slope,) = torch.autograd.grad(loss(weight), weight)
    (uphill,) = torch.autograd.grad(loss(weight + rho * slope / slope.norm()), weight)
    expected = weight - rate * uphill
    model = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(model.weight)
    sam = composed(f"sam(rho={rho})").components[0]
    sam.step(_OnModel(model, x, y, rate), lambda step: None, None)  # type: ignore[arg-type]
    torch.testing.assert_close(model.weight, expected)


class _OnModel:
    """A step by plain gradient descent on a full batch."""

    last = True

    def __init__(self, model: nn.Linear, x: torch.Tensor, y: torch.Tensor, rate: float) -> None:
        self.model, self.x, self.y, self.rate = model, x, y, rate
        self.parameters = tuple(model.parameters())

    def gradients(self) -> torch.Tensor:
        self.model.zero_grad()
        loss = -(self.y * self.model(self.x).log_softmax(-1)).sum(-1).mean()
        torch.autograd.backward(loss)
        return loss.detach()

    def update(self) -> None:
        with torch.no_grad():
            for p in self.parameters:
                assert p.grad is not None
                p.sub_(self.rate * p.grad)


@dataclass(frozen=True)
class Asks(Strategy):
    """Looks at the gradients several times and notes what it saw."""

    name = "asks"

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        losses = [step.gradients() for _ in range(3)]
        assert all(torch.equal(loss, losses[0]) and not loss.requires_grad for loss in losses)
        step.update()
        if step.last:
            ctx.note(f"the last is step {ctx.step}")


def test_gradients_are_repeatable_with_dropout_and_the_last_step_is_marked() -> None:
    result = trial(Composition((Asks(),)), BATCH_NORM, kind="image")
    assert result.notes == ("asks: the last is step 6",)
    assert np.array_equal(result.predictions, trial("erm", BATCH_NORM, kind="image").predictions)


@dataclass(frozen=True)
class Handing(Strategy):
    """Passes the step on and does nothing else."""

    name = "handing"

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        inner(step)


def test_passing_the_step_on_unchanged_has_no_effect() -> None:
    with pytest.raises(InertComponent, match="handing had no effect"):
        trial(Composition((Handing(),)))
    with pytest.raises(InertComponent, match="handing had no effect"):
        trial(Composition((*composed("ema").components, Handing())))


@dataclass(frozen=True)
class Calls(Strategy):
    """Takes the inner step several times: `often` in the first step, `then` in later ones."""

    name = "calls"
    often: int = 2
    then: int = 2

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        for _ in range(self.then if ctx.step else self.often):
            inner(step)


@pytest.mark.parametrize(("often", "then"), [(2, 2), (1, 2), (0, 1), (1, 0)])
def test_another_number_of_steps_has_an_effect(often: int, then: int) -> None:
    result = trial(Composition((Calls(often, then),)))
    assert not np.array_equal(result.predictions, trial("erm").predictions)


def test_a_step_that_never_calls_inner_must_own_the_stage() -> None:
    says = (
        r"calls had no effect; its step never called inner; call it, or declare replaces = frozenset\(\{'ste"
    )
    with pytest.raises(InertComponent, match=says):
        trial(Composition((Calls(0, 0),)))

    class Owner(Calls):
        name = "owner"
        replaces = frozenset({"step"})

    trial(Composition((Owner(0, 0),)))


@pytest.mark.parametrize("spec", ["sklearn+ema", "sklearn+sam", "protonet(meta_steps=2)+ema", "sklearn+clip"])
def test_where_the_engine_does_not_train_there_is_no_step(spec: str) -> None:
    with pytest.raises(InertComponent, match=r"(ema|sam|clip) had no effect"):
        trial(spec, source=True)


# Memory of a component


@dataclass(frozen=True)
class Counts(Strategy):
    """Counts its steps in its memory, in two stages and two fits."""

    name = "counts"

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        step.parameters  # noqa: B018 - looking at them is its effect
        inner(step)
        ctx.memory(list).append(ctx.step)
        if step.last:
            ctx.note(f"{len(ctx.memory(list))} entries")

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> float:
        ctx.memory(list).append("loss")
        return 0.0

    def fit(self, train: Any, inner: Callable[..., Any], ctx: Context) -> Any:
        inner(train, recipe=replace(ctx.recipe, steps=7))
        return inner(train)


def test_memory_is_shared_by_stages_and_lives_as_long_as_a_training_run() -> None:
    result = trial(Composition((Counts(),)))
    assert result.notes == ("counts: 14 entries", f"counts: {2 * QUICK.steps} entries")


def test_memory_is_each_components_own() -> None:
    @dataclass(frozen=True)
    class Other(Counts):
        name = "other"

        def fit(self, train: Any, inner: Callable[..., Any], ctx: Context) -> Any:
            return inner(train)

    result = trial(Composition((Counts(), Other())))
    assert set(result.notes) == {
        f"{name}: {2 * steps} entries" for name in ("counts", "other") for steps in (7, QUICK.steps)
    }


def test_memory_asks_for_a_function() -> None:
    @dataclass(frozen=True)
    class Wrong(Strategy):
        name = "wrong"

        def step(self, step: Step, inner: Callable[..., Any], ctx: Context) -> None:
            ctx.memory({"norm": 0.0})  # type: ignore[arg-type]

    with pytest.raises(PluginError, match=r"wrong: ctx\.memory was given dict; expected a function that ma"):
        trial(Composition((Wrong(),)))


def test_there_is_no_memory_outside_of_training() -> None:
    @dataclass(frozen=True)
    class Early(Strategy):
        name = "early"

        def resample(self, train: Any, ctx: Context) -> Any:
            return ctx.memory(list)

    with pytest.raises(PluginError, match=r"early: ctx\.memory is for a training run, and resample is"):
        trial(Composition((Early(),)))
