"""The family `regularisation`; `test_step.py` has the laws of SAM and EMA."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import jacobian, spectral
from test_step import BATCH_NORM, QUICK, same, trial
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn
from toy import toy_trial

from fsbench import Context, Fitted, InertComponent, LabeledSet, Recipe, Step, Strategy, Stream, scale_width
from fsbench.composition import Composition
from fsbench.errors import NonFinite
from fsbench.registry import load_registry
from fsbench.testing import toy_split


@pytest.mark.parametrize(
    "neutral",
    [
        "dropout(rate=0.0)",
        "weight_decay(factor=1.0)",
        "width(factor=1.0)",
        "ema(decay=0.0)",
        "jacobian(weight=0.0)",
        "spectral(weight=0.0)",
    ],
)
def test_neutral_settings_equal_plain_training(neutral: str) -> None:
    assert same(neutral, "erm", replace(BATCH_NORM, dropout=0.0), kind="image")


@pytest.mark.parametrize("name", ["jacobian", "spectral"])
@pytest.mark.parametrize("recipe", [QUICK, BATCH_NORM], ids=["mlp", "conv4"])
def test_a_penalty_near_zero_changes_neither_dropout_nor_running_averages(name: str, recipe: Recipe) -> None:
    assert same(f"{name}(weight=1e-30)", "erm", recipe, kind="image")
    assert not same(name, "erm", recipe, kind="image")


def test_a_weight_of_zero_is_said() -> None:
    assert trial("spectral(weight=0)").notes == ("spectral: a weight of 0 is plain training",)


@pytest.mark.parametrize(
    ("spec", "recipe"),
    [
        ("dropout(rate=0.5)", replace(QUICK, dropout=0.5)),
        ("weight_decay(factor=5.0)", replace(QUICK, weight_decay=0.05)),
        ("width(factor=0.25)", replace(QUICK, backbone="mlp(width=16)")),
    ],
)
def test_they_are_training_by_the_changed_recipe(spec: str, recipe: Recipe) -> None:
    assert np.array_equal(trial(spec).predictions, trial("erm", recipe).predictions)
    assert not same(spec, "erm")


@pytest.mark.parametrize(
    ("backbone", "factor", "expected"),
    [
        ("mlp", 0.5, "mlp(width=32)"),
        ("mlp(norm=batch, width=256)", 2.0, "mlp(norm=batch, width=512)"),
        ("mlp(widths=[64, 2])", 0.25, "mlp(widths=[16, 1])"),
        ("conv4", 0.001, "conv4(width=1)"),
        ("lenet", 2.0, None),
    ],
)
def test_widths_are_scaled_in_the_backbones_text(backbone: str, factor: float, expected: str | None) -> None:
    assert scale_width(backbone, factor) == expected


def test_a_backbone_without_a_width_fails_the_trial() -> None:
    with pytest.raises(InertComponent, match="linear has no argument for its width"):
        trial("width", replace(QUICK, backbone="linear"))


@dataclass(frozen=True)
class Torchs(Strategy):
    """torch's own average of a model, instead of ours."""

    name = "torchs"
    decay: float = 0.0

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        inner(step)
        update = get_ema_avg_fn(self.decay) if self.decay else get_swa_avg_fn()
        mean = ctx.memory(lambda: AveragedModel(ctx.model, avg_fn=update))
        if self.decay or ctx.progress >= 0.5:
            mean.update_parameters(ctx.model)
        if step.last:
            step.parameters  # noqa: B018 - so that the component counts as effective
            ctx.model.load_state_dict(mean.module.state_dict())

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        fitted = inner(train)
        update_bn([train.x], ctx.model)
        return fitted


