from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fsbench_plugins.erm import Erm
from fsbench_plugins.focal import Focal, log_complement
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torchvision.ops import sigmoid_focal_loss
from toy import context, task_info, toy_trial

from fsbench.composition import Composition
from fsbench.engine.trial import labeled_set
from fsbench.errors import SpecError
from fsbench.testing import toy_split
from fsbench.wrapping import cross_entropy


def focal(logits, targets, train=None, **arguments):
    component = Focal(**arguments)
    ctx = context(component, "loss", task_info(num_classes=logits.shape[1]), train=train)
    return component.loss(logits, targets, cross_entropy, ctx)


def one_hot(classes, samples, seed=0):
    labels = torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(seed))
    return F.one_hot(labels, classes).float()


def random_logits(classes, samples, scale=3.0, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed + 1)
    return (scale * torch.randn(samples, classes, generator=generator, dtype=dtype)).requires_grad_()


def value_and_gradient(loss, logits):
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    return loss.detach(), gradient


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(1, 9), st.floats(0.1, 30), st.booleans(), st.integers(0, 99))
def test_gamma_zero_is_cross_entropy_in_value_and_gradient(classes, samples, scale, soft, seed):
    targets = one_hot(classes, samples, seed)
    if soft:
        targets = 0.7 * targets + 0.3 * one_hot(classes, samples, seed + 1)
    logits = random_logits(classes, samples, scale, seed)
    ours = value_and_gradient(focal(logits, targets, gamma=0), logits)
    reference = value_and_gradient(F.cross_entropy(logits, targets, reduction="none"), logits)
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
def test_two_classes_equal_torchvisions_focal_loss(gamma, alpha):
    targets = one_hot(2, 200)
    logits = random_logits(2, 200, dtype=torch.float64)
    ours = value_and_gradient(focal(logits, targets.double(), gamma=gamma, alpha=alpha), logits)
    reference = sigmoid_focal_loss(
        logits[:, 1] - logits[:, 0], targets[:, 1].double(), alpha=-1 if alpha is None else alpha, gamma=gamma
    )
    torch.testing.assert_close(ours, value_and_gradient(reference, logits), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_gradients_agree_with_finite_differences(gamma):
    logits = random_logits(4, 3, dtype=torch.float64)
    targets = torch.full((3, 4), 0.1, dtype=torch.float64) + 0.6 * one_hot(4, 3).double()
    assert torch.autograd.gradcheck(lambda z: focal(z, targets, gamma=gamma), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: focal(z, targets, gamma=gamma), (logits,))


@pytest.mark.parametrize("gamma", [0.25, 0.5, 0.99, 2.0])
@pytest.mark.parametrize("margin", [0.0, 10.0, 30.0, 100.0, 1e4])
def test_confident_samples_have_finite_gradients(gamma, margin):
    logits = torch.tensor([[margin, 0.0, 0.0], [0.0, margin, 0.0]], requires_grad=True)
    targets = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # surely right, surely wrong
    loss, gradient = value_and_gradient(focal(logits, targets, gamma=gamma), logits)
    assert bool(loss.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert loss[0] <= loss[1]


def test_log_complement_is_exact_where_the_probability_rounds_to_one():
    logits = torch.tensor([[40.0, 0.0, -1.0], [0.0, 0.0, -200.0]])
    exact = torch.log1p(-logits.double().softmax(-1)).double()
    exact[0, 0] = np.log((np.exp(0.0) + np.exp(-1.0)) / np.exp(40.0))
    torch.testing.assert_close(log_complement(logits.log_softmax(-1)).double(), exact, rtol=1e-6, atol=1e-7)


@settings(max_examples=20)
@given(st.floats(0, 5), st.floats(0, 5), st.integers(0, 99))
def test_a_larger_gamma_never_gives_a_larger_loss(first, second, seed):
    targets, logits = one_hot(5, 8, seed), random_logits(5, 8, seed=seed)
    low, high = sorted([first, second])
    assert bool((focal(logits, targets, gamma=high) <= focal(logits, targets, gamma=low) + 1e-6).all())


def test_soft_targets_weight_the_terms_of_the_classes():
    logits = random_logits(3, 6)
    share = torch.tensor([0.2, 0.5, 0.3])
    each = torch.stack([focal(logits, torch.eye(3)[c].expand(6, 3)) for c in range(3)], dim=-1)
    torch.testing.assert_close(focal(logits, share.expand(6, 3)), (each * share).sum(-1))


def test_balanced_weights_are_those_of_scikit_learn():
    y = np.repeat([0, 1, 2], [20, 5, 2])
    train = labeled_set("table", np.zeros((27, 2), np.float32), y, 3, torch.device("cpu"))
    logits = random_logits(3, 27)
    weights = compute_class_weight("balanced", classes=np.arange(3), y=y)
    plain = focal(logits, train.targets)
    expected = plain * torch.from_numpy(weights[y]).float()
    torch.testing.assert_close(focal(logits, train.targets, train=train, alpha="balanced"), expected)


def test_an_absent_class_does_not_change_the_scale():
    train = labeled_set(
        "table", np.zeros((6, 2), np.float32), np.array([0, 0, 0, 0, 1, 1]), 3, torch.device("cpu")
    )
    logits = torch.zeros(6, 3)
    losses = focal(logits, train.targets, train=train, gamma=0, alpha="balanced")
    torch.testing.assert_close(losses.mean(), torch.tensor(np.log(3.0), dtype=torch.float32))


def trial(*components, **split):
    given = toy_split(**split)
    composition = Composition(components)
    return toy_trial(composition, given), given


@pytest.mark.parametrize("kind", ["image", "table"])
def test_gamma_zero_gives_the_baselines_predictions_bit_for_bit(kind):
    ours, _ = trial(Focal(gamma=0.0), kind=kind)
    baseline, _ = trial(Erm(), kind=kind)
    other, _ = trial(Focal(), kind=kind)
    assert np.array_equal(ours.predictions, baseline.predictions)
    assert not np.array_equal(other.predictions, baseline.predictions)


def test_balanced_alpha_trains_through_a_trial():
    result, split = trial(Focal(alpha="balanced"), per_class=20, imbalance=7.0)
    assert (result.predictions[0].argmax(-1) == split.test_y[0]).mean() > 0.8


def test_invalid_values_of_alpha_are_refused():
    assert Focal(alpha=0.25).skip(task_info(num_classes=2)) is None
    assert "alpha=balanced" in str(Focal(alpha=0.25).skip(task_info(num_classes=10)))
    for wrong in ({"alpha": 1.5}, {"alpha": "often"}, {"gamma": -1}, {"gamma": "oops"}):
        with pytest.raises(SpecError):
            Focal(**wrong)
