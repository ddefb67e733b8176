"""After a search, strategies are trained on the validation part too: what tables make of that."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import Made, decisions, disjoint
from rows import on, overall

from fsbench.report.charts.learning import curves
from fsbench.report.leaderboard import Leaderboard
from fsbench.stats import Sample, crossed, estimate

TUNING = "tuning(n=4)"
SPLITS, SOURCE = 4, 1 << 32


def ladder(tuning: str, vals: int, evidence: bool = True, uses: tuple[str, ...] = ()) -> Leaderboard:
    """`kshot` with 2, 4 and 8 labels; each split also draws so many validation labels per class."""
    made = Made()
    for k, level in ((2, 0.4), (4, 0.6), (8, 0.8)):
        tests, trains = [np.arange(1000)] * SPLITS, disjoint(SPLITS, 2 * k, 2000)
        right = {
            "erm": np.arange(1000) // 2 < 500 * level,
            "mine": np.arange(1000) // 2 < 500 * (level + 0.1),
        }
        hits = {name: [each] * SPLITS for name, each in right.items()}
        made.task(
            f"kshot(digits, k={k})", tests, trains, hits, vals=disjoint(SPLITS, 2 * vals, 4000),
            tuning=tuning, uses=uses,
        )  # fmt: skip
    if not evidence:
        made.drawn.clear()
    return made.board


def test_labels_saved_after_a_search_count_validation_labels():
    """Plain training reaches 0.5 half-way between the two first numbers, on a logarithmic scale."""
    for tuning, between in (("", (2, 4)), (TUNING, (3, 5))):
        board = ladder(tuning, vals=1)
        saved = on(board, "kshot(digits, k=2)")["mine"].saved
        middle = (between[0] * between[1]) ** 0.5
        assert (saved.labels, saved.times) == pytest.approx((middle, middle / between[0]), rel=1e-3)


def test_a_strategy_that_uses_validation_labels_saves_fewer():
    """With two labels and one for validation, it has the score that plain training has with three."""
    saved = on(ladder("", vals=1, uses=("val",)), "kshot(digits, k=2)")["mine"].saved
    assert (saved.labels, saved.times) == pytest.approx((8**0.5, 8**0.5 / 3), rel=1e-3)
    assert on(ladder("", vals=1, evidence=False, uses=("val",)), "kshot(digits, k=2)")["mine"].saved is None
    tuned = [ladder(TUNING, vals=1, uses=uses) for uses in ((), ("val",))]
    plain, using = (on(each, "kshot(digits, k=2)")["mine"].saved for each in tuned)
    assert plain.times == using.times


@pytest.mark.parametrize(("tuning", "labels"), [("", (2, 4, 8)), (TUNING, (5, 7, 11))])
def test_learning_curves_after_a_search_count_validation_labels(tuning, labels):
    (found,) = curves(ladder(tuning, vals=3))
    assert (found.family, found.axis, found.labels) == ("kshot(digits)", "k", labels)


def test_without_evidence_the_number_of_labels_after_a_search_is_unknown():
    board = ladder(TUNING, vals=1, evidence=False)
    assert not curves(board)
    assert {row.saved for row in board.rows} == {None}
    assert overall(ladder("", vals=1, evidence=False))["mine"].saved is not None


def test_validation_labels_of_a_source_are_not_labels_of_the_target():
    made = Made()
    for k in (2, 4):
        trains = [np.concatenate([part, SOURCE + np.arange(50)]) for part in disjoint(SPLITS, 2 * k, 2000)]
        made.task(
            f"shift(mnist5k(size=8), digits, k={k})", [np.arange(100)] * SPLITS, trains,
            {"erm": decisions(SPLITS)}, ("digits", "mnist5k(size=8)"),
            vals=[SOURCE + np.arange(50, 90)] * SPLITS, tuning=TUNING,
        )  # fmt: skip
    assert [each.labels for each in curves(made.board)] == [(2, 4)]


@pytest.mark.parametrize(("tuning", "shared"), [("", 0.0), (TUNING, 0.75)])
def test_intervals_after_a_search_count_the_validation_samples_that_splits_share(tuning, shared):
    task, made = "kshot(digits, k=5)", Made()
    tests, vals = disjoint(5, 100), [np.arange(3000, 3030)] * 5
    hits = {"erm": decisions(5), "focal": decisions(5, seed=1, level=0.9)}
    made.task(task, tests, disjoint(5, 10, 2000), hits, vals=vals, tuning=tuning)
    gained = hits["focal"].astype(float) - hits["erm"]
    centred = gained - np.stack([gained[:, half::2].mean(1) for half in (0, 1)] * 50, axis=1)
    own = crossed(tests, list(centred / 98)).own
    expected = estimate(Sample(tuple(gained.mean(1)), 0.01, 0.0, own, shared))
    assert on(made.board, task)["focal"].difference.error == pytest.approx(expected.error, rel=1e-3)


@pytest.mark.parametrize(("moved", "verdict"), [(0, "withheld: equal splits"), (30, "helps")])
def test_splits_with_equal_training_parts_are_equal_after_a_search_if_validation_parts_are(moved, verdict):
    made, task = Made(), "kshot(digits, k=5)"
    hits = {"erm": decisions(5, level=0.5), "focal": decisions(5, seed=1, level=0.99)}
    vals = [np.arange(3000, 3030) + moved * split for split in range(5)]
    made.task(task, disjoint(5, 100), [np.arange(2000, 2010)] * 5, hits, vals=vals, tuning=TUNING)
    assert on(made.board, task)["focal"].verdict == verdict