@pytest.mark.parametrize(
    ("spec", "decay", "schedule"), [("ema(decay=0.8)", 0.8, "cosine"), ("swa", 0.0, "constant")]
)
def test_averages_are_those_of_torch(spec: str, decay: float, schedule: Any) -> None:
    theirs = trial(Composition((Torchs(decay),)), replace(BATCH_NORM, schedule=schedule), kind="image")
    ours = trial(spec, BATCH_NORM, kind="image")
    np.testing.assert_allclose(ours.predictions, theirs.predictions, atol=1e-5)
    assert not same(spec, "erm", BATCH_NORM, kind="image")


def test_a_mean_of_one_step_is_that_step() -> None:
    assert same("swa(start=1.0)", "schedule(form=constant)")


# Early stopping


def noisy(**toy: Any) -> Any:
    """A split whose validation labels are wrong, so that training soon increases the loss there."""
    split = toy_split(**toy)
    return replace(split, val_y=(split.val_y + 1) % 3)


def run(spec: str, split: Any, recipe: Recipe = QUICK) -> np.ndarray:
    return toy_trial(spec, split, recipe).predictions


def test_the_weights_with_the_least_validation_loss_are_kept() -> None:
    """As in a loop that trains for every possible number of steps."""
    recipe, split = replace(QUICK, steps=24, schedule="constant", lr=0.01), noisy()
    found = run("early_stopping(looks=24, patience=24)", split, recipe)
    losses, logits = [], []
    for steps in range(1, 25):
        part = replace(split, test_x=np.concatenate([split.val_x, split.test_x], 1))
        both = run("erm", part, replace(recipe, steps=steps))
        known = split.val_y.shape[1]
        picked = both[0, :known][np.arange(known), split.val_y[0]]
        losses.append(np.mean(np.log(np.exp(both[0, :known]).sum(1)) - picked))
        logits.append(both[:, known:])
    np.testing.assert_allclose(found, logits[int(np.argmin(losses))], atol=1e-5)
    assert np.argmin(losses) < 20


def test_training_ends_after_patience() -> None:
    steps: list[int] = []

    @dataclass(frozen=True)
    class Counts(Strategy):
        name = "counts"

        def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
            steps.append(ctx.step)
            step.gradients()
            step.update()

    (stopping,) = load_registry().parse("early_stopping(looks=50, patience=3)")
    recipe = replace(QUICK, steps=50, schedule="constant", lr=0.01)
    toy_trial(Composition((Counts(), *stopping.components)), noisy(), recipe)
    assert 3 < len(steps) < 50


def test_without_a_validation_part_training_labels_are_held_out_and_said() -> None:
    split = toy_split()
    empty = replace(split, val_x=split.val_x[:, :0], val_y=split.val_y[:, :0])
    result = toy_trial("early_stopping", empty, QUICK)
    assert result.notes[0].startswith("early_stopping: no validation part; ")
    with pytest.raises(InertComponent, match="early_stopping had no effect"):
        run("svm+early_stopping", empty)
    with pytest.raises(InertComponent, match="early_stopping had no effect"):
        run("svm+early_stopping", split)


def test_it_skips_where_nothing_can_be_held_out() -> None:
    (stopping,) = load_registry().parse("early_stopping")
    info = replace(toy_split().info, num_val=0, labels_per_class=1)
    assert stopping.skip(info) == "needs a validation part, or two labels of a class"
    assert stopping.skip(replace(info, num_val=3)) is None


def test_a_loss_that_is_not_finite_still_ends_the_trial() -> None:
    with pytest.raises(NonFinite):
        trial("early_stopping", replace(QUICK, lr=1e30, optimizer="sgd"))


# Penalties


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def test_the_projected_norm_of_the_jacobian_is_right_on_average() -> None:
    """Over projections along the axes, whose mean is exact, as by `torch.autograd.functional.jacobian`."""
    model, x = small_network(), torch.randn(4, 5, dtype=torch.float64)
    axes = [torch.eye(3, dtype=torch.float64)[i].expand(4, 3) for i in range(3)]
    found = torch.stack([jacobian.squared_norm(model, x, axis) for axis in axes]).mean()
    whole = torch.autograd.functional.jacobian(model, x)  # [4, 3, 4, 5]; samples do not meet
    torch.testing.assert_close(found, whole.square().sum() / 4, check_dtype=False)


