"""The family `postprocessing`: equality with scikit-learn, identities; more in `test_corrections.py`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._offsets import _best_offset, best_offsets, score
from fsbench_plugins._one_vs_rest import UNCHANGED, fitted, log_odds
from fsbench_plugins.prior_correction import Corrected
from fsbench_plugins.threshold import Threshold
from fsbench_plugins.vector_scaling import VectorScaling
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold
from toy import context, task_info, toy_trial

from fsbench import best_temperature
from fsbench.errors import SpecError
from fsbench.metrics import score as scores
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import load_registry
from fsbench.testing import ToySplit, toy_split

CORRECTIONS = ["temperature", "vector_scaling", "platt", "isotonic", "threshold"]


def overconfident(
    samples: int, temperature: float, classes: int = 4, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits `temperature` times as large as those from which the labels were drawn."""
    rng = np.random.default_rng(seed)
    true = rng.normal(scale=2, size=(samples, classes))
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    y = (p.cumsum(1) > rng.random((samples, 1))).argmax(1)
    return torch.tensor(temperature * true), torch.tensor(y)


def probabilities(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).softmax(-1).numpy()


def without_val(split: ToySplit) -> ToySplit:
    info = replace(split.info, num_val=0)
    return replace(split, info=info, val_x=split.val_x[:, :0], val_y=split.val_y[:, :0])


def hard(split: ToySplit, scale: float = 3.0) -> ToySplit:
    """A split with so much noise that predictions are wrong at times."""
    rng = np.random.default_rng(0)

    def noisy(x: np.ndarray) -> np.ndarray:
        return (x + scale * rng.normal(size=x.shape)).astype(np.float32)

    return replace(split, train_x=noisy(split.train_x), val_x=noisy(split.val_x), test_x=noisy(split.test_x))


def run(spec: str, split: ToySplit, backbone: str = "mlp") -> np.ndarray:
    (composition,) = load_registry().parse(spec)
    assert composition.skip(split.info) is None
    recipe = replace(default_recipe(split.info), steps=10, passes=0, backbone=backbone)
    return toy_trial(composition, split, recipe).predictions


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose decision function is its input."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, x: Any, y: Any) -> Given:
        return self

    def decision_function(self, x: Any) -> Any:
        return x

    def predict(self, x: Any) -> Any:
        return x.argmax(1) if x.ndim > 1 else (x > 0).astype(int)


# Temperature


@pytest.mark.parametrize("wanted", [0.3, 1.0, 2.5, 7.0])
def test_it_finds_the_temperature_that_logits_were_made_with(wanted: float) -> None:
    logits, y = overconfident(20000, wanted)
    assert best_temperature([(logits.numpy(), y.numpy())]) == pytest.approx(wanted, rel=0.05)


@settings(max_examples=20)
@given(st.integers(3, 60), st.floats(0.2, 5), st.integers(0, 99))
def test_no_other_temperature_is_likelier(samples: int, made_with: float, seed: int) -> None:
    logits, y = overconfident(samples, made_with, seed=seed)
    smoothed = (samples * torch.eye(4)[y] + 1) / (samples + 4)

    def nll(t: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / t, smoothed.double()))

    found = best_temperature([(logits.numpy(), y.numpy())])
    assert nll(found) <= min(nll(t) for t in np.geomspace(0.05, 20, 200)) + 1e-5


def test_the_temperature_is_scikit_learns() -> None:
    pytest.importorskip("sklearn", minversion="1.8")
    """Up to the smoothing of labels, which matters little where there are many."""
    logits, y = overconfident(3000, 3.0)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given(4)), method="temperature")
    theirs.fit(logits.numpy(), y.numpy())
    ours = (logits / best_temperature([(logits.numpy(), y.numpy())])).softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(logits.numpy()), atol=2e-3)


