"""The training loop: batches, optimizers, schedules, and what ends it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy import baseline_context, toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, Strategy
from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.schedules import schedule
from fsbench.engine.state import TrialState
from fsbench.engine.training import draw_batches, make_optimizer, train
from fsbench.errors import NonFinite
from fsbench.jobs import LONGEST_NOTE, MOST_NOTES
from fsbench.rng import Stream
from fsbench.testing import toy_split

CPU = torch.device("cpu")
QUICK = Recipe("mlp", steps=30, batch_size=16)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 60))
def test_batches_pass_over_the_data_evenly(n: int, steps: int, batch: int) -> None:
    recipe = replace(QUICK, steps=steps, batch_size=batch)
    rows = draw_batches(torch.zeros(n, 2), recipe, Stream("batches"))
    assert rows.shape == (steps, min(batch, n))
    counts = np.bincount(rows.flatten().numpy(), minlength=n)
    assert counts.max() - counts.min() <= 1


def test_sampling_weights_are_relative_probabilities() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    data = LabeledSet(torch.zeros(3, 2), torch.eye(3), weights=weights)
    rows = draw_batches(data, replace(QUICK, steps=10_000, batch_size=3), Stream("weighted"))
    share = torch.bincount(rows.flatten(), minlength=3) / rows.numel()
    torch.testing.assert_close(share, weights / 8, atol=0.01, rtol=0)


@given(st.integers(2, 40), st.integers(1, 50), st.integers(1, 60), st.floats(0.1, 10), st.data())
def test_samples_of_equal_weight_are_passed_over_evenly(
    n: int, steps: int, batch: int, weight: float, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    recipe = replace(QUICK, steps=steps, batch_size=batch)
    weights = weight * torch.tensor(chosen).float()
    rows = draw_batches(LabeledSet(torch.zeros(n, 2), torch.ones(n, 1), weights), recipe, Stream("batches"))
    assert rows.shape == (steps, min(batch, n))
    counts = np.bincount(rows.flatten().numpy(), minlength=n)
    assert not counts[~np.array(chosen)].any()
    assert np.ptp(counts[np.array(chosen)]) <= 1


def test_equal_weights_of_all_samples_are_no_weights() -> None:
    data = LabeledSet(torch.zeros(7, 2), torch.ones(7, 1))
    plain, weighted = (
        draw_batches(each, QUICK, Stream("batches"))
        for each in (data, replace(data, weights=torch.full((7,), 0.3)))
    )
    assert torch.equal(plain, weighted)


def test_the_cosine_starts_at_one_and_ends_near_zero() -> None:
    recipe = replace(QUICK, steps=100)
    values = [schedule(recipe, step) for step in range(100)]
    assert values[0] == 1
    assert values[50] == pytest.approx(0.5)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-3
    assert schedule(replace(recipe, schedule="constant"), 99) == 1


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_warm_up_rises_to_one_before_the_cosine(steps: int) -> None:
    recipe = replace(QUICK, steps=steps, schedule="warmup_cosine")
    values = [schedule(recipe, step) for step in range(steps)]
    top = math.ceil(steps / 10)
    assert values[:top] == sorted(values[:top])
    assert 0 < values[0] < 1
    if steps > 1:
        assert values[top] == 1
        assert values[top:] == sorted(values[top:], reverse=True)
        assert values[-1] > 0


def test_the_body_has_its_own_learning_rate_and_frozen_parameters_have_none() -> None:
    ctx = baseline_context(QUICK)
    model = ctx.new_model()
    optimizer = make_optimizer(ctx.objective(model), replace(QUICK, lr=0.1, backbone_lr_scale=0.01))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert all(rates[id(p)] == pytest.approx(0.001) for p in model.body.parameters())
    assert all(rates[id(p)] == pytest.approx(0.1) for p in model.head.parameters())
    model.body.requires_grad_(False)
    frozen = make_optimizer(ctx.objective(model), QUICK)
    assert [len(group["params"]) for group in frozen.param_groups] == [2]


class Wrapped(nn.Module):
    """A network inside another module, under another name."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inside = network
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inside(x) * self.scale
        return logits