def test_random_projections_have_the_same_mean() -> None:
    model, x = small_network(), torch.randn(1, 5, dtype=torch.float64)
    directions = torch.randn(4000, 3, dtype=torch.float64)
    found = jacobian.squared_norm(model, x.expand(4000, 5), directions)
    exact = torch.autograd.functional.jacobian(model, x).square().sum()
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0, check_dtype=False)


def test_the_penalty_on_the_jacobian_is_differentiated_as_by_finite_differences() -> None:
    model, x, v = small_network(), torch.randn(4, 5).double(), torch.randn(4, 3).double()
    weight = model.get_parameter("0.weight")
    (slope,) = torch.autograd.grad(jacobian.squared_norm(model, x, v), weight)
    values = []
    for change in (1e-3, -2e-3):
        weight.data[2, 1] += change
        values.append(jacobian.squared_norm(model, x, v).item())
    assert slope[2, 1].item() == pytest.approx((values[0] - values[1]) / 2e-3, rel=1e-2)


def test_the_penalty_on_the_jacobian_comes_every_few_steps_times_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jacobian, "squared_norm", lambda *_: torch.tensor(2.0))
    out = SimpleNamespace(batch=SimpleNamespace(rows=1, x=None), logits=torch.zeros(2, 3), model=None)

    def penalty(step: int) -> float:
        ctx = SimpleNamespace(step=step, rng=Stream("jacobian"), torch_seeded=nullcontext)
        return float(jacobian.Jacobian(weight=0.5, every=3).auxiliary_loss(out, ctx))

    assert [penalty(step) for step in range(7)] == [1.5, 0, 0, 1.5, 0, 0, 1.5]


def test_power_iteration_finds_numpys_largest_singular_value_and_its_slope() -> None:
    weight = torch.randn(6, 9, dtype=torch.float64, requires_grad=True)
    u = torch.randn(6, dtype=torch.float64)
    for _ in range(300):
        found = spectral.squared_norm(weight, u)
    left, values, right = np.linalg.svd(weight.detach().numpy())
    assert found.item() == pytest.approx(values[0] ** 2, rel=1e-6)
    (slope,) = torch.autograd.grad(found, weight)
    np.testing.assert_allclose(slope, 2 * values[0] * np.outer(left[:, 0], right[0]), rtol=1e-3, atol=1e-4)


def test_convolutions_are_matrices_and_frozen_layers_are_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3), nn.Linear(3, 3))
    model[3].requires_grad_(False)
    assert [tuple(w.shape) for w in spectral.weight_matrices(model)] == [(4, 18), (3, 4)]


@pytest.mark.parametrize("spec", ["jacobian(weight=1.0)", "spectral(weight=1.0)"])
def test_the_penalised_quantity_shrinks(spec: str) -> None:
    """Of the trained network, against plain training with the same batches."""
    kept: dict[str, tuple[float, float]] = {}

    @dataclass(frozen=True)
    class Measured(Strategy):
        name = "measured"

        def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
            inner(step)
            if step.last:
                step.parameters  # noqa: B018 - so that the component counts as effective
                x = step.batch.x
                slopes = torch.autograd.functional.jacobian(ctx.model, x).square().sum().item()
                norms = [torch.linalg.matrix_norm(w, 2).item() for w in spectral.weight_matrices(ctx.model)]
                kept[name] = slopes, sum(norms)

    for name in ("erm", spec):
        (composition,) = load_registry().parse(name)
        trial(Composition((Measured(), *composition.components)), replace(QUICK, steps=60))
    measure = 0 if spec.startswith("jacobian") else 1
    assert kept[spec][measure] < 0.9 * kept["erm"][measure]
