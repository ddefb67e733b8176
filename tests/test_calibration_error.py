"""The debiased calibration error against independent computations, and its expectation by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench.metrics import METRICS, score
from fsbench.metrics.calibration import squared_calibration_error


def drawn(rng, samples, parts=1, temperature=1.0, classes=5):
    """Logits of a predictor and labels from it: with `temperature` 1 its confidences are right."""
    logits = 2 * rng.normal(size=(parts, samples, classes))
    p = np.exp(logits)
    p /= p.sum(-1, keepdims=True)
    y = (p.cumsum(-1) > rng.random((parts, samples, 1))).argmax(-1)
    return logits * temperature, y, p


def values(logits, y):
    return np.array([score(one[None], labels[None])["ece"] for one, labels in zip(logits, y, strict=True)])


def plug_in(logits, y, bins=15):
    """The usual calibration error of one part: absolute gaps over equal-width bins."""
    p = np.exp(logits)
    p /= p.sum(-1, keepdims=True)
    confidence, correct = p.max(-1), p.argmax(-1) == y
    inside = np.ceil(confidence * bins).astype(int) == np.arange(1, bins + 1)[:, None]
    return sum(abs((confidence - correct)[each].sum()) for each in inside) / len(y)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_it_is_the_mean_product_of_pairs_in_a_bin(seed, samples, tied):
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.3, 0.6, 0.9], samples) if tied else rng.random(samples)
    correct = rng.random(samples) < 0.5
    bins = round(samples ** (1 / 3))
    # Equal confidences stand where the first of them stands.
    place = np.array([sum(confidence < c) * bins // samples for c in confidence])
    total, counted = 0.0, 0
    for b in range(bins):
        members = np.flatnonzero(place == b)
        if len(members) > 1:
            gaps = confidence[members] - correct[members]
            products = [gaps[i] * gaps[j] for i in range(len(gaps)) for j in range(len(gaps)) if i != j]
            total, counted = total + len(members) * np.mean(products), counted + len(members)
    expected = pytest.approx(total / counted, abs=1e-12) if counted else None
    assert squared_calibration_error(confidence, correct) == expected


def test_with_equal_confidences_it_is_the_estimator_of_kumar_et_al():
    rng = np.random.default_rng(0)
    correct = rng.random(50) < 0.6
    accuracy = correct.mean()
    expected = (0.8 - accuracy) ** 2 - accuracy * (1 - accuracy) / 49
    assert squared_calibration_error(np.full(50, 0.8), correct) == pytest.approx(expected)


@pytest.mark.slow
def test_on_average_it_is_zero_if_confidences_are_right():
    """70 samples, where the usual calibration error is 0.13 on average."""
    logits, y, _ = drawn(np.random.default_rng(1), 70, parts=4000)
    found = values(logits, y)
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found)) < 0.001
    assert (found < 0).any()
    assert np.mean([plug_in(*each) for each in zip(logits[:200], y[:200], strict=True)]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("samples", [70, 2000])
def test_on_average_it_is_the_true_error_if_they_are_not(temperature, samples):
    logits, y, p = drawn(np.random.default_rng(2), samples, 120_000 // samples, temperature)
    confidence = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    truth = np.take_along_axis(p, logits.argmax(-1)[..., None], -1)[..., 0]
    expected = ((confidence.max(-1) - truth) ** 2).mean()
    assert values(logits, y).mean() == pytest.approx(expected, rel=0.08)


def test_one_sample_has_none():
    assert "ece" not in score(np.zeros((1, 1, 2)), np.zeros((1, 1), int))


def test_values_of_the_older_definition_are_told_apart():
    assert METRICS["ece"].results_version == "2"


def test_confidences_that_differ_by_rounding_share_a_bin():
    rng = np.random.default_rng(0)
    correct = rng.random(60) < 0.6
    rounded = np.full(60, 0.8) + 1e-12 * rng.normal(size=60)
    assert squared_calibration_error(rounded, correct) == pytest.approx(
        squared_calibration_error(np.full(60, 0.8), correct)
    )