def test_learning_rates_follow_the_role_of_a_parameter_and_not_its_name() -> None:
    @dataclass(frozen=True)
    class Beside(Strategy):
        name = "beside"

        def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
            return nn.Linear(2, 2)

    network = baseline_context(QUICK).new_model()
    state = TrialState(("toy", 0, 0), toy_split().info, Composition((Beside(),)), QUICK, CPU)
    objective = EngineContext(state).objective(Wrapped(network))
    recipe = replace(QUICK, lr=0.1, backbone_lr_scale=0.01)
    groups = make_optimizer(objective, recipe).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert {rates[id(p)] for p in network.head.parameters()} == {0.1}
    assert {rates[id(p)] for p in network.body.parameters()} == {0.1 * 0.01}
    assert {rates[id(p)] for p in objective.auxiliary.parameters()} == {0.1}
    alone = make_optimizer(EngineContext(state).objective(nn.Linear(2, 3)), recipe)
    assert [group["lr"] for group in alone.param_groups] == [0.1]


@pytest.mark.parametrize(
    ("recipe", "reference"),
    [
        (replace(QUICK, optimizer="sgd", lr=0.1, weight_decay=0.01), torch.optim.SGD),
        (replace(QUICK, lr=0.01, weight_decay=0.1), torch.optim.AdamW),
    ],
)
def test_training_equals_a_plain_torch_loop(recipe: Recipe, reference: type[torch.optim.Optimizer]) -> None:
    ctx = baseline_context(recipe)
    ours, theirs = ctx.new_model(), ctx.new_model()
    x, y = torch.randn(40, 8), torch.randint(0, 3, (40,))
    batches = draw_batches(x, recipe, ctx.stream("batches"))
    train(ctx.objective(ours), LabeledSet(x, torch.eye(3)[y]), recipe)
    extra = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
    optimizer = reference(theirs.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, **extra)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    for rows in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(x[rows]), y[rows]).backward()
        optimizer.step()
        cosine.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_a_large_training_part_gets_the_passes_of_the_recipe() -> None:
    """Counted on the part as given, so a changed part is trained on for equally long."""
    steps: list[int] = []

    @dataclass(frozen=True)
    class Halves(Strategy):
        name = "halves"

        def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
            return train.select(torch.arange(len(train)) % 2 == 0)

        def augment(self, batch: Batch, ctx: Context) -> Batch:
            steps[-1] += 1
            return replace(batch, x=batch.x + 1)

        def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
            steps.extend([ctx.recipe.steps, 0])
            inner(train, recipe=replace(ctx.recipe, steps=ctx.recipe.steps // 2))
            steps.append(0)
            return inner(train)

    recipe = Recipe("mlp", steps=3, batch_size=8, passes=4)
    toy_trial(Halves(), toy_split(per_class=16), recipe)
    assert steps == [24, 12, 24]


def test_few_passes_are_noted() -> None:
    def notes(**changes: int) -> tuple[str, ...]:
        recipe = replace(Recipe("mlp", steps=4, batch_size=9), **changes)
        return toy_trial(Composition(()), toy_split(per_class=12), recipe).notes

    (note,) = notes(steps=4)
    assert note.startswith("4 steps of 9 samples make only 1 passes over the 36 training samples; ")
    assert notes(steps=12) == notes(passes=3) == ()


def test_training_that_went_wrong_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsbench.engine.training._STEPS_BETWEEN_LOOKS", 5)
    steps: list[int] = []

    @dataclass(frozen=True)
    class Counts(Strategy):
        name = "counts"

        def loss(
            self,
            logits: torch.Tensor,
            targets: torch.Tensor,
            inner: Callable[..., torch.Tensor],
            ctx: Context,
        ) -> torch.Tensor:
            steps.append(1)
            return inner(logits, targets) * (float("inf") if len(steps) == 7 else 1)

    with pytest.raises(NonFinite, match="loss became inf at step 6 of 30"):
        toy_trial(Counts(), toy_split(), QUICK)
    assert len(steps) == 10


def test_a_record_keeps_so_many_notes_of_such_a_length() -> None:
    ctx = baseline_context(QUICK)
    for number in range(2 * MOST_NOTES):
        ctx.note(f"{number} " + "x" * LONGEST_NOTE)
    assert len(ctx.notes) == MOST_NOTES
    assert {len(note) for note in ctx.notes} == {LONGEST_NOTE}
