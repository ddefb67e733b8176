"""The plan of a run: tasks x strategies x seeds, minus what the store has. A pure function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench.composition import Composition
from fsbench.identity import trial_key
from fsbench.recipes.recipe import recipe_text, task_recipe
from fsbench.record import Record, Status, Trial
from fsbench.spec import Value
from fsbench.types import Recipe

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task


@dataclass(frozen=True)
class Plan:
    """The trials to run, and what is known of the others.

    `trials` are in the order of running: usually by split seed, then by task, with the baseline first on each
    split. `skipped` are records of trials that cannot run, with the reason. `keys` names every trial of the
    plan, in order; `total` counts the trials that can run, `done` those of them that the store has.
    """

    trials: tuple[Trial, ...]
    skipped: tuple[Record, ...]
    keys: tuple[str, ...]
    total: int
    done: int


def joined_plans(plans: Sequence[Plan]) -> Plan:
    """One plan of several that have no trial in common; if there are several, in the usual order."""
    trials = [trial for plan in plans for trial in plan.trials]
    if len(plans) > 1:
        seeds = list(dict.fromkeys(trial.split_seed for trial in trials))
        tasks = list(dict.fromkeys(trial.task for trial in trials))
        trials.sort(key=lambda trial: (seeds.index(trial.split_seed), tasks.index(trial.task)))
    return Plan(
        trials=tuple(trials),
        skipped=tuple(record for plan in plans for record in plan.skipped),
        keys=tuple(key for plan in plans for key in plan.keys),
        total=sum(plan.total for plan in plans),
        done=sum(plan.done for plan in plans),
    )


def make_plan(
    tasks: Iterable[Task],
    compositions: Iterable[Composition],
    *,
    baseline: Composition,
    split_seeds: Sequence[int],
    init_seeds: Sequence[int] = (0,),
    suite_recipe: str | Mapping[str, str] = "",
    recipe_overrides: Mapping[str, Value] | None = None,
    statuses: Mapping[str, Status] | None = None,
    retry_failed: bool = False,
    tuning: str = "",
    only: Callable[[Mapping[Trial, str | None]], Iterable[Trial]] = lambda trials: trials,
    identify: Callable[[Composition, Recipe, str], str] = lambda composition, recipe, kind: (
        composition.full_spec
    ),
) -> Plan:
    """The plan of a run. The baseline is always included; what is named twice runs once.

    `suite_recipe` is what the suite changes in the default recipes, `recipe_overrides` change the recipe of
    every task. `statuses` says what the store has: "ok" trials are never planned again, "failed" ones only
    with `retry_failed`. `identify` gives the full spec of a trial, from its strategy, its recipe and its kind
    of samples. `tuning` is the text of a search that every trial begins with, if there is one. `only` gets
    every trial with the reason not to run it, or None, and returns those that belong to the plan, in the
    order of running. Raises SpecError for an invalid override, UsageError for a recipe that a component
    refuses.
    """
    settled = {"ok"} if retry_failed else {"ok", "failed"}
    statuses = statuses or {}
    trials: dict[str, Trial] = {}
    skipped: dict[str, Record] = {}
    keys: dict[str, None] = {}
    drawn = [(task, task_recipe(task.info, suite_recipe, recipe_overrides)) for task in tasks]
    every = {
        trial: (composition, reason)
        for composition, trial, reason in _everything(
            drawn, [baseline, *compositions], split_seeds, init_seeds, tuning, identify
        )
    }
    for trial in only({trial: reason for trial, (_, reason) in every.items()}):
        composition, reason = every[trial]
        keys[trial.key] = None
        if statuses.get(trial.key) in settled:
            continue
        if reason is None:
            trials[trial.key] = trial
        else:
            skipped[trial.key] = _skipped(trial, composition, reason)
    total = len(keys) - len(skipped)
    return Plan(tuple(trials.values()), tuple(skipped.values()), tuple(keys), total, total - len(trials))


def _everything(
    tasks: Iterable[tuple[Task, Recipe]],
    compositions: Sequence[Composition],
    split_seeds: Sequence[int],
    init_seeds: Sequence[int],
    tuning: str,
    identify: Callable[[Composition, Recipe, str], str],
) -> Iterator[tuple[Composition, Trial, str | None]]:
    """Every trial in the usual order, with the reason not to run it, or None.

    All tasks come before the next split seed: an interrupted run has results on each of them.
    """
    groups = [
        (task.text, recipe_text(recipe), _reasons(task, recipe, compositions, identify))
        for task, recipe in tasks
    ]
    for split_seed, (task, recipe, reasons) in itertools.product(split_seeds, groups):
        for (composition, identity, reason), init_seed in itertools.product(reasons, init_seeds):
            key = trial_key(task, split_seed, init_seed, identity, recipe, tuning)
            trial = Trial(task, split_seed, init_seed, composition.text, recipe, key, identity, tuning)
            yield composition, trial, reason


def _reasons(
    task: Task,
    recipe: Recipe,
    compositions: Sequence[Composition],
    identify: Callable[[Composition, Recipe, str], str],
) -> list[tuple[Composition, str, str | None]]:
    """Each composition, its full spec on a task, and why it does not run there, or None."""
    found = []
    for composition in compositions:
        identity, reason = identify(composition, recipe, task.info.kind), composition.skip(task.info)
        if reason is None:
            composition.check_recipe(recipe)
        found.append((composition, identity, reason))
    return found


def _skipped(trial: Trial, composition: Composition, reason: str) -> Record:
    return Record(
        **vars(trial),
        status="skipped",
        uses=tuple(sorted(composition.uses)),
        baseline=composition.baseline,
        reason={"kind": "skipped", "message": reason},
    )
