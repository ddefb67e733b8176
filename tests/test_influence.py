"""Influences of test samples on metrics: laws, and leave-one-out values as an independent reference."""

from __future__ import annotations

import numpy as np
import pytest

from fsbench import Metric
from fsbench.metrics import METRICS, influences, score
from fsbench.testing.toy_dataset import registered

WITH = [name for name, metric in METRICS.items() if metric.influence is not None]


def example(seed, cells=1, samples=400, classes=3, even=True):
    rng = np.random.default_rng(seed)
    y = (
        np.tile(np.arange(samples) % classes, (cells, 1))
        if even
        else rng.integers(0, classes, (cells, samples))
    )
    logits = rng.normal(size=(cells, samples, classes)) + 1.2 * np.eye(classes)[y] * [1.0, 2.0, 0.5][:classes]
    return logits, y


def test_the_metrics_that_are_not_smooth_have_no_influences():
    assert {"accuracy", "balanced_accuracy", "macro_f1", "worst_class_recall", "nll", "auroc"} <= set(WITH)
    assert "ece" not in WITH


@pytest.mark.parametrize("name", WITH)
@pytest.mark.parametrize("classes", [2, 3])
def test_influences_are_what_a_left_out_sample_changes(name, classes):
    logits, y = example(0, classes=classes)
    found = influences(logits, y, [name])[name]
    whole, samples = score(logits, y)[name], range(0, y.size, 7)
    left_out = [score(np.delete(logits, i, 1), np.delete(y, i, 1))[name] for i in samples]
    assert found.shape == y.shape
    assert found[0, samples] == pytest.approx(whole - np.array(left_out), abs=0.02 * np.abs(found).max())


@pytest.mark.parametrize("name", WITH)
def test_influences_of_a_cell_add_up_to_zero(name):
    found = influences(*example(1, cells=4, samples=30), [name])[name]
    assert found.sum(1) == pytest.approx(np.zeros(4), abs=1e-12)


def test_the_sums_of_squares_are_the_variances_over_test_parts():
    """Test parts of two cells of 150 samples from one population."""
    values, sums = [], []
    for seed in range(800):
        logits, y = example(seed, cells=2, samples=150, even=False)
        values.append([METRICS.find(name).function(logits, y) for name in WITH])
        sums.append([(each**2).sum() for each in influences(logits, y, WITH).values()])
    ratios = dict(zip(WITH, np.mean(sums, 0) / np.var(values, 0), strict=True))
    # The lowest of several recalls is not smooth where two of them are close.
    assert ratios == {name: pytest.approx(1, abs=0.15) for name in WITH}, ratios


def test_two_test_parts_that_share_few_samples_of_a_class_have_the_covariance_of_their_products():
    """Two parts of five classes of three samples, of which they share the first of each class."""
    rng, classes, of_class = np.random.default_rng(5), 5, 3
    y = np.repeat(np.arange(classes), of_class)
    shared, values, products = np.arange(len(y)) % of_class == 0, [], []
    for _ in range(4000):
        first, second = rng.random((2, len(y))) < 0.7
        second = np.where(shared, first, second)
        logits = [np.eye(classes)[np.where(hit, y, (y + 1) % classes)][None] for hit in (first, second)]
        values.append([score(each, y[None])["balanced_accuracy"] for each in logits])
        both = [influences(each, y[None], ["balanced_accuracy"])["balanced_accuracy"][0] for each in logits]
        products.append((both[0] * both[1])[shared].sum())
    assert np.mean(products) == pytest.approx(0.7 * 0.3 / of_class**2 / classes, rel=0.05)
    assert np.mean(products) == pytest.approx(np.cov(np.transpose(values))[0, 1], rel=0.15)


@pytest.mark.parametrize("positives", [2, 3, 20])
def test_the_squares_of_the_influences_on_the_auroc_are_its_variance_of_delong(positives):
    """All pairs of samples are compared here, with ties; two results have a covariance as well."""
    y = (np.arange(40) < positives).astype(int)
    scores = np.round(np.random.default_rng(positives).normal(size=(2, 40)) + y, 1)
    pairs = scores[:, y == 1, None] - scores[:, None, y == 0]
    wins = (pairs > 0) + (pairs == 0) / 2
    delong = np.cov(wins.mean(2)) / positives + np.cov(wins.mean(1)) / (40 - positives)
    logits = np.stack([np.zeros_like(scores), scores], axis=2)
    found = np.stack([influences(each[None], y[None], ["auroc"])["auroc"][0] for each in logits])
    assert found @ found.T == pytest.approx(delong)


def test_the_squares_are_large_enough_with_two_positives():
    values, sums, names = [], [], ["auroc", "auprc"]
    y = (np.arange(200)[None] < 2).astype(int)
    for seed in range(1500):
        logits = np.random.default_rng(seed).normal(size=(1, 200, 2)) + 2.0 * np.eye(2)[y]
        values.append([METRICS.find(name).function(logits, y) for name in names])
        sums.append([(each**2).sum() for each in influences(logits, y, names).values()])
    ratios = np.mean(sums, 0) / np.var(values, 0)
    assert ratios == pytest.approx([1, 1], abs=0.15)


def test_influences_of_a_strangers_metric_are_checked():
    logits, y = example(2)
    broken = Metric(
        "broken", "b", "b", lambda logits, y: 0.5, influence=lambda logits, y: np.full(y.shape, np.nan)
    )
    with registered(METRICS, "broken", broken):
        problems = []
        assert influences(logits, y, ["broken", "accuracy"], problems).keys() == {"accuracy"}
    assert problems == ["metric broken returned influences that are not an array of finite numbers"]
