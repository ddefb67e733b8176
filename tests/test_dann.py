"""DANN: gradient reversal, its ramp, the domain loss, and that it adapts where it should."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fsbench_plugins._adversarial import domain_loss, ramp, reverse_gradient
from fsbench_plugins.dann import Dann
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_moons
from torch import nn
from toy import toy_trial

from fsbench import Batch, Context, Recipe, StepOutput, TaskInfo, laws
from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.errors import InertComponent
from fsbench.registry import load_registry
from fsbench.testing import ToySplit, toy_split

CPU = torch.device("cpu")
SHIFT = TaskInfo("shift(moons)", "shift", "table", (2,), 2, num_unlabeled=300, labels_on_target=False)


@given(st.floats(0, 5))
def test_reversal_is_the_identity_forward_and_minus_the_scale_backward(scale: float) -> None:
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
    assert torch.equal(reverse_gradient(x, scale), x)
    (weights * reverse_gradient(x, scale).sin()).sum().backward()
    step = 1e-6
    with torch.no_grad():
        slopes = weights * ((x + step).sin() - (x - step).sin()) / (2 * step)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, -scale * slopes, rtol=1e-6, atol=1e-9)


def test_reversal_works_inside_torch_func() -> None:
    x = torch.randn(5, 3)
    slopes = torch.func.grad(lambda v: reverse_gradient(v, 0.5).square().sum())(x)
    torch.testing.assert_close(slopes, -x)


@given(st.floats(0, 1), st.floats(0, 20))
def test_the_ramp_is_the_papers(progress: float, gamma: float) -> None:
    assert ramp(progress, gamma) == pytest.approx(math.tanh(gamma * progress / 2), abs=1e-12)
    assert ramp(0, gamma) == 0


def test_domain_loss_is_binary_cross_entropy_of_each_half() -> None:
    labelled, target = torch.randn(7), torch.randn(5)
    expected = F.binary_cross_entropy_with_logits(
        labelled, torch.zeros(7)
    ) + F.binary_cross_entropy_with_logits(target, torch.ones(5))
    torch.testing.assert_close(domain_loss(labelled, target), expected)
    torch.testing.assert_close(domain_loss(labelled, target, torch.zeros(7)), expected)


def test_labelled_target_samples_belong_to_the_target_half() -> None:
    labelled, target = torch.randn(7), torch.randn(5)
    domain = torch.tensor([0.0, 0, 1, 0, 1, 0, 1])
    is_target = domain == 1
    expected = domain_loss(labelled[~is_target], torch.cat([target, labelled[is_target]]))
    torch.testing.assert_close(domain_loss(labelled, target, domain), expected)
    assert domain_loss(labelled, target, torch.ones(7)).isfinite()


def step_output(progress: float, features: torch.Tensor, modules: nn.Module) -> StepOutput:
    logits = torch.zeros(len(features), 2)
    batch = Batch(features, logits, unlabeled=features)
    return StepOutput(
        features,
        logits,
        logits,
        progress,
        nn.Identity(),
        batch,
        unlabeled_features=features + 1,
        modules=modules,
    )


def test_the_body_is_opposed_by_the_ramp_and_the_domain_head_is_not() -> None:
    ctx = EngineContext(TrialState(("t",), SHIFT, Composition((Dann(),)), Recipe("mlp", 5, 8), CPU))
    head = Dann().auxiliary_modules(ctx.new_model(), ctx)
    found = {}
    for progress in (0.0, 0.3, 1.0):
        x = torch.ones(6, 64, requires_grad=True)
        loss = Dann(weight=0.5).auxiliary_loss(step_output(progress, x, head), ctx)
        assert isinstance(loss, torch.Tensor)
        found[progress] = torch.autograd.grad(loss, [x, *head.parameters()])
    assert found[0.0][0].count_nonzero() == 0
    torch.testing.assert_close(found[0.3][0] / ramp(0.3, 10), found[1.0][0] / ramp(1.0, 10))
    for early, late in zip(found[0.0][1:], found[1.0][1:], strict=True):
        assert torch.equal(early, late)
        assert early.count_nonzero() > 0


def test_a_normalised_domain_head_takes_its_statistics_over_both_halves() -> None:
    subject = Dann(norm="batch", hidden=7)
    ctx = EngineContext(TrialState(("t",), SHIFT, Composition((subject,)), Recipe("mlp", 5, 8), CPU))
    first, norm, _, last = head = subject.auxiliary_modules(ctx.new_model(), ctx)  # type: ignore[misc]
    x = torch.randn(6, 64, generator=torch.Generator().manual_seed(0))
    hidden = first(torch.cat([x, x + 1]))
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + norm.eps).sqrt()
    logits = last(hidden.relu()).squeeze(-1)
    expected = domain_loss(logits[:6], logits[6:])
    torch.testing.assert_close(subject.auxiliary_loss(step_output(0.5, x, head), ctx), expected)


MORE_STEPS = "dann: at least 200 training steps; the recipe has 40"


@pytest.mark.parametrize(
    ("steps", "passes", "lasts", "said"),
    [(40, 0, 40, ()), (40, 10, 200, (MORE_STEPS,)), (300, 10, 300, ())],
)
def test_training_is_long_enough_unless_the_recipe_fixes_its_steps(
    steps: int, passes: int, lasts: int, said: tuple[str, ...]
) -> None:
    recipe, dann = Recipe("mlp", steps, 8, passes=passes), Dann(steps=200, sgd=False)
    ctx = EngineContext(TrialState(("t",), SHIFT, Composition((dann,)), recipe, CPU), dann, "configure")
    assert dann.configure(recipe, ctx).sized(16).steps == lasts
    assert ctx.notes == said


@pytest.mark.parametrize(
    ("spec", "optimizer", "passes", "wanted"),
    [
        ("dann", "adamw", 10, ("sgd", 0.03)),
        ("dann", "adamw", 0, ("adamw", 0.003)),
        ("dann", "sgd", 10, ("sgd", 0.003)),
        ("dann(sgd=false)", "adamw", 10, ("adamw", 0.003)),
        ("cdan", "adamw", 10, ("sgd", 0.03)),
        ("cdan(sgd=false)", "adamw", 10, ("adamw", 0.003)),
    ],
)
def test_adam_gives_way_to_sgd_unless_the_recipe_fixes_its_steps(
    spec: str, optimizer: Any, passes: int, wanted: tuple[str, float]
) -> None:
    (composition,) = load_registry().parse(spec)
    recipe = Recipe("mlp", 40, 8, optimizer=optimizer, lr=0.003, passes=passes)
    ctx = EngineContext(TrialState(("t",), SHIFT, composition, recipe, CPU))
    found = laws.configure(composition, recipe, ctx)
    assert (found.optimizer, found.lr) == (wanted[0], pytest.approx(wanted[1]))
    assert any("in place of the recipe's" in note for note in ctx.notes) == (found.optimizer != optimizer)


@pytest.mark.parametrize(("given", "wanted"), [(0.1, 0.01), (0.01, 0.01), (0.001, 0.001)])
def test_the_decay_of_adamw_does_not_become_a_strong_penalty(given: float, wanted: float) -> None:
    recipe = Recipe("mlp", 40, 8, optimizer="adamw", passes=10, weight_decay=given)
    ctx = EngineContext(TrialState(("t",), SHIFT, Composition((Dann(),)), recipe, CPU))
    assert Dann().configure(recipe, ctx).weight_decay == wanted
    assert Dann(sgd=False).configure(recipe, ctx).weight_decay == given


def test_a_batch_without_a_target_half_has_no_domain_loss() -> None:
    out = replace(step_output(1.0, torch.ones(2, 3), nn.Linear(3, 1)), unlabeled_features=None)
    ctx = EngineContext(TrialState(("t",), SHIFT, Composition((Dann(),)), Recipe("mlp", 5, 8), CPU))
    assert Dann().auxiliary_loss(out, ctx) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protocol": "kshot"}, "train and test come from one domain"),
        ({"num_unlabeled": 0}, "needs unlabelled target data"),
        ({}, None),
    ],
)
def test_a_skip_gives_its_reason(changes: dict[str, Any], reason: str | None) -> None:
    assert Dann().skip(replace(SHIFT, **changes)) == reason


# Training on data


def moons(degrees: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = make_moons(300, noise=0.1, random_state=seed)
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return ((x - x.mean(0)) @ matrix).astype(np.float32), y


def rotated_moons(seed: int) -> ToySplit:
    """The paper's toy: two moons with labels, and the same rotated by 35 degrees without labels."""
    (x, y), (test_x, test_y) = moons(0, seed), moons(35, 200 + seed)
    return ToySplit(
        info=SHIFT,
        train_x=x[None],
        train_y=y[None],
        train_domain=np.zeros((1, 300), np.int64),
        val_x=x[None, :4],
        val_y=y[None, :4],
        test_x=test_x[None],
        test_y=test_y[None],
        unlabeled_x=moons(35, 100 + seed)[0],
    )


