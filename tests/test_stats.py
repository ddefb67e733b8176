from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.stats import estimate, holm, overall, verdict

VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=12).filter(lambda v: np.ptp(v) > 1e-6)


@given(VALUES)
def test_interval_and_p_value_are_those_of_scipy(values):
    found = estimate(values)
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    assert found.mean - found.half_width == pytest.approx(low, abs=1e-9)
    assert found.mean + found.half_width == pytest.approx(high, abs=1e-9)
    assert found.p == pytest.approx(scipy.stats.ttest_1samp(values, 0).pvalue, abs=1e-9)
    assert found.n == len(values)


def test_a_paired_difference_is_a_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.7, 0.1, 8), rng.normal(0.6, 0.1, 8)
    assert estimate(list(ours - theirs)).p == pytest.approx(scipy.stats.ttest_rel(ours, theirs).pvalue)


@pytest.mark.parametrize("values", [[0.5], [0.2, 0.2, 0.2], [0.0, 0.0], [0.1 + 0.2, 0.3]])
def test_without_spread_there_is_no_interval(values):
    found = estimate(values)
    assert (found.half_width, found.p) == (None, 1.0)
    assert verdict(found.mean, found.p, True) == "not settled"


def test_one_task_overall_is_that_task():
    values = [0.1, 0.4, 0.3]
    assert overall([dict(enumerate(values))], ["a"]) == estimate(values)


def test_independent_tasks_add_their_variances_with_the_smallest_degrees_of_freedom():
    """The standard error is that of Welch's test of the difference of two samples."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 5), rng.normal(0, 3, 9)
    found = overall([dict(enumerate(a)), dict(enumerate(-b))], ["a", "b"])
    t = scipy.stats.ttest_ind(a, b, equal_var=False).statistic
    assert 2 * found.mean == pytest.approx(a.mean() - b.mean())
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs(t), 4))
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 4) * found.mean / t)


def test_tasks_with_common_data_are_one_sample_of_seeds():
    rng = np.random.default_rng(2)
    tasks = rng.normal(size=(3, 6))
    found = overall([dict(enumerate(values)) for values in tasks], ["digits"] * 3)
    assert found.half_width == pytest.approx(estimate(list(tasks.mean(0))).half_width)


def test_common_data_and_different_seeds_take_the_largest_possible_error():
    one, other = {0: 0.1, 1: 0.3, 2: 0.2}, {0: 0.5, 1: 0.1}
    found = overall([one, other], ["digits", "digits"])
    error = (
        np.std([*one.values()], ddof=1) / math.sqrt(3) + np.std([*other.values()], ddof=1) / math.sqrt(2)
    ) / 2
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 1) * error)
    assert overall([one, {0: 0.5}], ["digits", "digits"]).half_width is None
    assert overall([one, {0: 0.5}], ["digits", "wine"]).half_width is None


def test_a_task_without_spread_is_not_known_exactly():
    one, flat = {0: 0.1, 1: 0.3, 2: 0.2}, {0: 0.0, 1: 0.0, 2: 0.0}
    assert overall([one, flat], ["a", "b"]).half_width is None
    found = overall([one, flat], ["a", "b"], [0.01, 0.01])
    error = math.sqrt(np.var([*one.values()], ddof=1) + 0.01**2) / math.sqrt(3) / 2
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 2) * error)


def test_every_task_weighs_the_same():
    assert overall([{0: 1.0, 1: 1.0, 2: 1.0}, {0: 0.0}], ["a", "b"]).mean == 0.5


def test_holm_agrees_with_a_calculation_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.4]) == [0.4]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=50)
def test_holm_lies_between_no_correction_and_bonferroni(p):
    adjusted = holm(p)
    assert all(a <= b <= min(1, len(p) * a) + 1e-12 for a, b in zip(p, adjusted, strict=True))
    assert [p[i] for i in np.argsort(adjusted, kind="stable")] == pytest.approx(
        [p[i] for i in sorted(range(len(p)), key=lambda i: (adjusted[i], i))]
    )
    # Step by step as in the paper: reject the smallest while it is below alpha / number left.
    rejected, ordered = set(), sorted(range(len(p)), key=p.__getitem__)
    for place, i in enumerate(ordered):
        if p[i] * (len(p) - place) > 0.05:
            break
        rejected.add(i)
    assert {i for i, a in enumerate(adjusted) if a <= 0.05} == rejected


@pytest.mark.parametrize(
    ("difference", "p", "higher", "expected"),
    [
        (0.1, 0.01, True, "helps"),
        (-0.1, 0.01, True, "hurts"),
        (-0.1, 0.01, False, "helps"),
        (0.1, 0.01, False, "hurts"),
        (0.1, 0.051, True, "not settled"),
        (0.0, 0.0, True, "not settled"),
        (0.1, math.nan, True, "not settled"),
    ],
)
def test_verdicts_follow_sign_and_p_value(difference, p, higher, expected):
    assert verdict(difference, p, higher) == expected


def covered(found, truth):
    return abs(found.mean - truth) <= found.half_width


def test_about_95_of_100_intervals_cover_the_truth():
    rng = np.random.default_rng(3)
    samples = rng.normal(0.3, 2, size=(4000, 3))
    assert np.mean([covered(estimate(list(s)), 0.3) for s in samples]) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("n", "most", "naive"), [(3, 0.996, 0.975), (10, 0.985, 0.85)])
def test_overall_intervals_cover_the_truth_even_if_tasks_share_their_splits(n, most, naive):
    """Nine tasks on four data sets; a seed's effect on a data set is the same in all its tasks."""
    rng = np.random.default_rng(4)
    groups = [0, 0, 0, 0, 1, 1, 2, 2, 3]
    shared, own = rng.normal(size=(1500, 4, n)), rng.normal(0, 0.3, size=(1500, 9, n))
    tasks = [
        [dict(enumerate(s[g] + o[t])) for t, g in enumerate(groups)] for s, o in zip(shared, own, strict=True)
    ]
    assert 0.95 <= np.mean([covered(overall(t, groups), 0) for t in tasks]) < most
    # Treated as independent, they are too narrow; at three seeds few degrees of freedom hide it.
    assert np.mean([covered(overall(t, range(9)), 0) for t in tasks]) < naive


