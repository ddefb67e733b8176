"""Labels saved: how many times as many labels plain training needs for a strategy's score."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pages import render
from records import failed, over_seeds, record
from sklearn.isotonic import IsotonicRegression

from fsbench.report import labels, text
from fsbench.report.labels import inverse, isotonic
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.stats import Sample, estimate

KS = (1, 4, 16)
LEVELS = (0.4, 0.6, 0.8)


def on(k: int) -> str:
    return f"kshot(digits, k={k})"


def board(scores: dict[int, float], noise: float = 0.0, n: int = 5, **options) -> Leaderboard:
    """A board on which ERM scores 0.4, 0.6 and 0.8 with 1, 4 and 16 labels, and `mine` as given."""
    rng = np.random.default_rng(1)
    records = []
    for k, level in zip(KS, LEVELS, strict=True):
        shift = rng.normal(0, noise, n) if noise else np.zeros(n)
        records += over_seeds(on(k), "erm", (level + shift).tolist())
        if k in scores:
            own = scores[k] + shift + (rng.normal(0, noise, n) if noise else 0)
            records += over_seeds(on(k), "mine", own.tolist())
    return leaderboard(records, **options)


def curve_of_erm(n: int) -> list:
    return [
        each for k, level in zip(KS, LEVELS, strict=True) for each in over_seeds(on(k), "erm", [level] * n)
    ]


def saved(found: Leaderboard, k: int):
    rows = dict(found.tasks)[on(k)]
    return next(row.saved for row in rows if row.strategy == "mine")


def test_isotonic_curves_are_those_of_scikit_learn():
    curves = np.random.default_rng(0).normal(np.linspace(0, 2, 6), 1, (50, 6))
    expected = np.stack([IsotonicRegression().fit_transform(np.arange(6), each) for each in curves])
    assert isotonic(curves) == pytest.approx(expected)


def test_a_curve_is_inverted_in_the_logarithm_of_the_number():
    curve, numbers = np.array([[0.4, 0.6, 0.6, 0.8]]), np.array([1.0, 4.0, 9.0, 16.0])
    targets = {0.3: 0, 0.4: 1, 0.5: 2, 0.6: 4, 0.7: 12, 0.8: 16, 0.9: np.inf}
    found = [inverse(curve, numbers, np.array([target]))[0] for target in targets]
    assert found == pytest.approx(list(targets.values()))


def test_the_labels_saved_are_read_off_the_curve_of_plain_training():
    found = board({1: 0.5, 4: 0.7, 16: 0.8})
    # ERM has 0.5 with 2 labels and 0.7 with 8.
    assert [(saved(found, k).times, saved(found, k).labels) for k in KS] == [
        pytest.approx((2, 2)), pytest.approx((2, 8)), pytest.approx((1, 16))
    ]  # fmt: skip
    (mine,) = (row for row in found.overall if row.strategy == "mine")
    assert (mine.saved.times, mine.saved.labels, mine.saved.beyond) == (pytest.approx(2), None, "")
    assert all(row.saved is None for row in found.rows if row.strategy == "erm")


def test_scores_beyond_the_measured_range_are_bounds_and_say_so():
    found = board({1: 0.3, 4: 0.9, 16: 0.9})
    assert [(saved(found, k).times, saved(found, k).beyond) for k in KS] == [
        (1, "below"), (4, "above"), (1, "above")
    ]  # fmt: skip
    assert [text.saved(row) for _, rows in found.tasks for row in rows if row.saved] == [
        "<1.0x",
        ">4.0x",
        ">1.0x",
    ]
    (mine,) = (row for row in found.overall if row.strategy == "mine")
    assert (mine.saved.beyond, text.saved(mine)) == ("both", "-")


def test_a_loss_saves_labels_where_it_is_smaller():
    found = board({1: 0.5, 4: 0.7, 16: 0.8}, metric="nll")
    assert saved(found, 4).times == pytest.approx(2)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("common", [0.0, 0.02])
@pytest.mark.parametrize(("place", "target", "true"), [(1, 0.7, 2), (1, 0.6, 1), (0, 0.42, 2**0.2)])
def test_intervals_cover_the_truth_of_noisy_splits(n, common, place, target, true):
    """ERM and `mine` share the noise of a split; common test samples add the same to all splits."""
    rng, hits, at_odds, count = np.random.default_rng([n, place]), 0, 0, 400
    for _ in range(count):
        shift, of_split = rng.normal(0, common, 4), rng.normal(0, 0.02, (n, 1))
        erm = np.array(LEVELS) + shift[:3] + of_split + rng.normal(0, 0.02, (n, 3))
        mine = target + shift[3] + of_split[:, 0] + rng.normal(0, 0.02, n)
        gain = estimate(Sample(tuple(mine - erm[:, place]), common=2 * common**2))
        each = labels.saved([labels.reached(erm, mine, KS, place, gain.half_width)], gain)
        low = 0 if each.ends_beyond in ("below", "both") else each.low
        high = np.inf if each.ends_beyond in ("above", "both") else each.high
        hits += low <= true <= high
        at_odds += not low <= 1 <= high and gain.low < 0 < gain.high
    assert hits / count >= 0.92
    assert at_odds == 0


def test_an_interval_contains_1_where_that_of_the_difference_contains_0():
    """Also on a flat curve, where a small difference is worth many labels."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        records = []
        for k, level in zip(KS, (0.78, 0.8, 0.81), strict=True):
            records += over_seeds(on(k), "erm", rng.normal(level, 0.02, 3).tolist())
            records += over_seeds(on(k), "mine", rng.normal(0.8, 0.02, 3).tolist())
        for row in (row for _, rows in leaderboard(records).tasks for row in rows if row.saved):
            low = 0 if row.saved.ends_beyond in ("below", "both") else row.saved.low
            high = np.inf if row.saved.ends_beyond in ("above", "both") else row.saved.high
            assert row.difference.excludes_0 or low <= 1 <= high


