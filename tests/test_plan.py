from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from fsbench.composition import Composition
from fsbench.errors import SpecError
from fsbench.params import param
from fsbench.plan import Plan, joined_plans, make_plan, trial_key
from fsbench.strategy import Strategy
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Erm(Strategy):
    name: ClassVar[str] = "erm"


@dataclass(frozen=True)
class Sharp(Strategy):
    name: ClassVar[str] = "sharp"
    gamma: float = param(2.0)


@dataclass(frozen=True)
class NeedsSource(Strategy):
    name: ClassVar[str] = "needy"

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"source"})

    def skip(self, task: TaskInfo) -> str | None:
        return None if task.has_source else "needs source data"


@dataclass(frozen=True)
class FakeTask:
    text: str

    @property
    def info(self) -> TaskInfo:
        return TaskInfo(self.text, "kshot", "table", (4,), 3)


TASKS = [FakeTask("kshot(wine, k=1)"), FakeTask("kshot(wine, k=5)")]
ERM, SHARP = Composition((Erm(),)), Composition((Sharp(),))
NEEDY = Composition((NeedsSource(),))


def plan(compositions=(SHARP,), seeds=(0, 1), **more) -> Plan:
    return make_plan(TASKS, compositions, baseline=ERM, split_seeds=seeds, **more)


def test_all_tasks_of_a_split_seed_come_before_the_next_and_the_baseline_first():
    made = plan()
    assert [(t.split_seed, t.task, t.spec) for t in made.trials] == [
        (seed, task.text, spec) for seed in (0, 1) for task in TASKS for spec in ("erm", "sharp")
    ]
    assert (made.total, made.done, made.skipped) == (8, 0, ())
    assert made.keys == tuple(t.key for t in made.trials)


def test_plans_are_joined_by_split_seed_and_task():
    joined = joined_plans([plan(), plan(tuning="tuning(n=2)")])
    assert [(t.split_seed, t.task, t.tuning, t.spec) for t in joined.trials] == [
        (seed, task.text, tuning, spec)
        for seed in (0, 1)
        for task in TASKS
        for tuning in ("", "tuning(n=2)")
        for spec in ("erm", "sharp")
    ]


def test_what_chooses_trials_may_order_them():
    backwards = plan(only=lambda trials: list(trials)[:1:-1])
    assert backwards.trials == plan().trials[:1:-1]


def test_a_strategy_or_task_named_twice_runs_once():
    again = Composition((Erm(), Sharp(gamma=2.0)))
    assert plan([SHARP, again, ERM, SHARP]).trials == plan().trials


def test_only_trials_missing_from_the_store_are_planned():
    first, second, third, *rest = plan().trials
    statuses = {first.key: "ok", second.key: "failed", third.key: "skipped", "stranger": "ok"}
    made = plan(statuses=statuses)
    assert made.trials == (third, *rest)
    assert (made.total, made.done) == (8, 2)
    retried = plan(statuses=statuses, retry_failed=True)
    assert retried.trials == (second, third, *rest)
    assert (retried.total, retried.done) == (8, 1)


def test_a_complete_store_plans_nothing():
    complete = dict.fromkeys(plan().keys, "ok")
    made = plan(statuses=complete)
    assert (made.trials, made.total, made.done) == ((), 8, 8)
    assert made.keys == plan().keys


def test_a_skip_becomes_a_record_with_its_reason():
    made = plan([NEEDY], seeds=(0,))
    assert [t.spec for t in made.trials] == ["erm", "erm"]
    assert (made.total, made.done) == (2, 0)
    assert [(r.task, r.spec, r.status, r.uses) for r in made.skipped] == [
        (task.text, "needy", "skipped", ("source",)) for task in TASKS
    ]
    assert made.skipped[0].reason == {"kind": "skipped", "message": "needs source data"}


def test_overrides_change_recipe_and_key():
    plain, changed = plan(), plan(recipe_overrides={"steps": 7, "lr": 1})
    assert "steps=7" in changed.trials[0].recipe
    assert "lr=1.0" in changed.trials[0].recipe
    assert not {t.key for t in plain.trials} & {t.key for t in changed.trials}


@pytest.mark.parametrize("wrong", [{"steps": "many"}, {"stepz": 3}, {"steps": 0}])
def test_a_wrong_override_is_named(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        plan(recipe_overrides=wrong)


def test_every_part_of_a_trial_is_in_its_key():
    base = ("task", 0, 0, "spec", "recipe")
    others = [
        ("tusk", 0, 0, "spec", "recipe"),
        ("task", 1, 0, "spec", "recipe"),
        ("task", 0, 1, "spec", "recipe"),
        ("task", 0, 0, "spoc", "recipe"),
        ("task", 0, 0, "spec", "receipt"),
    ]
    assert len({trial_key(*parts) for parts in [base, *others]}) == 6
    assert trial_key(*base) == trial_key(*base)
    assert len(trial_key(*base)) == 32


def test_a_key_depends_on_every_argument_though_the_spec_is_short():
    (trial,) = (t for t in plan(seeds=(0,)).trials if t.spec == "sharp" and t.task == TASKS[0].text)
    assert trial.key == trial_key(trial.task, 0, 0, "sharp(gamma=2.0)", trial.recipe)
