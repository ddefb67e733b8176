from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench import stats
from fsbench.stats import FRACTION, Prior, Sample, Tail, equivalence, fit_prior, holm, overall, verdict
from fsbench.stats.over_tasks import SHARE_OF_T


def estimate(values, resolution=0.0, overlap=0.0):
    return stats.estimate(Sample(tuple(values), resolution, overlap=overlap))


def groups(tasks, names, step=0.0):
    """What tasks with the given names of their data contribute to a mean over tasks."""
    of = {name: [task for task, each in zip(tasks, names, strict=True) if each == name] for name in names}
    return [[Sample(tuple(np.sum(several, 0) / len(tasks)), step * len(several) / len(tasks))]
            for several in of.values()]  # fmt: skip


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
    assert overall(groups([values], ["a"])) == estimate(values)


def test_independent_tasks_add_their_variances():
    """The interval is that of Welch's test of the difference of two samples."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 4), rng.normal(0, 3, 4)
    found = overall(groups([a, -b], ["a", "b"]))
    test = scipy.stats.ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval()
    assert 2 * found.mean == pytest.approx(a.mean() - b.mean())
    assert (2 * found.low, 2 * found.high) == pytest.approx((low, high))
    # With few signs the p-value has the smallest degrees of freedom, which is cautious.
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs(test.statistic), 3))


def of_signs(estimate):
    """The p-value of sign flips, which have four fifths of the level."""
    return estimate.p * (1 - SHARE_OF_T)


def test_with_enough_splits_signs_decide_where_tasks_agree():
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(0.8, 1, (3, 4))
    found = overall(groups([a, b, c], ["a", "b", "c"]))
    test = scipy.stats.permutation_test(
        (np.concatenate([a, b, c]),),
        lambda x, axis: x.sum(axis),
        permutation_type="samples",
        n_resamples=1 << 13,
    )
    assert of_signs(found) == pytest.approx(test.pvalue)


def test_opposite_differences_that_are_certain_are_no_noise():
    """-20 points on one task, +10 on two, all within 0.3 points: no signs say that the mean is 0."""
    rng = np.random.default_rng(5)
    values = np.array([[-0.2], [0.1], [0.08]]) + rng.normal(0, 0.003, (3, 5))
    samples = [[Sample(tuple(row / 3))] for row in values]
    found, (by_t,) = overall(samples), stats.overalls([samples], flips=False)
    assert found.mean == pytest.approx(-0.0067, abs=0.001)
    assert found.p == pytest.approx(by_t.p / SHARE_OF_T)
    assert found.p < 0.05


@pytest.mark.parametrize(("count", "splits"), [(3, 3), (2, 5), (2, 6), (4, 3)])
def test_sums_as_far_as_the_observed_one_count_whatever_is_rounded(count, splits):
    """Coarse values have many such sums. Counted with whole numbers, there is nothing to round."""
    rng, signs = np.random.default_rng(9), np.array(list(itertools.product([1, -1], repeat=count * splits)))
    for _ in range(20):
        whole = rng.integers(-3, 6, (count, splits))
        samples = [[Sample(tuple((row / 100 / count).tolist()))] for row in whole]
        found = overall(samples)
        if found.error is not None:
            sums = np.abs(signs @ whole.ravel())
            by_signs = (sums >= abs(whole.sum())).mean()
            (by_t,) = stats.overalls([samples], flips=False)
            by_both = min(by_signs / (1 - SHARE_OF_T), by_t.p / SHARE_OF_T, 1)
            assert found.p == pytest.approx(by_both, abs=1e-12)


@pytest.mark.parametrize(("tasks", "splits"), [(3, 3), (4, 3), (5, 5)])
def test_a_mean_over_tasks_whose_interval_contains_0_is_not_significant(tasks, splits):
    values = np.random.default_rng(11).normal(1, 1, (1000, tasks, splits)) / tasks
    found = stats.overalls([[[Sample(tuple(task))] for task in row] for row in values.tolist()])
    significant = [each for each in found if each.p <= 0.05]
    assert len(significant) > 100
    assert all(each.low > 0 or each.high < 0 for each in significant)


def test_rows_of_a_table_are_estimated_as_each_alone():
    rng = np.random.default_rng(10)
    rows = [
        Sample(tuple(rng.normal(0.1, 0.1 * (1 + place % 7), 2 + place % 5)), 0.01, *more)
        for place, more in enumerate([(0.001, 0.002, 0.3, 0.0005), (), (0.0, 0.001), (0.01, 0.0)] * 10)
    ]
    rows += [Sample((0.5,)), Sample((0.0, 0.0, 0.0)), Sample((0.0, 0.0), 0.1)]
    prior = fit_prior(rows)
    limits = [FRACTION if place % 3 else stats.NO_LIMITS for place in range(len(rows))]
    found = stats.estimates(rows, prior, limits)
    alone = [stats.estimate(row, prior, ends) for row, ends in zip(rows, limits, strict=True)]
    for one, other in zip(found, alone, strict=True):
        assert (one.mean, one.n) == (other.mean, other.n)
        assert one.p == pytest.approx(other.p, rel=1e-12)
        assert one.half_width == (other.half_width and pytest.approx(other.half_width, rel=1e-12))
    assert stats.p_values(rows, prior) == pytest.approx([each.p for each in found], rel=1e-12)
    assert stats.estimates([]) == stats.overalls([]) == []


def test_means_over_tasks_are_estimated_as_each_alone():
    """Rows with one group, with several, with too few splits, and with tasks of different splits."""
    rng = np.random.default_rng(11)

    def sample(splits):
        return Sample(tuple(rng.normal(0.1, 1, splits)), 0.01, 0.02, 0.1)

    rows = [[[sample(5)] for _ in range(1 + place % 4)] for place in range(12)]
    rows += [[[sample(70)], [sample(4)]], [[sample(3), sample(4)], [sample(9)]], [[sample(1)], [sample(5)]]]
    for one, groups in zip(stats.overalls(rows), rows, strict=True):
        other = overall(groups)
        assert (one.mean, one.n) == (other.mean, other.n)
        assert one.p == pytest.approx(other.p, rel=1e-12)
        assert one.half_width == (other.half_width and pytest.approx(other.half_width, rel=1e-12))


def test_sign_flips_add_what_common_test_samples_contribute():
    rng = np.random.default_rng(3)
    values = rng.normal(1, 1, (3, 4)) / 3
    alone = overall([[Sample(tuple(v), own=0.0)] for v in values])
    noisy = overall([[Sample(tuple(v), common=0.2**2, own=0.0)] for v in values])
    signs = rng.choice([-1, 1], (200_000, 12)) @ values.ravel() / 4 + rng.normal(0, 0.2 * 3**0.5, 200_000)
    assert alone.p < noisy.p
    by_signs = (np.abs(signs) >= abs(values.mean(1).sum())).mean()
    assert of_signs(noisy) == pytest.approx(by_signs, rel=0.05)


def test_tasks_with_common_data_and_different_seeds_take_the_largest_possible_error():
    one, other = (0.1, 0.3, 0.2), (0.5, 0.1)
    found = overall([[Sample(tuple(v / 2 for v in one)), Sample(tuple(v / 2 for v in other))]])
    error = (np.std(one, ddof=1) / math.sqrt(3) + np.std(other, ddof=1) / math.sqrt(2)) / 2
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 1) * error)
    assert overall([[Sample(one), Sample((0.5,))]]).half_width is None
    assert overall([[Sample(one)], [Sample((0.5,))]]).half_width is None


def test_a_task_without_spread_is_not_known_exactly():
    one, flat = (0.1, 0.3, 0.2), (0.0, 0.0, 0.0)
    assert overall([[Sample(one)], [Sample(flat)]]).half_width is None
    found = overall([[Sample(one, 0.01)], [Sample(flat, 0.01)]])
    assert found.error == pytest.approx(math.sqrt(np.var(one, ddof=1) + 0.01**2) / math.sqrt(3))


def test_common_test_samples_add_a_variance_that_splits_do_not_reduce():
    values = tuple(np.random.default_rng(4).normal(size=10))
    found = stats.estimate(Sample(values, common=0.3, own=0.1))
    assert found.error**2 == pytest.approx(np.var(values, ddof=1) / 10 + 0.3)
    # With a known part there are more degrees of freedom; a p-value uses twice those of the spread at most.
    assert found.tails[0].df == pytest.approx(
        min(2 * 9, 9 * (found.error**2 / (np.var(values, ddof=1) / 10)) ** 2)
    )


def test_a_spread_is_at_least_what_the_test_samples_explain():
    assert Sample((0.1, 0.1, 0.1), own=0.04).spread == 0.04
    assert Sample((0.1, 0.1, 0.1), resolution=0.3, own=0.04).spread == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("noise", "added"), [(None, 0.9 / 2), (0.4, 0.5 / 2), (1.0, 0.0)], ids=["unknown", "some", "all"]
)
def test_common_training_samples_add_a_covariance(noise, added):
    """Of 100 + 100 samples of which 50 are shared, a third is in both: so alike are the results."""
    values = tuple(np.array([-1.0, 0, 1]) + 5)  # of variance 1
    found = stats.estimate(Sample(values, own=0.1, shared=0.5, noise=noise))
    assert found.error**2 == pytest.approx(1 / 3 + added)


def test_a_row_is_one_of_the_expected_sorts_as_bayes_has_it():
    prior, values = Prior(plain=((0.9, 1.0), (0.1, 50.0))), np.array([3.0, 5.0, 1.0])
    found, s2 = stats.estimate(Sample(tuple(values)), prior), values.var(ddof=1)
    weights = [chance * scipy.stats.f.pdf(s2 / v, 2, 6) / v for chance, v in prior.plain]
    errors = [math.sqrt((6 * v + 2 * s2) / 8 / 3) for _, v in prior.plain]
    for tail, weight, error in zip(found.tails, weights, errors, strict=True):
        assert (tail.probability, tail.error, tail.df) == pytest.approx((weight / sum(weights), error, 8))
    beyond = [2 * tail.probability * scipy.stats.t.sf(3 / tail.error, 8) for tail in found.tails]
    assert found.p == pytest.approx(sum(beyond))
    ends = [2 * t.probability * scipy.stats.t.sf(found.half_width / t.error, 8) for t in found.tails]
    assert sum(ends) == pytest.approx(0.05)


def test_the_prior_finds_the_sorts_of_rows():
    rng = np.random.default_rng(5)
    deviations = np.where(rng.random(2000) < 0.2, 10.0, 1.0)
    prior = fit_prior(Sample(tuple(row)) for row in rng.normal(size=(2000, 5)) * deviations[:, None])
    assert prior.scaled == ()
    assert sum(chance for chance, _ in prior.plain) == pytest.approx(1)
    assert sum(chance for chance, variance in prior.plain if variance > 10) == pytest.approx(0.2, abs=0.03)
    mean = sum(chance * math.log(variance) for chance, variance in prior.plain if variance < 10) / 0.8
    assert mean == pytest.approx(0, abs=0.3)


def test_a_rare_sort_of_rows_stays_possible():
    """One unstable row among equal ones: each of them may still be unstable, and unlikely is not never."""
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(20, 3)) * np.where(np.arange(20) == 0, 10.0, 1.0)[:, None]
    prior = fit_prior(Sample(tuple(row)) for row in rows)
    others = stats.estimate(Sample(tuple(rows[1])), prior).tails
    assert 1e-4 < sum(tail.probability for tail in others if tail.error > 3) < 0.1


def test_rows_of_zeros_do_not_make_others_look_unstable():
    rows = [Sample(tuple(row), own=0.01) for row in np.random.default_rng(7).normal(size=(8, 4))]
    nothing = [Sample((0.0,) * 4, 0.1, own=0.0)] * 40
    assert fit_prior([*rows, *nothing]) == fit_prior(rows)
    assert stats.estimate(nothing[0], fit_prior(rows)).p == pytest.approx(1)


@pytest.mark.parametrize("values", [(0.1, 0.2, 0.4), (0.5,), (0.3, 0.3, 0.3)])
def test_a_prior_of_equal_rows_changes_little(values):
    """Also where a row has no spread, or all rows have the same."""
    prior = fit_prior([Sample((0.1, 0.2, 0.4))] * 10)
    found, alone = (stats.estimate(Sample(values), each) for each in (prior, stats.NO_PRIOR))
    assert (found.half_width is None) == (alone.half_width is None)
    assert found.error is None or found.error == pytest.approx(alone.error, rel=0.3)


def test_variances_are_closer_to_the_true_ones_with_a_prior_relative_to_the_part_of_the_test_samples():
    rng = np.random.default_rng(6)
    scales = rng.uniform(0.01, 10, 500)
    rows = rng.normal(size=(500, 5)) * np.sqrt(30 * scales)[:, None]
    samples = [Sample(tuple(row), own=scale) for row, scale in zip(rows, scales, strict=True)]
    prior = fit_prior(samples)
    assert prior.plain == ()
    moderated = [stats.estimate(sample, prior).error ** 2 * 5 for sample in samples]
    off, before = (np.log(each / (30 * scales)) for each in (moderated, [s.spread for s in samples]))
    assert abs(off.mean()) < 0.3
    assert off.std() < 0.6 * before.std()


def test_few_rows_lend_nothing():
    assert fit_prior([Sample((0.1, 0.2, 0.4))] * 3) == Prior()


@pytest.mark.parametrize("values", [(1.0,) * 5, (0.98, 1.0, 0.99, 0.97, 1.0), (0.5, 0.9), (0.0, 0.02, 0.0)])
def test_intervals_of_fractions_stay_between_0_and_1(values):
    found = stats.estimate(Sample(values, 0.01), limits=FRACTION)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 0.001


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_perfect_score_over_tasks_has_a_short_interval_as_on_a_task(score):
    limits, halves = FRACTION, Sample((score / 2,) * 5, 0.005)
    found, alone = (
        overall([[halves], [halves]], limits),
        stats.estimate(Sample((score,) * 5, 0.01), limits=limits),
    )
    assert found.mean == score
    assert 0.001 < found.high - found.low < alone.high - alone.low < 0.02
    assert overall([[Sample((score,) * 5, 0.01)]], limits) == alone


def test_the_interval_of_a_fraction_is_wilsons():
    """80 of 100 in each of many equal splits: as many samples as give the standard error."""
    values = tuple(np.random.default_rng(7).binomial(100, 0.8, 400) / 100)
    found = stats.estimate(Sample(values, 0.01), limits=FRACTION)
    size = found.mean * (1 - found.mean) / (np.var(values, ddof=1) / 400)
    z = scipy.stats.t.ppf(0.975, 399)
    center = (found.mean + z**2 / (2 * size)) / (1 + z**2 / size)
    assert (found.low + found.high) / 2 == pytest.approx(center)


@pytest.mark.parametrize(("low", "high", "expected"), [(-0.009, 0.009, True), (-0.011, 0.005, False)])
def test_equivalence_is_an_interval_within_the_margin(low, high, expected):
    """Two one-sided tests at 5 % are the 90 % interval."""
    middle, error = (low + high) / 2, (high - low) / 2 / scipy.stats.t.ppf(0.95, 4)
    found = stats.Estimate(middle, None, None, 1.0, 5, (Tail(1.0, error, 4),))
    assert (equivalence(found, 0.01) <= 0.05) == expected
    assert equivalence(stats.Estimate(0.0, None, None, 1.0, 1), 0.01) == 1


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


@pytest.mark.parametrize(("p", "equal", "expected"), [(0.2, 0.01, "equivalent"), (0.2, 0.2, "not settled"),
                                                      (0.01, 0.01, "helps")])  # fmt: skip
def test_a_settled_difference_is_not_called_equivalent(p, equal, expected):
    assert verdict(0.001, p, True, equal) == expected


@pytest.mark.slow
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


def test_comparisons_that_are_lost_count_for_equivalence_as_for_differences():
    small = stats.Estimate(0.0, -0.01, 0.01, 1.0, 5, (Tail(1.0, 0.005, 1e6),))
    assert equivalence(small, 0.01) == pytest.approx(scipy.stats.norm.sf(2), abs=1e-5)
    for lost, expected in enumerate(("equivalent", "equivalent", "not settled")):
        (found,) = stats.judge([small], True, 0.01, lost)
        assert (found.verdict, found.within) == (expected, expected == "equivalent")


def test_signs_of_samples_that_share_data_are_not_flipped_apart():
    """Two tasks on the same data with different splits are one group: their signs are not independent."""
    several = [Sample((0.010, 0.012, 0.011, 0.013, 0.009)) for _ in range(3)]
    together = stats.overalls([[several]])[0]
    assert together == stats.overalls([[several]], flips=False)[0]
    mixed = [several[:2], several[2:]]
    assert stats.overalls([mixed])[0] == stats.overalls([mixed], flips=False)[0]
    apart = [[each] for each in several]
    assert stats.overalls([apart])[0].p != stats.overalls([apart], flips=False)[0].p