def test_an_end_at_the_edge_of_the_range_is_a_bound():
    found = board({1: 0.405, 4: 0.78}, noise=0.05)
    shown = [text.saved(row) for _, rows in found.tasks for row in rows if row.saved]
    assert [re.sub(r"\d\.\d", "N", each) for each in shown] == ["Nx (<N to N)", "Nx (N to >N)"]
    assert "(<1.0 to" in shown[0]
    assert shown[1].endswith(">4.0)")
    beyond = board({4: 0.81}, noise=0.05)
    assert re.fullmatch(r">4\.0x \(\d\.\d to >4\.0\)", text.saved(dict(beyond.tasks)[on(4)][0]))


def test_an_interval_that_is_open_at_both_ends_says_nothing():
    found = board({4: 0.7}, noise=0.2, n=3)
    (row,) = (row for row in found.overall if row.strategy == "mine")
    assert (row.saved.beyond, row.saved.ends_beyond, text.saved(row)) == ("", "both", "-")
    helps = replace(row, verdict="helps", rank=1, score=row.difference)
    others = tuple(replace(each, rank=2) for each in found.overall if each is not row)
    said = recommendation(replace(found, overall=(helps, *others)))
    assert said[0].startswith("Use mine")
    assert not any("times as many labels" in line for line in said)


def test_two_splits_are_too_few_for_an_interval():
    assert saved(board({4: 0.7}, noise=0.01, n=2), 4).low is None
    assert saved(board({4: 0.7}, noise=0.01, n=3), 4).low is not None


def test_one_split_gives_no_interval_and_withheld_rows_give_nothing():
    assert saved(board({4: 0.7}, n=1), 4).low is None
    records = curve_of_erm(3)
    records += [*over_seeds(on(4), "mine", [0.7, 0.7]), failed(task=on(4), spec="mine", split_seed=2)]
    assert saved(leaderboard(records), 4) is None


def test_without_a_family_there_is_no_column():
    alone = leaderboard([record(on(1)), record(on(1), "mine")])
    assert "labels" not in text.columns(alone, text.OVERALL_COLUMNS)
    assert "labels" in text.columns(board({4: 0.7}), text.OVERALL_COLUMNS)


def test_tables_and_the_recommendation_say_it():
    found = board({1: 0.5, 4: 0.7, 16: 0.85}, noise=0.004)
    assert re.search(r"\| (1\.9|2\.0|2\.1)x \(\d\.\d-\d\.\d\) \|", render(found, "markdown"))
    for format in ("terminal", "markdown"):
        assert "labels saved: how many times" in render(found, format, 200)
    (line,) = (each for each in recommendation(found) if "times as many labels" in each)
    # The third task has the largest number of labels, where nothing can be saved.
    assert re.search(
        r"On the 2 tasks where this can be read off, erm would need about [\d.]+ times as many labels "
        r"\([\d.]+ to [\d.]+\) for that score\.$",
        line,
    )
    pair = curve_of_erm(5)[:10] + over_seeds(on(1), "mine", [0.5] * 5) + over_seeds(on(4), "mine", [0.7] * 5)
    (headline, alone, *_) = recommendation(leaderboard(pair))
    assert headline.endswith("is settled with 5 split seeds.")
    assert "s a trial. On the task where" in alone
    assert '"labels_times": 2' in render(board({1: 0.5}), "json")


def test_only_the_splits_that_all_have_are_used():
    records = curve_of_erm(4) + over_seeds(on(4), "mine", [0.7, 0.7])
    assert saved(leaderboard(records), 4).times == pytest.approx(2)
    two = [each for each in records if each.task != on(1)]
    assert saved(leaderboard(two), 4).times == pytest.approx(2)
    assert saved(leaderboard([each for each in records if each.task == on(4)]), 4) is None
