"""Strategies that choose samples by difficulty: which count, by how much, and when all of them do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fsbench_plugins import _selection
from fsbench_plugins.curriculum import Curriculum
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal
from fsbench_plugins.ohem import Ohem
from fsbench_plugins.self_paced import SelfPaced
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import context, task_info, toy_trial

from fsbench import LabeledSet, Recipe, Strategy, Stream, laws
from fsbench.composition import Composition
from fsbench.engine.training import draw_batches
from fsbench.errors import SpecError
from fsbench.recipes.recipe import default_recipe
from fsbench.testing import toy_split
from fsbench.wrapping import cross_entropy


def ohem(logits: torch.Tensor, targets: torch.Tensor, keep: float) -> torch.Tensor:
    component = Ohem(keep=keep)
    ctx = context(component, "loss", task_info(num_classes=logits.shape[1]))
    return component.loss(logits, targets, cross_entropy, ctx)


def batch(samples: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(samples, 4, generator=generator, dtype=torch.float64)
    targets = torch.eye(4, dtype=torch.float64)[torch.randint(4, (samples,), generator=generator)]
    return logits.requires_grad_(), targets


@settings(max_examples=40)
@given(st.integers(1, 40), st.floats(0.01, 1.0), st.integers(0, 99))
def test_the_mean_is_that_of_the_largest_losses(samples: int, keep: float, seed: int) -> None:
    logits, targets = batch(samples, seed)
    losses, every = ohem(logits, targets, keep), cross_entropy(logits, targets).detach().numpy()
    largest = np.sort(every)[::-1][: math.ceil(round(keep * samples, 6))]
    assert losses.shape == (samples,)
    assert losses.mean().item() == pytest.approx(largest.mean(), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_keeping_all_is_cross_entropy_bit_for_bit_in_value_and_gradient(seed: int) -> None:
    logits, targets = batch(17, seed)
    ours, plain = ohem(logits, targets, 1.0), cross_entropy(logits, targets)
    assert torch.equal(ours, plain)
    assert torch.equal(*(torch.autograd.grad(loss.mean(), logits)[0] for loss in (ours, plain)))


@pytest.mark.parametrize(
    ("keep", "samples", "number"), [(0.07, 100, 7), (0.5, 5, 3), (0.01, 3, 1), (0.29, 100, 29)]
)
def test_the_number_of_samples_that_count_follows_keep(keep: float, samples: int, number: int) -> None:
    assert int((ohem(*batch(samples), keep) > 0).sum()) == number


def test_samples_that_do_not_count_have_no_gradient() -> None:
    logits, targets = batch(10)
    (gradient,) = torch.autograd.grad(ohem(logits, targets, 0.3).sum(), logits)
    worst = cross_entropy(logits, targets).topk(3).indices
    assert sorted(gradient.abs().sum(1).nonzero()[:, 0].tolist()) == sorted(worst.tolist())


def test_gradients_agree_with_finite_differences() -> None:
    logits, targets = batch(6)
    assert torch.autograd.gradcheck(lambda z: ohem(z, targets, 0.5), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: ohem(z, targets, 0.5), (logits,))


def test_it_wraps_the_losses_before_it() -> None:
    logits, targets = batch(12)
    focal, hard = Focal(gamma=4.0), Ohem(keep=0.25)
    inner = focal.loss(logits, targets, cross_entropy, context(focal, "loss", task_info(num_classes=4)))
    scope = context(hard, "loss", task_info(num_classes=4)).scoped(focal, "loss")
    both = laws.loss(Composition((focal, hard)), logits, targets, scope)
    assert both.sum().item() == pytest.approx(inner.topk(3).values.sum().item() * 4)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_keeping_all_gives_the_baselines_predictions_bit_for_bit(kind: str) -> None:
    split = toy_split(kind)  # type: ignore[arg-type]

    def logits(component: Ohem | Erm) -> np.ndarray:
        recipe = default_recipe(split.info)
        trial = toy_trial(component, split, recipe)
        return trial.predictions

    assert np.array_equal(logits(Ohem(keep=1.0)), logits(Erm()))
    assert not np.array_equal(logits(Ohem(keep=0.5)), logits(Erm()))


@pytest.mark.parametrize("keep", [0.0, 1.1, "most"])
def test_invalid_values_of_keep_are_refused(keep: object) -> None:
    with pytest.raises(SpecError, match="keep"):
        Ohem(keep=keep)  # type: ignore[arg-type]


# Easy samples first


def self_paced(logits: torch.Tensor, targets: torch.Tensor, progress: float) -> torch.Tensor:
    component = SelfPaced(start=0.5, full=0.8)
    ctx = context(component, "loss", task_info(num_classes=logits.shape[1]))
    ctx._state.progress, ctx._state.class_counts = progress, torch.full(logits.shape[1:], 5.0)
    return component.loss(logits, targets, cross_entropy, ctx)


@pytest.mark.parametrize(("progress", "number"), [(0.0, 10), (0.4, 15), (0.8, 20), (1.0, 20)])
def test_more_and_more_of_the_easiest_samples_count(progress: float, number: int) -> None:
    logits, targets = batch(20)
    losses, every = self_paced(logits, targets, progress), cross_entropy(logits, targets)
    assert losses.mean().item() == pytest.approx(every.sort().values[:number].mean().item())
    assert int((losses > 0).sum()) == number


def test_rare_classes_are_not_difficult_because_they_are_rare() -> None:
    """A classifier that knows nothing but the priors finds each sample equally easy."""
    counts = torch.tensor([90.0, 9.0, 1.0])
    logits, targets = counts.log().expand(6, 3), torch.eye(3).repeat(2, 1)
    component = SelfPaced()
    ctx = context(component, "loss", task_info())
    ctx._state.class_counts = counts
    by = _selection.difficulty(logits, targets, cross_entropy, ctx)
    torch.testing.assert_close(by, torch.full((6,), math.log(3)))


@pytest.mark.parametrize("kind", ["image", "table"])
def test_self_paced_learning_from_all_samples_is_plain_training_to_the_bit(kind: str) -> None:
    split = toy_split(kind)

    def logits(component: Strategy) -> np.ndarray:
        recipe = Recipe("mlp", steps=10, batch_size=16)
        trial = toy_trial(component, split, recipe)
        return trial.predictions

    assert np.array_equal(logits(SelfPaced(start=1.0)), logits(Erm()))
    assert not np.array_equal(logits(SelfPaced()), logits(Erm()))


def labelled(counts: tuple[int, ...], seed: int = 0) -> tuple[LabeledSet, torch.Tensor]:
    """Samples in random order, and a difficulty for each."""
    rng = np.random.default_rng(seed)
    y = torch.tensor(rng.permutation(np.repeat(np.arange(len(counts)), counts)))
    losses = torch.tensor(rng.random(len(y)), dtype=torch.float32)
    return LabeledSet(torch.zeros(len(y), 2), torch.eye(len(counts))[y]), losses


@settings(max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.floats(0.01, 1), st.integers(0, 99))
def test_the_curriculum_grows_and_takes_the_easiest_of_each_class(
    counts: list[int], start: float, seed: int
) -> None:
    train, losses = labelled(tuple(counts), seed)
    weights = Curriculum(start=start, full=0.5)._weights(train, losses)
    assert bool((weights[1:] >= weights[:-1]).all())
    assert bool((weights[10:] == 1).all())
    for label, count in enumerate(counts):
        own = train.y == label
        assert int(weights[0, own].sum()) == math.ceil(np.float32(start * count) - 1e-4)
        for part in weights[:, own]:
            taken, left = losses[own][part > 0], losses[own][part == 0]
            assert not len(left) or taken.max() <= left.min()


def test_a_curriculum_keeps_the_sampling_weights_that_were_given() -> None:
    train, losses = labelled((6, 4))
    given = torch.arange(1.0, 11.0)
    weights = Curriculum(start=0.5)._weights(replace(train, weights=given), losses)
    assert torch.equal(weights[-1], given)
    assert set(weights[0].tolist()) <= {0.0, *given.tolist()}


def test_a_curriculum_of_one_label_per_class_is_skipped() -> None:
    info = task_info(labels_per_class=1)
    assert Curriculum().skip(info) == "no class has two labels to order"
    assert Curriculum().skip(replace(info, labels_per_class=2)) is None
    assert Curriculum().skip(replace(info, protocol="shift")) is None


def test_batches_come_from_the_samples_that_the_part_of_the_training_allows() -> None:
    weights = torch.zeros(4, 40)
    for part in range(4):
        weights[part, : 10 * (part + 1)] = 1
    data = LabeledSet(torch.zeros(40, 2), torch.eye(2)[torch.arange(40) % 2], weights)
    rows = draw_batches(data, Recipe("mlp", steps=80, batch_size=16), Stream("curriculum"))
    assert rows.shape == (80, 16)
    for part in range(4):
        seen = rows[20 * part : 20 * (part + 1)]
        assert sorted(seen.unique().tolist()) == list(range(10 * (part + 1)))


def test_one_row_of_weights_draws_what_weights_without_parts_draw() -> None:
    weights, recipe = torch.rand(12), Recipe("mlp", steps=5, batch_size=4)
    data = LabeledSet(torch.zeros(12, 2), torch.eye(2)[torch.arange(12) % 2], weights)
    flat, parts = (
        draw_batches(replace(data, weights=w), recipe, Stream("weights")) for w in (weights, weights[None])
    )
    assert torch.equal(flat, parts)


def test_a_fit_without_steps_gets_the_mean_of_the_parts() -> None:
    data, _ = labelled((2, 1))
    parts = replace(data, weights=torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 2.0]]))
    assert parts.mean_weights is not None
    assert parts.mean_weights.tolist() == [0.625, 0.125, 0.25]
    assert parts.select(torch.tensor([0, 2])).weights.tolist() == [[1.0, 0.0], [1.0, 2.0]]  # type: ignore[union-attr]
    assert data.mean_weights is None