@pytest.mark.slow
def test_on_rotated_moons_the_papers_head_beats_training_on_the_source() -> None:
    recipe = Recipe("mlp(width=15)", 500, 64, lr=1e-2)
    accuracy: dict[str, list[float]] = {"erm": [], "dann(weight=0.3, norm=none)": []}
    for seed in range(3):
        split = rotated_moons(seed)
        for name in accuracy:
            result = toy_trial(name, split, recipe, identity=("m", seed))
            accuracy[name].append(float((result.predictions[0].argmax(-1) == split.test_y[0]).mean()))
    assert np.mean(accuracy["dann(weight=0.3, norm=none)"]) > np.mean(accuracy["erm"]) + 0.1, accuracy


def final_domain_loss(gamma: float) -> float:
    """The domain head's mean loss in the last quarter of training; 2 log 2 is guessing."""
    losses: list[float] = []

    @dataclass(frozen=True)
    class Watch(Dann):
        name = "watch"

        def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor:
            loss = super().auxiliary_loss(out, ctx)
            assert isinstance(loss, torch.Tensor)
            losses.append(loss.item())
            return loss

    split = toy_split(shift=True, per_class=60, test_per_class=60)
    recipe = Recipe("mlp(width=16)", 400, 64, lr=3e-3)
    toy_trial(Watch(weight=1.0, gamma=gamma), split, recipe, identity=("b", 0))
    return float(np.mean(losses[-100:]))


