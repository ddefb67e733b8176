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
from fsbench.record import Trial, Tried
from fsbench.registry import load_registry
from fsbench.tasks.parts import Part
from fsbench.tuning.search import Search, rounds
from fsbench.tuning.space import Configuration, Space
from fsbench.types import Recipe

RECIPE = Recipe("mlp", 200, 32)
TRIAL = Trial("task", 0, 0, "focal", "recipe", "key", "focal", "tuning(n=8)")
SCORES = st.integers(0, 4).map(lambda tenth: tenth / 10)
TABLES = st.lists(st.lists(SCORES, min_size=4, max_size=4), min_size=1, max_size=9)
SPACE = Space(REGISTRY := load_registry(), REGISTRY.parse("focal")[0], RECIPE, ("task", 0, 0))
CONFIGURATIONS = [replace(each, full_spec=each.composition.full_spec) for each in map(SPACE.draw, range(20))]


def search(n: int, folds: int = 4, keeps_val: bool = False, at_once: int = 20, draw=None) -> Search:
    draw = draw or (lambda number, told: CONFIGURATIONS[number])
    return Search(TRIAL, n, draw, [Part(fold, keeps_val) for fold in range(folds)], "", at_once)


def answer(found: Search, table: list[list[float | None]]) -> list[int]:
    """Go through all steps with these scores; how many tries each step added."""
    added, known = [], {}
    while new := found.advance(known):
        added.append(len(new))
        assert not {each.key for each in new} & known.keys()
        for each in new:
            able = [c for c in found.configurations if c.composition]
            number = next(c.number for c in able if found.on(c, each.part).key == each.key)
            score = table[number][each.part.fold or 0]
            known[each.key] = Tried(score, 1.0, "" if score is not None else "Boom: no score")
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
    assert answer(found, [[0.5] * 4]) == []
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


def test_the_next_best_ones_take_the_places_of_those_that_fail_later():
    found = search(4)
    good, fails_later = [0.5, 0.5, 0.1, 0.1], [0.9, 0.9, 0.9, None]
    assert answer(found, [fails_later, [0.4] * 4, good, fails_later]) == [8, 4, 4]
    assert found.chosen().number == 1
    assert [len(found._scores(each)) for each in found.configurations] == [3, 4, 4, 3]


def test_a_configuration_that_cannot_run_is_not_tried():
    out = Configuration(1, None, RECIPE, "skipped: no source")
    found = search(2, draw=lambda number, told: [CONFIGURATIONS[0], out][number])
    assert answer(found, [[0.5] * 4, [1.0] * 4]) == []
    assert found.chosen().number == 0
    assert found.describe()["tried"][1] == {
        "spec": "focal",
        "recipe": {},
        "scores": [],
        "reason": "skipped: no source",
    }


def test_a_note_says_how_many_configurations_could_not_run():
    out = Configuration(1, None, RECIPE, "scale(rate=5.7): expected a whole number, got 5.7")
    found = search(2, draw=lambda number, told: [CONFIGURATIONS[0], out][number])
    answer(found, [[0.5] * 4, [1.0] * 4])
    fit = Outcome(np.zeros((1, 1, 1), np.float32), 1.0, 2.0, 3.0, 4)
    assert found.with_cost(fit).notes == (
        "1 of 2 configurations could not run; the first: scale(rate=5.7): expected a whole number, got 5.7",
    )


def drawing(found: list, out: int | None = None):
    """Draws given configurations, but for one that cannot run; keeps what it is told."""

    def draw(number, told):
        found.append((number, [score for _, score in told]))
        return Configuration(number, None, RECIPE, "no") if number == out else CONFIGURATIONS[number]

    return draw


def test_later_configurations_are_drawn_one_by_one_with_the_scores_of_all_before_them():
    found = search(8, at_once=5, draw=drawing(told := []))
    table = [[n / 10, n / 10, 0, 0] for n in range(8)]
    assert answer(found, table) == [10, 2, 2, 2, 8]
    assert told == [(n, [] if n < 5 else [k / 10 for k in range(n)]) for n in range(8)]
    assert found.steps == 5


def test_a_draw_is_told_of_failures_and_one_that_cannot_run_stops_nothing():
    found = search(8, at_once=5, draw=drawing(told := [], out=5))
    table = [[0.5, None, 0, 0], *([n / 10] * 4 for n in range(1, 8))]
    assert answer(found, table) == [10, 2, 2, 8]
    assert told[-1] == (7, [None, 0.1, 0.2, 0.3, 0.4, None, 0.6])
    assert found.chosen().number == 7


def test_a_larger_search_begins_with_the_draws_of_a_smaller_one():
    small, large = [], []
    table = [[n / 10] * 4 for n in range(12)]
    answer(search(7, at_once=5, draw=drawing(small)), table)
    answer(search(12, at_once=5, draw=drawing(large)), table)
    assert large[:7] == small


def test_a_thousand_draws_that_cannot_run_are_no_problem():
    out = Configuration(1, None, RECIPE, "no")
    found = search(1100, at_once=5, draw=lambda number, told: out if number else CONFIGURATIONS[0])
    assert answer(found, [[0.5] * 4]) == [2]
    assert found.chosen().number == 0


@given(st.lists(st.lists(SCORES | st.none(), min_size=4, max_size=4), min_size=1, max_size=9), st.data())
def test_an_interrupted_search_goes_on_identically(table, data):
    """Whatever part of the tries is known beforehand."""
    told: list = []
    whole = search(len(table), at_once=5, draw=drawing(told))
    answer(whole, table)
    kept = [key for key in whole.tried if data.draw(st.booleans())]
    again: list = []
    rest = search(len(table), at_once=5, draw=drawing(again))
    known = {key: whole.tried[key] for key in kept}
    while new := rest.advance(known):
        known |= {each.key: whole.tried[each.key] for each in new}
    assert (again, rest.describe()) == (told, whole.describe())


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


def test_tries_by_a_criterion_are_other_tries_and_the_final_fit_is_none():
    def by(criterion: str) -> Search:
        draw = CONFIGURATIONS.__getitem__
        parts = [Part(unlabeled=True)]
        return Search(TRIAL, 2, lambda number, told: draw(number), parts, "", 20, criterion)

    plain, first, second = by(""), by("infomax"), by("another")
    keys = [{each.key for each in search.advance({})} for search in (plain, first, second)]
    assert not set.intersection(*keys)
    assert len(set.union(*keys)) == 6
    assert answer(first, [[0.1], [2.5]]) == [2]
    assert first.describe()["metric"] == "infomax"
    assert (first.final().part, first.final().criterion) == (Part(), "")
    assert first.final().spec == CONFIGURATIONS[1].composition.text


def test_tries_are_of_configurations_so_a_larger_search_reuses_those_of_a_smaller_one():
    small = {each.key for each in search(4).advance({})}
    large = {each.key for each in search(8).advance({})}
    assert small < large
