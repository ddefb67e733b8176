"""Semi-supervised strategies: losses by hand, directions by finite differences, and identities."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins.fixmatch import sure_cross_entropy
from fsbench_plugins.pseudo_label import ramp
from fsbench_plugins.self_training import SelfTraining, most_confident
from fsbench_plugins.vat import Vat, direction, divergence, unit
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy import toy_trial

from fsbench import Fitted, LabeledSet, Recipe
from fsbench.registry import load_registry
from fsbench.rng import Stream
from fsbench.testing import toy_split

RECIPE = Recipe("mlp(width=16)", 8, 16)


def trial(spec: str, kind: str = "table", **toy: Any) -> np.ndarray:
    split = toy_split(kind, **({"unlabeled": 30} | toy))
    return toy_trial(spec, split, RECIPE).predictions


@given(st.floats(0, 1))
def test_the_ramp_of_pseudo_labels_rises_from_a_tenth_to_six_tenths(progress: float) -> None:
    expected = np.interp(progress, [0.1, 0.6], [0, 1])
    assert ramp(progress) == pytest.approx(expected, abs=1e-12)


def test_only_sure_guesses_count_and_the_mean_is_over_all() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    guesses = torch.tensor([[9.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 9, 0]])
    rows = -logits.log_softmax(-1)
    expected = (rows[0, 0] + rows[2, 2]) / 3
    torch.testing.assert_close(sure_cross_entropy(logits, guesses, 0.95), expected)
    assert sure_cross_entropy(logits, guesses, 1.0).item() == 0


def test_the_surest_share_of_a_class() -> None:
    sure = torch.tensor([0.9, 0.5, 0.7, 0.8])
    members = torch.tensor([True, True, False, True])
    assert most_confident(sure, members, 0.67).tolist() == [0, 3]
    assert most_confident(sure, members, 1.0).tolist() == [0, 3, 1]


def test_self_training_gives_guesses_half_of_the_weight_and_folds_none() -> None:
    seen: list[LabeledSet] = []

    def inner(train: LabeledSet) -> Fitted:
        seen.append(train)
        return Fitted(lambda x: x)

    class Ctx:
        unlabeled = torch.tensor([[5.0, 0.0], [0.0, 3.0], [0.0, 1.0], [0.0, 9.0]])

    together = torch.tensor([4, 4])
    train = LabeledSet(torch.zeros(2, 2), torch.eye(2), torch.tensor([3.0, 1.0]), groups=together)
    SelfTraining(rounds=1).fit(train, inner, Ctx())  # type: ignore[arg-type]
    last = seen[-1]
    assert last.y.tolist() == [0, 1, 0, 1, 1, 1]
    assert last.weights is not None
    assert last.groups is not None
    assert last.groups.tolist() == [4, 4, -1, -1, -1, -1]
    torch.testing.assert_close(last.weights, torch.tensor([0.375, 0.125, *[0.125] * 4]))


def test_the_adversarial_direction_changes_predictions_more_than_random_ones() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 3))
    x = torch.randn(6, 20)
    wanted = model(x).detach()
    found = direction(model, x, wanted, 1e-2, torch.randn(6, 20))
    torch.testing.assert_close(found.square().mean(1), torch.ones(6))
    with torch.no_grad():
        worst = divergence(wanted, model(x + 0.05 * found))
        random = [divergence(wanted, model(x + 0.05 * unit(torch.randn(6, 20)))) for _ in range(50)]
    assert worst > max(random)


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e-23, 1.0, 1e30])
def test_directions_have_length_one_however_small_the_slopes(size: float) -> None:
    """Where predictions are certain, the squares of slopes are below the smallest number."""
    x = torch.randn(4, 3, 5)
    found = unit(size * x)
    torch.testing.assert_close(found.square().mean((1, 2)), torch.ones(4))
    torch.testing.assert_close(found, unit(x), atol=1e-4, rtol=1e-4)
    assert torch.equal(unit(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_divergence_is_torchs_mean_of_categoricals() -> None:
    wanted, found = torch.randn(5, 4), torch.randn(5, 4)
    first, second = (torch.distributions.Categorical(logits=each) for each in (wanted, found))
    torch.testing.assert_close(
        divergence(wanted, found), torch.distributions.kl_divergence(first, second).mean()
    )


def test_vat_compares_passes_of_the_same_batch_and_leaves_running_averages_alone() -> None:
    """Batch normalisation sees labelled samples beside the unlabelled ones, but not beside the moved ones."""
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    labelled, x = 3 + torch.randn(20, 5), torch.randn(30, 5)
    logits = model(torch.cat([labelled, x]))[20:]
    before = copy.deepcopy(model.state_dict())
    out = SimpleNamespace(model=model, batch=SimpleNamespace(unlabeled=x), unlabeled_logits=logits)
    ctx = SimpleNamespace(rng=Stream("vat"))
    unmoved, moved = (Vat(epsilon=e, entropy=False).auxiliary_loss(out, ctx).item() for e in (0.0, 0.3))
    assert unmoved == pytest.approx(0, abs=1e-7)
    assert moved > 1e-4
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("name", ["pseudo_label", "fixmatch(threshold=0.0)", "vat"])
def test_a_weight_near_zero_gives_the_predictions_of_erm(name: str, kind: str) -> None:
    given_name, _, rest = name.partition("(")
    spec = f"{given_name}(weight=1e-30{', ' + rest[:-1] if rest else ''})"
    assert np.array_equal(trial(spec, kind), trial("erm", kind))
    assert not np.array_equal(trial(name, kind), trial("erm", kind))


def test_a_teacher_without_memory_and_without_weight_is_the_network() -> None:
    assert np.array_equal(trial("mean_teacher(decay=0, weight=1e-30)"), trial("erm"))


def test_the_teacher_is_the_average_of_all_steps_as_a_loop_by_hand() -> None:
    """With a decay of 1 the average forgets nothing: that of the start and of the weights after each step."""
    kept: list[dict[str, torch.Tensor]] = []
    split, composition = toy_split("table", unlabeled=30), load_registry().parse("mean_teacher")[0]
    teacher = replace(composition.components[0], decay=1.0, weight=1e-30)  # type: ignore[call-arg]
    original = type(teacher).step

    def watched(self: Any, step: Any, inner: Any, ctx: Any) -> None:
        if not kept:
            kept.append(copy.deepcopy(ctx.model.state_dict()))

        def inner_watched(given_step: Any) -> None:
            inner(given_step)
            kept.append(copy.deepcopy(ctx.model.state_dict()))

        original(self, step, inner_watched, ctx)
        if step.last:
            kept.append(copy.deepcopy(ctx.model.state_dict()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(teacher), "step", watched)
        toy_trial(load_registry().compose([teacher]), split, RECIPE)
    for name, final in kept[-1].items():
        expected = torch.stack([state[name].float() for state in kept[:-1]]).mean(0)
        if final.is_floating_point() and "running" not in name:
            torch.testing.assert_close(final, expected, rtol=1e-4, atol=1e-6)


def test_a_training_without_a_sure_guess_is_plain_training_and_says_so() -> None:
    found = toy_trial("fixmatch(threshold=1.0)", toy_split("table", unlabeled=30), RECIPE)
    assert np.array_equal(found.predictions, trial("erm"))
    says = "fixmatch: no guess was as sure as 1.0 in a training of 8 steps, so it was on the labels only"
    assert found.notes == (says,)


@pytest.mark.parametrize("name", ["pseudo_label", "self_training", "fixmatch", "mean_teacher", "vat"])
def test_without_unlabelled_inputs_it_says_so(name: str) -> None:
    info = toy_split("table").info
    assert load_registry().strategies[name]().skip(info) == "needs unlabelled data"
    assert np.isfinite(trial(name, shift=True, unlabeled=0)).all()


@pytest.mark.parametrize("spec", ["fixmatch", "mean_teacher", "rotation", "shot", "coteaching"])
def test_every_pass_of_a_training_is_in_the_recipes_precision(spec: str) -> None:
    dtypes: set[torch.dtype] = set()

    def see(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d) and module.training:
            dtypes.add(output.dtype)

    split = toy_split("image", shift=True, test_per_class=8)
    handle = nn.modules.module.register_module_forward_hook(see)
    try:
        toy_trial(spec, split, Recipe("conv4(width=8)", 4, 16, precision="bfloat16"))
    finally:
        handle.remove()
    assert dtypes == {torch.bfloat16}
