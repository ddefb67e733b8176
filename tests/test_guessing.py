"""Whether a report says that nothing was learnt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_evidence import METRIC, Made, decisions, disjoint
from records import over_seeds
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from fsbench.metrics import get_metric
from fsbench.report.guessing import guess, shares
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import by_topic

A, B, C = "kshot(digits, k=5)", "kshot(wine, k=5)", "kshot(breast_cancer, k=5)"
SPLITS, TESTED = 5, 60


def board(**levels: list[float]) -> Leaderboard:
    """Strategies that are right on such shares of the test samples of some tasks."""
    made, seed = Made(), 0
    names = ("digits", "wine", "breast_cancer")
    for place, task in enumerate((A, B, C)[: len(levels["erm"])]):
        hits = {}
        for name, wanted in levels.items():
            seed += 1
            hits[name] = decisions(SPLITS, TESTED, seed=seed, level=wanted[place])
        trains = disjoint(SPLITS, 20, start=1000)
        made.task(task, disjoint(SPLITS, TESTED), trains, hits, datasets=(names[place],))
    return made.board


def test_coin_flips_are_not_better_than_guessing():
    (said,) = by_topic(board(erm=[0.5], focal=[0.5]))["guessing"]
    assert said.startswith(
        "Nothing is shown to be better than guessing: the same prediction for every sample scores 50.0 %."
    )


@pytest.mark.parametrize("levels", [{"erm": [0.8], "focal": [0.5]}, {"erm": [0.5], "focal": [0.8]}])
def test_one_strategy_that_is_better_is_enough(levels):
    assert "guessing" not in by_topic(board(**levels))


def test_what_is_worse_than_guessing_is_not_better():
    assert "guessing" in by_topic(board(erm=[0.2], focal=[0.3]))


def test_of_several_tasks_those_where_nothing_was_learnt_are_named():
    (said,) = by_topic(board(erm=[0.5, 0.9, 0.5], focal=[0.5, 0.5, 0.5]))["guessing"]
    assert said == (
        "On 2 of 3 tasks, nothing is shown to be better than guessing, the same prediction for every sample: "
        f"{C}, {A}."
    )


def test_many_strategies_that_guess_are_not_better_by_chance():
    quiet = 0
    for first in range(0, 400, 20):
        made = Made()
        hits = {f"s{n}": decisions(SPLITS, TESTED, seed=first + n, level=0.5) for n in range(19)}
        hits["erm"] = decisions(SPLITS, TESTED, seed=first + 19, level=0.5)
        made.task(A, disjoint(SPLITS, TESTED), disjoint(SPLITS, 20, start=1000), hits)
        quiet += "guessing" not in by_topic(made.board)
    assert quiet <= 3  # of 20; a rate of 5 % exceeds this in one of a hundred cases


def test_without_test_labels_nothing_is_said():
    assert "guessing" not in by_topic(leaderboard(over_seeds(A, "erm", [0.1, 0.2, 0.15])))


@given(st.lists(st.integers(0, 3), min_size=8, max_size=40).filter(lambda y: set(y) == {0, 1, 2, 3}))
def test_guessing_is_what_the_most_frequent_class_scores(labels: list[int]):
    y = np.array(labels)
    theirs = DummyClassifier(strategy="most_frequent").fit(y[:, None], y).predict(y[:, None])
    logits = shares(y[None])
    for name, reference in (("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score)):
        assert get_metric(name).function(logits, y[None]) == pytest.approx(reference(y, theirs))
    assert get_metric("auroc").function(logits, y[None]) == pytest.approx(0.5)


def test_only_shares_of_which_more_is_better_are_compared_with_guessing():
    (setting,) = board(erm=[0.8]).settings
    assert guess(setting, get_metric(METRIC)) == pytest.approx(0.5)
    assert [guess(setting, get_metric(name)) for name in ("nll", "brier", "ece")] == [None] * 3
