"""Few seeds and coarse steps: simulations of null differences confirm the level of `fsbench.stats`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from fsbench.metrics import resolution
from fsbench.stats import estimate, holm, overall, verdict

COMPARISONS = 40
LEVEL = 0.05 / COMPARISONS
FLIPS = (0.3, 1, 3)
# Samples of each class in a test part: 50 to 2,000 samples, even and uneven.
PARTS = ([5] * 10, [45, 5], [100, 100], [180, 20], [160, 32, 8], [200] * 10, [1900, 100])
METRICS = ("accuracy", "balanced_accuracy")


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


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("scales", [(1, 1), (1, 0.1), (1, 0.1, 0.1, 0.1), (3, 1, 0.3, 0.1)], ids=str)
def test_small_p_values_over_tasks_are_valid_for_all_variances(n, scales):
    """Groups of tasks with one task each; the rule of Satterthwaite errs several times as often."""
    rng, draws = np.random.default_rng([n, len(scales)]), 200_000
    values = rng.normal(size=(draws, len(scales), n)) * np.array(scales)[:, None]
    variances = values.var(-1, ddof=1) / n
    total = variances.sum(1)
    t = -np.abs(values.mean(-1).sum(1)) / np.sqrt(total)
    p = 2 * stdtr(n - 1, t)
    found = [overall([dict(enumerate(v)) for v in tasks], range(len(scales))).p for tasks in values[:100]]
    assert p[:100] == pytest.approx(found)
    assert (p <= LEVEL).mean() <= tolerated(LEVEL, draws)
    if n == 3 and 0.1 in scales:
        satterthwaite = 2 * stdtr(total**2 * (n - 1) / (variances**2).sum(1), t)
        assert (satterthwaite <= LEVEL).mean() > 1.5 * LEVEL


def test_flips_over_tasks_with_common_data_keep_the_level():
    """Three tasks tested on the same samples, in the extreme: the same decisions flip in all of them."""
    rng, draws, part = np.random.default_rng(11), 4000, [45, 5]
    step = steps(part)["balanced_accuracy"]
    for n in (3, 5):
        gained = flips(rng, part, (draws, n), 3, "balanced_accuracy")
        tasks = [[dict(enumerate(row))] * 3 for row in gained]
        found = np.array([overall(each, ["digits"] * 3, [step] * 3).p for each in tasks])
        assert found == pytest.approx(p_values(gained, step))
        assert (found <= 0.01).mean() <= tolerated(0.01, draws)


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
    beside = overall([dict(enumerate(values)), dict.fromkeys(range(n), 0.0)], ["a", "b"], [0.01, 0.01])
    assert beside.half_width == pytest.approx(found.half_width / math.sqrt(2))


def test_equal_results_give_no_verdict():
    found = estimate([0.0] * 10, 0.002)
    assert (found.mean, found.p, verdict(found.mean, found.p, True)) == (0.0, 1.0, "not settled")
    many = overall([dict.fromkeys(range(10), 0.0)] * 4, ["a", "a", "b", "c"], [0.002] * 4)
    assert (many.mean, many.p) == (0.0, 1.0)
