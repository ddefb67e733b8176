"""Few seeds and coarse steps: simulations of null differences confirm the level of `fsbench.stats`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from fsbench import stats
from fsbench.metrics import resolution
from fsbench.stats import Sample, holm, overall, verdict

pytestmark = pytest.mark.slow

COMPARISONS = 40
LEVEL = 0.05 / COMPARISONS
FLIPS = (0.3, 1, 3)
# Samples of each class in a test part: 50 to 2,000 samples, even and uneven.
PARTS = ([5] * 10, [45, 5], [100, 100], [180, 20], [160, 32, 8], [200] * 10, [1900, 100])
METRICS = ("accuracy", "balanced_accuracy")


def estimate(values, step=0.0):
    return stats.estimate(Sample(tuple(values), step))


def steps(part):
    """The resolution of each metric on a test part."""
    return resolution(np.repeat(np.arange(len(part)), part)[None])


def flips(rng, part, shape, rate, metric, by_class=False):
    """What a classifier gains in a metric by flipped decisions: Poisson many, as often good as bad.

    They are equally likely for every sample, or with `by_class` for every class.
    """
    sizes, classes = np.unique(part, return_counts=True)
    gained = np.zeros(shape)
    for size, count in zip(sizes, classes, strict=True):
        mean = rate * (count / len(part) if by_class else size * count / sum(part)) / 2
        weight = 1 / sum(part) if metric == "accuracy" else 1 / (len(part) * size)
        gained += weight * (rng.poisson(mean, shape) - rng.poisson(mean, shape))
    return gained


def p_values(differences, step):
    """The p-values of `estimate` for rows `[..., n]`; with step 0 those of the plain paired t-test."""
    n, mean = differences.shape[-1], differences.mean(-1)
    deviation = np.maximum(differences.std(-1, ddof=1), step)
    # Equal values of unknown resolution prove nothing.
    known = deviation > 1e-12 * np.abs(differences).max(-1)
    with np.errstate(all="ignore"):
        p = 2 * stdtr(n - 1, -np.abs(mean) / deviation * math.sqrt(n))
    return np.where(known, p, 1.0)


def tolerated(rate, draws):
    """A rate and four standard errors of its simulation."""
    return rate + 4 * math.sqrt(rate * (1 - rate) / draws)


@pytest.mark.parametrize("step", [0.0, 0.004])
def test_the_simulation_computes_what_the_library_does(step):
    differences = flips(np.random.default_rng(0), [160, 32, 8], (300, 5), 2, "balanced_accuracy")
    found = [estimate(list(row), step).p for row in differences]
    assert p_values(differences, step) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_single_comparison_errs_no_more_than_it_says(n, metric):
    rng, draws = np.random.default_rng([n, len(metric)]), 50_000
    for part, rate, by_class in itertools.product(PARTS, FLIPS, (False, True)):
        p = p_values(flips(rng, part, (draws, n), rate, metric, by_class), steps(part)[metric])
        for level in (LEVEL, 0.01, 0.05):
            assert (p <= level).mean() <= tolerated(level, draws), (part, rate, by_class, level)


def test_without_the_floor_equal_values_would_be_significant():
    rng, draws, part = np.random.default_rng(1), 60_000, [1900, 100]
    differences = flips(rng, part, (draws, 3), 2, "balanced_accuracy", by_class=True)
    assert (p_values(differences, 0.0) <= LEVEL).mean() > 5 * LEVEL
    assert (p_values(differences, steps(part)["balanced_accuracy"]) <= LEVEL).mean() <= LEVEL


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_wrong_verdicts_anywhere_among_40_comparisons_stay_below_5_percent(n, metric):
    """Eight strategies on five tasks; all of a task share what the baseline gained or lost by chance."""
    rng, tables, strategies = np.random.default_rng([7, n, len(metric)]), 5000, 8
    for rate, by_class in itertools.product(FLIPS, (False, True)):
        p = []
        for part in PARTS[:5]:
            ours = flips(rng, part, (tables, strategies, n), rate / 2, metric, by_class)
            theirs = flips(rng, part, (tables, 1, n), rate / 2, metric, by_class)
            p.append(p_values(ours - theirs, steps(part)[metric]))
        table = np.concatenate(p, axis=1)
        assert table.shape[1] == COMPARISONS
        # Holm rejects something if and only if the smallest is rejected.
        wrong = table.min(1) <= LEVEL
        assert [min(holm(list(row))) <= 0.05 for row in table[:200]] == list(wrong[:200])
        assert wrong.mean() <= tolerated(0.05, tables), rate


@pytest.mark.parametrize("part", [[100, 100], [20] * 10, [200] * 10, [1000, 200]], ids=str)
def test_a_clear_effect_is_still_settled(part):
    """Five points, one point of spread, ten seeds: with 39 comparisons beside it that say nothing."""
    rng, step = np.random.default_rng(3), steps(part)["balanced_accuracy"]
    for _ in range(200):
        found = estimate(list(np.round(rng.normal(0.05, 0.01, 10) / step) * step), step)
        adjusted = holm([found.p, *[0.5] * (COMPARISONS - 1)])
        assert verdict(found.mean, adjusted[0], True) == "helps"


def test_the_floor_costs_nothing_where_values_spread():
    values = list(np.random.default_rng(4).normal(0.02, 0.01, 10))
    assert estimate(values, 0.005) == estimate(values)


@pytest.mark.parametrize("values", [[0.01] * 3, [0.0] * 3, [0.5] * 10], ids=str)
def test_equal_values_are_never_known_exactly(values):
    found, n = estimate(values, 0.01), len(values)
    assert found.half_width == pytest.approx(stdtrit(n - 1, 0.975) * 0.01 / math.sqrt(n))
    beside = overall([[Sample(tuple(v / 2 for v in values), 0.005)], [Sample((0.0,) * n, 0.005)]])
    assert beside.error == pytest.approx(found.error / math.sqrt(2))


def test_equal_results_give_no_verdict_on_a_difference():
    found = estimate([0.0] * 10, 0.002)
    assert (found.mean, found.p, verdict(found.mean, found.p, True)) == (0.0, 1.0, "not settled")
    many = overall([[Sample((0.0,) * 10, 0.001)], [Sample((0.0,) * 10, 0.0005)]])
    assert (many.mean, many.p) == (0.0, 1.0)