def test_wrong_verdicts_anywhere_in_a_table_are_rare():
    """Seven strategies without effect on nine tasks; all share the noise of the baseline."""
    rng, tables = np.random.default_rng(5), 600
    wrong = uncorrected = 0
    for _ in range(tables):
        baseline = rng.binomial(200, 0.7, size=(1, 9, 5)) / 200
        differences = rng.binomial(200, 0.7, size=(7, 9, 5)) / 200 - baseline
        found = [estimate(list(d)) for strategy in differences for d in strategy]
        adjusted = holm([f.p for f in found])
        verdicts = {verdict(f.mean, p, True) for f, p in zip(found, adjusted, strict=True)}
        wrong += verdicts != {"not settled"}
        uncorrected += min(f.p for f in found) <= 0.05
    luck = 2 * math.sqrt(0.05 * 0.95 / tables)
    assert wrong / tables <= 0.05 + luck
    assert uncorrected / tables > 0.7


@pytest.mark.parametrize(("seeds", "share"), [(5, 0.3), (10, 0.3), (10, 0.5)])
def test_overlapping_splits_do_not_count_as_independent_data(seeds, share):
    """Two classifiers that are equally good in the population, on one small sample divided many times."""
    rng, size, trials = np.random.default_rng(0), 150, 1000
    tested, naive, corrected = round(share * size), 0, 0
    for _ in range(trials):
        difference = (rng.random(size) < 0.8).astype(float) - (rng.random(size) < 0.8)
        values = [difference[rng.permutation(size)[:tested]].mean() for _ in range(seeds)]
        naive += estimate(values, 1 / tested).p < 0.05
        corrected += estimate(values, 1 / tested, tested / (size - tested)).p < 0.05
    assert naive / trials > 0.15
    assert corrected / trials < 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5


def test_overlap_widens_the_interval_by_the_factor_of_nadeau_and_bengio():
    values = [0.1, 0.3, 0.2, 0.5]
    wide, narrow = estimate(values, 0.0, 0.6), estimate(values)
    assert wide.half_width == pytest.approx(narrow.half_width * ((1 / 4 + 0.6) * 4) ** 0.5)
    (task,) = [dict(enumerate(values))]
    assert overall([task], ["a"], [0.0], [0.6]) == wide
