"""The laws of a search: successive halving on scores, whatever computed them."""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench.failure import Failure
from fsbench.jobs import Outcome
from fsbench.registry import load_registry
from fsbench.tasks.parts import Part
from fsbench.tuning.search import Search, rounds
from fsbench.tuning.space import Configuration, configurations
from fsbench.types import Recipe, Trial, Tried

RECIPE = Recipe("mlp", 200, 32)
TRIAL = Trial("task", 0, 0, "focal", "recipe", "key", "focal", "tuning(n=8)")
SCORES = st.integers(0, 4).map(lambda tenth: tenth / 10)
TABLES = st.lists(st.lists(SCORES, min_size=4, max_size=4), min_size=1, max_size=9)
CONFIGURATIONS = configurations(
    REGISTRY := load_registry(), REGISTRY.parse("focal")[0], RECIPE, 9, *("task", 0, 0)
)


def search(n: int, folds: int = 4, keeps_val: bool = False) -> Search:
    found = CONFIGURATIONS[:n]
    return Search(TRIAL, found, [each.composition.full_spec for each in found], folds, "", keeps_val)


def answer(found: Search, table: list[list[float | None]]) -> list[int]:
    """Go through all rounds with these scores; how many tries each round added."""
    added = []
    where = {
        found.on(each, Part(fold, found.keeps_val)).key: table[each.number][fold]
        for each in found.configurations
        if found.full_specs[each.number] is not None
        for fold in range(found.folds)
    }
    for number in range(len(rounds(found.folds))):
        new = [each for each in found.wanted(number) if each.key not in found.tried]
        added.append(len(new))
        for each in new:
            score = where[each.key]
            found.tried[each.key] = Tried(score, 1.0, "" if score is not None else "Boom: no score")
    return added


@pytest.mark.parametrize(
    ("folds", "expected"), [(1, [1]), (2, [2]), (3, [2, 3]), (4, [2, 4]), (9, [2, 4, 8, 9])]
)
def test_each_round_doubles_the_folds(folds, expected):
    assert rounds(folds) == expected


@given(TABLES)
def test_the_choice_has_the_highest_mean_of_those_that_were_tried_on_all_folds(table):
    found = search(len(table))
    answer(found, table)
    most = max(len(found._scores(each)) for each in found.configurations)
    means = {
        each.number: round(statistics.fmean(table[each.number][:most] or [0]), 9)
        for each in found.configurations
        if len(found._scores(each)) == most
    }
    assert most == (0 if len(table) == 1 else 2 if len(table) == 2 else 4)
    assert found.chosen().number == max(means, key=lambda number: (means[number], -number))


@given(TABLES)
def test_no_configuration_leaves_before_a_worse_one(table):
    found = search(len(table))
    answer(found, table)
    done = {each.number: len(found._scores(each)) for each in found.configurations}
    first = {number: round(statistics.fmean(table[number][:2]), 9) for number in done}
    assert all(first[a] >= first[b] for a in done for b in done if done[a] > done[b])


def test_the_better_half_is_tried_on_the_other_folds():
    assert answer(search(8), [[n / 10] * 4 for n in range(8)]) == [16, 8]
    assert answer(search(8, folds=1), [[n / 10] for n in range(8)]) == [8]


def test_one_configuration_needs_no_search():
    found = search(1)
    assert answer(found, [[0.5] * 4]) == [0, 0]
    assert found.final().part == Part()
    assert found.tried == {}


def test_the_default_wins_a_tie():
    found = search(8)
    answer(found, [[0.5] * 4] * 8)
    assert found.chosen().number == 0


def test_a_configuration_that_fails_once_is_out_and_its_reason_is_kept():
    found = search(2)
    answer(found, [[0.9, None, 0.9, 0.9], [0.1] * 4])
    assert found.chosen().number == 1
    tried = found.describe()["tried"]
    assert tried[0]["reason"] == "Boom: no score"
    assert "reason" not in tried[1]


def test_if_all_fail_so_does_the_trial_with_the_reasons():
    found = search(3)
    answer(found, [[None] * 4] * 3)
    assert found.chosen() is None
    assert found.final() is None
    assert found.failure().kind == "NothingToChoose"
    assert found.failure().message == "all 3 configurations failed; the first: Boom: no score"


def test_a_configuration_that_cannot_run_is_not_tried():
    found = search(2)
    found.configurations = [found.configurations[0], Configuration(1, None, RECIPE, "skipped: no source")]
    found.full_specs = [found.full_specs[0], None]
    assert answer(found, [[0.5] * 4, [1.0] * 4]) == [0, 0]
    assert found.chosen().number == 0
    assert found.describe()["tried"][1] == {
        "spec": "focal",
        "recipe": {},
        "scores": [],
        "reason": "skipped: no source",
    }


def test_the_final_fit_has_the_trials_key_and_keeps_its_seeds():
    found = search(2, keeps_val=True)
    answer(found, [[0.1] * 4, [0.9] * 4])
    final = found.final()
    assert (final.key, final.task, final.split_seed, final.init_seed) == ("key", "task", 0, 0)
    assert final.part == Part(None, keeps_val=True)
    assert final.spec == found.configurations[1].composition.text


def test_the_cost_of_the_tries_is_that_of_the_trial():
    found = search(2)
    answer(found, [[0.1] * 4, [0.9] * 4])
    fit = Outcome(np.zeros((1, 1, 1), np.float32), 1.0, 2.0, 3.0, 4)
    assert found.with_cost(fit) == replace(fit, seconds_fit=6.0)
    assert found.with_cost(FAILURE := Failure("Boom", "m")) is FAILURE


def test_tries_are_of_configurations_so_a_larger_search_reuses_those_of_a_smaller_one():
    small = {each.key for each in search(4).wanted(0)}
    large = {each.key for each in search(8).wanted(0)}
    assert small < large
