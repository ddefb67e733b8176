"""`ohem`: which losses count, by how much, and that keeping all of them is cross-entropy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fsbench_ohem import Ohem
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import context, task_info

from fsbench.composition import Composition
from fsbench.engine.trial import run_trial
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
    both = Composition((focal, hard)).loss(
        logits, targets, context(hard, "loss", task_info(num_classes=4)).scoped(focal, "loss")
    )
    assert both.sum().item() == pytest.approx(inner.topk(3).values.sum().item() * 4)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_keeping_all_gives_the_baselines_predictions_bit_for_bit(kind: str) -> None:
    split = toy_split(kind)  # type: ignore[arg-type]

    def logits(component: Ohem | Erm) -> np.ndarray:
        recipe = default_recipe(split.info)
        trial = run_trial(("toy", 0, 0), Composition((component,)), recipe, split, torch.device("cpu"))
        return trial.predictions

    assert np.array_equal(logits(Ohem(keep=1.0)), logits(Erm()))
    assert not np.array_equal(logits(Ohem(keep=0.5)), logits(Erm()))


@pytest.mark.parametrize("keep", [0.0, 1.1, "most"])
def test_invalid_values_of_keep_are_refused(keep: object) -> None:
    with pytest.raises(SpecError, match="keep"):
        Ohem(keep=keep)  # type: ignore[arg-type]