def test_the_opposing_body_confuses_the_domain_head() -> None:
    confused, free = final_domain_loss(gamma=10), final_domain_loss(gamma=0)
    assert confused > 1.3 * free, (confused, free)


def trial(spec: str, **toy: Any) -> Any:
    split = toy_split(**({"shift": True} | toy))
    return toy_trial(spec, split, Recipe("mlp", 5, 16))


def test_domains_reach_the_loss_with_the_batch() -> None:
    seen: list[torch.Tensor | None] = []

    @dataclass(frozen=True)
    class Watch(Dann):
        name = "watch"

        def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
            assert out.batch is not None
            seen.append(out.batch.domain)
            return super().auxiliary_loss(out, ctx)

    split = toy_split(shift=True, target_per_class=6)
    toy_trial(Watch(), split, Recipe("mlp", 40, 16))
    domain = torch.cat([d for d in seen if d is not None])
    assert len(domain) == 40 * 16
    assert float(domain.mean()) == pytest.approx(split.train_domain.mean(), abs=0.03)


@pytest.mark.parametrize("partner", ["focal", "augmentation", "transfer(target_only=false)"])
@pytest.mark.parametrize("labels", [0, 2])
def test_it_composes_with_other_strategies(partner: str, labels: int) -> None:
    pair = trial(f"dann+{partner}", target_per_class=labels)
    assert not np.array_equal(pair.predictions, trial(partner, target_per_class=labels).predictions)


@pytest.mark.parametrize("partner", ["transfer", "maml(meta_steps=2)"])
def test_without_a_source_half_it_skips_and_a_forced_run_fails(partner: str) -> None:
    info = toy_split(shift=True, target_per_class=2).info
    for spec in (f"dann+{partner}", f"{partner}+dann"):
        (pair,) = load_registry().parse(spec)
        name = partner.partition("(")[0]
        assert pair.skip(info) == f"dann: no labelled source sample to train on beside {name}"
    with pytest.raises(InertComponent, match="no source half"):
        trial(f"dann+{partner}", target_per_class=2)
    (kept,) = load_registry().parse("dann+transfer(target_only=false)")
    assert kept.skip(info) is None