def test_a_given_temperature_needs_no_label_and_one_changes_nothing() -> None:
    split = toy_split()
    plain = run("erm", split)
    assert np.array_equal(run("temperature(value=1.0)", split), plain)
    assert np.array_equal(run("temperature(value=2.0)", split), plain / 2)
    (composition,) = load_registry().parse("temperature(value=2.0)")
    assert composition.uses == frozenset()
    assert composition.skip(task_info(num_val=0, labels_per_class=1)) is None


@pytest.mark.parametrize("held_out", [True, False])
def test_it_divides_the_baselines_logits_and_moves_no_decision(held_out: bool) -> None:
    split = hard(toy_split())
    split = split if held_out else without_val(split)
    plain, scaled = run("erm", split), run("temperature", split)
    ratio = plain / scaled
    assert np.allclose(ratio, ratio.flat[0], rtol=1e-4)
    assert not np.isclose(ratio.flat[0], 1)
    before, after = scores(plain, split.test_y), scores(scaled, split.test_y)
    assert before["balanced_accuracy"] == after["balanced_accuracy"]
    assert before["nll"] != after["nll"]


# One against the others


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_two_classes_are_calibrated_as_by_scikit_learn(method: Any) -> None:
    logits, y = overconfident(200, 3.0, classes=2)
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Given(2)), method=method, cv=[(np.arange(200), np.arange(200))], ensemble=False
    ).fit((logits[:, 1] - logits[:, 0]).numpy(), y.numpy())
    ours = fitted(logits, y, method)(logits).softmax(1).numpy()
    expected = theirs.predict_proba((logits[:, 1] - logits[:, 0]).numpy())
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_isotonic_regressions_of_several_classes_are_those_of_a_loop() -> None:
    logits, y = overconfident(200, 3.0)
    p, each = logits.softmax(1).numpy(), []
    for label in range(4):
        curve = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1)
        z = np.log(p[:, label] / (1 - p[:, label]))
        each.append(curve.fit(z, (y == label).numpy()).predict(z))
    expected = np.stack(each, 1) / np.stack(each, 1).sum(1, keepdims=True)
    np.testing.assert_allclose(fitted(logits, y, "isotonic")(logits).softmax(1).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("held_out", [[0, 1], [1]])
def test_a_class_without_a_held_out_label_keeps_its_probability(method: Any, held_out: list[int]) -> None:
    """As in `holdout`, where a class of fewer than five samples has none for validation."""
    logits, y = overconfident(200, 3.0, classes=3)
    kept = torch.isin(y, torch.tensor(held_out))
    found = fitted(logits[kept], y[kept], method)
    p = found.probabilities(log_odds(logits))
    assert np.isfinite(p).all()
    assert found.curves[2] == UNCHANGED
    if held_out == [1]:
        np.testing.assert_allclose(p, logits.softmax(1).numpy(), atol=1e-6)
    assert fitted(logits[kept], y[kept], method)(8 * torch.eye(3)).argmax(1).tolist() == [0, 1, 2]


def test_log_odds_are_exact_where_the_probability_rounds_to_one() -> None:
    found = log_odds(torch.tensor([[80.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found[0], [80 - math.log(2), -80, -80], rtol=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_out_of_fold_calibration_is_scikit_learns(method: str) -> None:
    """scikit-learn's logistic regression, calibrated by it on the same folds."""
    split = without_val(hard(toy_split(classes=2, per_class=30)))
    name = "platt" if method == "sigmoid" else "isotonic"
    ours = run(f"sklearn+{name}", split)
    x, y = split.train_x[0].reshape(60, -1).astype(float), split.train_y[0]
    (composition,) = load_registry().parse(name)
    ctx = context(composition.components[0], "postprocess", split.info)
    ctx.state.identity, ctx.state.cell = ("toy", 0, 0), 0
    parts = StratifiedKFold(3, shuffle=True, random_state=ctx.stream("folds").seed())
    base = LogisticRegression(max_iter=1000)
    theirs = CalibratedClassifierCV(base, method=method, cv=parts, ensemble=False).fit(x, y)
    expected = theirs.predict_proba(split.test_x[0].reshape(len(split.test_x[0]), -1))
    p = torch.from_numpy(ours[0]).softmax(1).numpy()
    np.testing.assert_allclose(p, expected, atol=1e-4)


# Vector scaling


def test_vector_scaling_makes_the_labels_likelier_than_any_temperature() -> None:
    logits, y = overconfident(400, 3.0)
    logits = logits.float() + torch.tensor([2.0, 0, 0, -1])
    targets = torch.eye(4)[y]
    component = VectorScaling(penalty=0.0)
    change = component.correction(logits, targets, context(component, "postprocess", task_info()))
    with_one = logits / best_temperature([(logits.numpy(), y.numpy())])
    loss = torch.nn.functional.cross_entropy
    assert loss(change(logits), y) < loss(with_one, y) - 0.02
    strong = VectorScaling(penalty=1e6)
    ctx = context(strong, "postprocess", task_info())
    torch.testing.assert_close(strong.correction(logits, targets, ctx)(logits), logits, atol=1e-3, rtol=1e-3)


# Thresholds


@settings(max_examples=25)
@given(st.integers(2, 4), st.integers(5, 40), st.integers(0, 99))
def test_scores_are_those_of_scikit_learn(classes: int, samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, found = rng.integers(0, classes, (2, samples))
    assume(len({*y, *found}) > 1)
    assert score(y, found, classes, "accuracy") == pytest.approx(accuracy_score(y, found))
    occurring = np.unique(y)
    recall = balanced_accuracy_score(y, found) if set(found) <= set(y) else None
    if recall is not None:
        assert score(y, found, classes, "balanced_accuracy") == pytest.approx(recall)
    f1 = f1_score(y, found, labels=occurring, average="macro")
    assert score(y, found, classes, "macro_f1") == pytest.approx(f1)


@settings(max_examples=20)
@given(st.integers(4, 40), st.sampled_from(["accuracy", "balanced_accuracy", "macro_f1"]), st.integers(0, 99))
def test_no_other_threshold_of_two_classes_is_better(samples: int, metric: str, seed: int) -> None:
    logits, y = overconfident(samples, 1.0, 2, seed)
    z, labels = logits.numpy(), y.numpy()
    offsets = best_offsets(z, labels, metric)
    best = score(labels, (z + offsets).argmax(1), 2, metric)
    for other in np.linspace(-8, 8, 161):
        assert score(labels, (z + np.array([0, other])).argmax(1), 2, metric) <= best + 1e-9


@settings(max_examples=10)
@given(st.integers(3, 5), st.integers(10, 60), st.integers(0, 99))
def test_offsets_of_several_classes_are_at_least_as_good_as_none(
    classes: int, samples: int, seed: int
) -> None:
    logits, y = overconfident(samples, 1.0, classes, seed)
    z, labels = logits.numpy(), y.numpy()
    found = (z + best_offsets(z, labels, "balanced_accuracy")).argmax(1)
    before = score(labels, z.argmax(1), classes, "balanced_accuracy")
    assert score(labels, found, classes, "balanced_accuracy") >= before


@settings(max_examples=20)
@given(st.integers(2, 4), st.sampled_from(["accuracy", "balanced_accuracy", "macro_f1"]), st.integers(0, 99))
def test_no_other_offset_of_a_class_is_better(classes: int, metric: str, seed: int) -> None:
    logits, y = overconfident(300, 1.0, classes, seed)
    z, labels = logits.numpy(), y.numpy()
    offset = np.zeros(classes)
    offset[1] = _best_offset(z, labels, 1, metric)
    best = score(labels, (z + offset).argmax(1), classes, metric)
    lead = np.delete(z, 1, axis=1).max(1) - z[:, 1]
    for edge in lead:
        offset[1] = edge + 1e-6
        assert score(labels, (z + offset).argmax(1), classes, metric) <= best + 1e-9


def test_a_rare_class_far_from_the_others_gets_a_threshold_between_them() -> None:
    scores = np.concatenate([np.linspace(-8, -4, 1000), np.linspace(-3, -2, 5)])
    z, y = np.stack([np.zeros(1005), scores], 1), np.repeat([0, 1], [1000, 5])
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert score(y, (z + best_offsets(z, y, metric)).argmax(1), 2, metric) == 1.0


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_a_class_without_a_held_out_label_has_no_offset(metric: str) -> None:
    logits, y = overconfident(60, 1.0, 3)
    z, labels = logits.numpy(), y.numpy()
    assert best_offsets(z[labels != 2], labels[labels != 2], metric)[2] == 0.0
    assert not best_offsets(z[labels == 1], labels[labels == 1], metric).any()


def test_where_nothing_is_better_no_offset_is_added() -> None:
    y = np.array([0, 1, 2, 0])
    assert not best_offsets(np.eye(3)[y], y, "accuracy").any()


def test_a_cost_is_a_threshold_on_the_probability() -> None:
    split = hard(toy_split(classes=2))
    plain, costly = run("erm", split)[0], run("threshold(cost=4.0)", split)[0]
    p = torch.from_numpy(plain).softmax(1)[:, 1].numpy()
    assert np.array_equal(costly.argmax(1), p > 1 / 5)
    assert np.array_equal(run("threshold(cost=1.0)", split)[0], plain)
    (composition,) = load_registry().parse("threshold(cost=4.0)")
    assert composition.skip(task_info(num_classes=3)) == "cost=4.0 is for two classes, not 3"


def test_a_cost_acts_on_the_device_of_the_logits() -> None:
    offset = Threshold(cost=4.0).given
    assert offset is not None
    assert offset(torch.zeros(3, 2, device="meta")).device.type == "meta"


# Priors


def test_equal_priors_change_no_probability() -> None:
    z = torch.randn(50, 3)
    found = Corrected(torch.full((3,), 1 / 3), None)(z)
    torch.testing.assert_close(found.softmax(1), z.softmax(1))


def test_the_priors_of_the_test_inputs_are_found() -> None:
    """Saerens et al.: exact posteriors under training priors, inputs under others."""
    rng = np.random.default_rng(0)
    y = rng.choice(2, size=40000, p=[0.8, 0.2])
    x = rng.normal(2 * y, 1.0)
    known = np.array([0.5, 0.5])
    log_density = -0.5 * (x[:, None] - np.array([0, 2])) ** 2
    found = Corrected(torch.tensor(known), 200)(torch.tensor(log_density + np.log(known)))
    prior = found.softmax(1).mean(0).numpy()
    np.testing.assert_allclose(prior, [0.8, 0.2], atol=0.01)
    exact = torch.tensor(log_density + np.log([0.8, 0.2])).softmax(1)
    torch.testing.assert_close(found.softmax(1), exact, atol=0.01, rtol=0)


def test_uniform_priors_are_logit_adjustment_after_the_fit() -> None:
    split = toy_split(imbalance=4.0)
    ours = torch.from_numpy(run("prior_correction(prior=uniform)", split)).softmax(-1)
    counts = np.bincount(split.train_y[0])
    plain = torch.from_numpy(run("erm", split) - np.log(counts / counts.sum()).astype(np.float32))
    torch.testing.assert_close(ours, plain.softmax(-1), atol=1e-5, rtol=1e-4)


def test_a_class_without_labels_keeps_its_logit() -> None:
    found = Corrected(torch.tensor([0.5, 0.5, 0.0]), 50)(torch.zeros(4, 3))
    assert bool(found.isfinite().all())


@pytest.mark.parametrize("wrong", ["temperature(value=0.0)", "threshold(metric=auroc)", "platt(folds=1)"])
def test_invalid_values_are_refused(wrong: str) -> None:
    with pytest.raises(SpecError):
        load_registry().parse(wrong)
