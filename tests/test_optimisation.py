"""`schedule` and `optimizer`: those of the recipe agree with those of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._recipes import converted
from test_step import QUICK, same, trial
from torch import nn
from torch.optim import lr_scheduler

from fsbench import Recipe
from fsbench.engine.schedules import Rates

STEPS = 12


@pytest.mark.parametrize("neutral", ["schedule(form=cosine)", "optimizer(method=adamw)"])
def test_the_recipes_own_setting_equals_plain_training(neutral: str) -> None:
    assert same(neutral, "erm")


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ("schedule(form=step, scale=2.0)", {"schedule": "step", "lr": 0.002}),
        ("schedule", {"schedule": "one_cycle"}),
        ("optimizer(method=adam)", {"optimizer": "adam"}),
        ("optimizer(lr=0.1)", {"optimizer": "sgd", "lr": 0.1, "weight_decay": 1e-4}),
        ("optimizer", {"optimizer": "sgd", "lr": 0.01, "weight_decay": 1e-3}),
    ],
)
def test_they_are_training_by_the_changed_recipe(spec: str, changes: dict[str, Any]) -> None:
    ours, theirs = trial(spec).predictions, trial("erm", replace(QUICK, **changes)).predictions
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not same(spec, "erm")


@pytest.mark.parametrize(("optimizer", "decay"), [("adam", 0.01), ("rmsprop", 0.01), ("adamw", 0.1)])
def test_a_decay_apart_from_the_gradient_is_too_strong_within_it(optimizer: Any, decay: float) -> None:
    recipe = replace(QUICK, weight_decay=0.1)
    assert converted(recipe, optimizer) == replace(recipe, optimizer=optimizer, weight_decay=decay)


def test_a_recipe_can_be_converted_and_back() -> None:
    back = converted(converted(QUICK, "sgd"), "adamw")
    assert back.lr == pytest.approx(QUICK.lr)
    assert back.weight_decay == pytest.approx(QUICK.weight_decay)


Optimizer = torch.optim.Optimizer
THEIRS: dict[str, Callable[[Optimizer], Any]] = {
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.4, total_steps=STEPS, cycle_momentum=False),
    "step": lambda o: lr_scheduler.MultiStepLR(o, [6, 9]),
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS),
    "warmup_cosine": lambda o: lr_scheduler.SequentialLR(
        o,
        [
            lr_scheduler.LinearLR(o, 1 / 3, 1, total_iters=2),
            lr_scheduler.CosineAnnealingLR(o, STEPS - 2),
        ],
        [2],
    ),
}


def rates(schedule: Any, losses: torch.Tensor) -> list[float]:
    """The learning rate of each step of a training with given losses."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4)
    ours, found = Rates(optimizer, Recipe("mlp", len(losses), 4, schedule=schedule)), []
    for step in range(len(losses)):
        ours.set(step)
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        ours.after(losses[: step + 1])
    return found


@pytest.mark.parametrize("name", THEIRS)
def test_schedules_are_those_of_torch(name: str) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4)
    theirs, expected = THEIRS[name](optimizer), []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    np.testing.assert_allclose(rates(name, torch.ones(STEPS)), expected, rtol=1e-6)


def test_a_plateau_divides_the_rate_after_a_tenth_of_the_steps_without_progress() -> None:
    falling = rates("plateau", torch.linspace(9, 1, 60))
    assert falling == [0.4] * 60
    flat = rates("plateau", torch.ones(60))
    assert flat[:8] == [0.4] * 8  # the first look sets the level; three more find no progress
    assert flat[8:14] == pytest.approx([0.04] * 6)
    assert flat[14] == pytest.approx(0.004)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["one_cycle", "step", "plateau"])
def test_the_shortest_trainings_have_finite_rates(schedule: str, steps: int) -> None:
    assert all(0 <= rate <= 0.4 for rate in rates(schedule, torch.ones(steps)))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, weight_decay=0.1)),
        ("adam", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1)),
        ("adamw", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, 0.01, weight_decay=0.1)),
        ("adagrad", lambda p: torch.optim.Adagrad(p, 0.01, weight_decay=0.1)),
    ],
)
def test_optimizers_are_those_of_torch(name: Any, make: Callable[[Any], Optimizer]) -> None:
    from toy import baseline_context

    from fsbench.engine.training import make_optimizer

    recipe = replace(QUICK, optimizer=name, lr=0.01, weight_decay=0.1)
    found: list[torch.Tensor] = []
    for ours in (True, False):
        ctx = baseline_context(recipe)
        model = ctx.new_model()
        optimizer = make_optimizer(ctx.objective(model), recipe) if ours else make(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            torch.autograd.backward(model(torch.ones(4, 8)).square().sum())
            optimizer.step()
        found.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(found[0], found[1])
