"""Whether a report says that nothing was learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_evidence import METRIC, Made, decisions, disjoint
from records import over_seeds
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fsbench.errors import PluginError
from fsbench.metrics import METRICS, chance, get_metric
from fsbench.report.chance import chance_level
from fsbench.report.leaderboard import Leaderboard, leaderboard
from fsbench.report.recommendation import by_topic
from fsbench.testing.metric_checks import says_chance

TASKS = {
    "digits": "kshot(digits, k=5)",
    "wine": "kshot(wine, k=5)",
    "breast_cancer": "kshot(breast_cancer, k=5)",
}
SPLITS, TESTED = 5, 60


def board(splits: int = SPLITS, first: int = 0, **levels: list[float]) -> Leaderboard:
    """Strategies that are right on such shares of the test samples of one task or several."""
    made, seed = Made(), first
    for place, (data, task) in enumerate(list(TASKS.items())[: len(levels["erm"])]):
        hits = {}
        for name, wanted in levels.items():
            seed += 1
            hits[name] = decisions(splits, TESTED, seed=seed, level=wanted[place])
        trains = disjoint(splits, 20, start=1000)
        made.task(task, disjoint(splits, TESTED), trains, hits, datasets=(data,))
    return made.board


def said(made: Leaderboard) -> str:
    return " ".join(by_topic(made).get("chance", []))


def test_coin_flips_are_not_better_than_chance():
    assert said(board(erm=[0.5], focal=[0.5])) == (
        "Nothing is shown to be better than chance, 50.0 %. Check the labels and the inputs, or collect more "
        "samples, before you choose a strategy."
    )
    assert said(board(erm=[0.2], focal=[0.3]))


@pytest.mark.parametrize("levels", [{"erm": [0.8], "focal": [0.5]}, {"erm": [0.5], "focal": [0.8]}])
def test_one_strategy_that_is_better_is_enough(levels):
    assert not said(board(**levels))


def test_plain_training_that_is_better_stays_so_beside_many_others():
    others = {f"s{n}": [0.5] for n in range(40)}
    levels = [0.61, 0.62, 0.63, 0.64]
    alone = [not said(board(first=7, erm=[level])) for level in levels]
    assert any(alone)
    assert [not said(board(first=7, erm=[level], **others)) for level in levels] == alone


def test_of_several_tasks_those_where_nothing_was_learnt_are_named():
    some = said(board(erm=[0.5, 0.9, 0.5], focal=[0.5, 0.5, 0.5]))
    assert some == (
        "On 2 of 3 tasks, nothing is shown to be better than chance: "
        f"{TASKS['breast_cancer']}, {TASKS['digits']}."
    )
    every = said(board(erm=[0.5, 0.5], focal=[0.5, 0.5]))
    assert every.startswith("On none of 2 tasks is anything shown to be better than chance. Check the labels")


def test_many_strategies_by_chance_are_not_better():
    made = [
        board(first=first, erm=[0.5], **{f"s{n}": [0.5] for n in range(19)}) for first in range(0, 400, 20)
    ]
    silent = sum(not said(each) for each in made)
    assert silent <= 3  # of 20; a rate of 5 % exceeds this in one of a hundred cases


def test_a_few_split_seeds_test_labels_or_chance_levels_are_not_enough():
    assert not said(board(splits=4, erm=[0.5]))
    assert not said(leaderboard(over_seeds(TASKS["wine"], "erm", [0.1, 0.2, 0.15, 0.1, 0.2])))
    (setting,) = board(erm=[0.8]).settings
    assert chance_level(setting, get_metric(METRIC)) == pytest.approx(0.5)
    with_level = {name for name in METRICS if chance_level(setting, get_metric(name)) is not None}
    assert with_level == {"auroc", "balanced_accuracy"}


@given(st.lists(st.integers(0, 3), min_size=8, max_size=40).filter(lambda y: set(y) == {0, 1, 2, 3}))
def test_the_chance_level_is_what_a_dummy_scores(labels: list[int]):
    y, x = np.array(labels), np.zeros((len(labels), 1))
    dummy = DummyClassifier(strategy="prior").fit(x, y)
    accuracy = chance(get_metric("balanced_accuracy"), y[None])
    assert accuracy == pytest.approx(balanced_accuracy_score(y, dummy.predict(x)))
    assert chance(get_metric("auroc"), y[None]) == pytest.approx(
        roc_auc_score(y, dummy.predict_proba(x), multi_class="ovr", labels=range(4))
    )


def test_the_kit_checks_a_chance_level():
    assert says_chance(get_metric("balanced_accuracy")) is None
    wrong = replace(get_metric("accuracy"), chance=lambda y: 1 / 3)
    with pytest.raises(AssertionError, match=r"is 0\.333, but random predictions, most of the first class"):
        says_chance(wrong)


def test_metrics_in_other_units_or_of_which_less_is_better_have_their_own_level():
    errors = replace(get_metric(METRIC), percent=False, higher_is_better=False, chance=lambda y: 0.5)
    low, high = (replace(board(erm=[level]), metric=errors) for level in (0.2, 0.8))
    assert not said(low)
    assert said(high).startswith("Nothing is shown to be better than chance, 0.500. Check the labels")


def test_a_chance_level_that_raises_names_the_metric(monkeypatch):
    def fail(y: np.ndarray) -> float:
        raise ValueError("no level")

    with pytest.raises(PluginError, match=r"metric balanced_accuracy.* raised ValueError: no level"):
        chance(replace(get_metric("balanced_accuracy"), chance=fail), np.zeros((1, 4), dtype=np.int64))
