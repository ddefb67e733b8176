"""The searches of a run: all tuned trials advance step by step, with the run's executor."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from fsbench.composition import Composition
from fsbench.failure import Failure
from fsbench.identity import full_spec
from fsbench.jobs import Outcome
from fsbench.judge import fault
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.progress import Observer
from fsbench.progress.trials import said
from fsbench.recipes.recipe import parse_recipe
from fsbench.record import Trial, Tried
from fsbench.registry import Registry
from fsbench.store import Store
from fsbench.tasks.parts import Part
from fsbench.tuning.criteria import CRITERIA, ON_INPUTS, needs_criterion
from fsbench.tuning.samplers import version
from fsbench.tuning.search import Search, Try
from fsbench.tuning.space import Configuration, Space
from fsbench.tuning.tuned import Tuning

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task
    from fsbench.tasks.splits import SealedSplit

T = TypeVar("T")
Read: TypeAlias = "Callable[[Trial, Outcome | Failure, SealedSplit], T]"
"""Makes something of a trial that has ended: from the trial, what a worker sent, and its split."""


class Execute(Protocol):
    """Runs trials, and yields what a `Read` makes of each when it ends; closing it stops the running ones."""

    def __call__(self, trials: Sequence[Trial], read: Read[T]) -> Generator[T, None, None]:
        """Run them."""
        ...


@dataclass
class Searching:
    """Makes the searches of tuned trials and runs what the store does not have of them."""

    registry: Registry
    store: Store
    tasks: Mapping[str, Task]
    compositions: Mapping[str, Composition]
    observer: Observer
    retry_failed: bool = False

    def run(self, trials: Iterable[Trial], execute: Execute) -> list[Search]:
        """The finished search of each trial. Every try is stored when it ends, so none runs twice."""
        searches = [self.search(trial) for trial in trials]
        known = self.store.tries() if searches else {}
        if self.retry_failed:
            known = {key: found for key, found in known.items() if not found.reason}
        steps = max((search.steps for search in searches), default=0)
        for step in itertools.count(1):
            missing = {each.key: each for search in searches for each in search.advance(known)}
            if not missing:
                break
            self.observer.searching(step, max(step, steps), len(missing))
            known |= self._tries(_fold_by_fold(missing.values()), execute)
        return searches

    def search(self, trial: Trial) -> Search:
        """The search of a trial, before its first try."""
        task, composition = self.tasks[trial.task], self.compositions[trial.spec]
        tuning, protocol = Tuning.read(trial.tuning), task.protocol
        key = trial.task, trial.split_seed, trial.init_seed
        space = Space(self.registry, composition, parse_recipe(trial.recipe), key)
        keeps_val = "val" in composition.uses
        parts, how = [Part(fold, keeps_val) for fold in range(protocol.folds)], protocol.criterion
        criterion = tuning.criterion if needs_criterion(task.info) else ""
        if criterion:
            parts, how = [Part(keeps_val=keeps_val, unlabeled=True)], f"{criterion} {ON_INPUTS}"
        return Search(
            trial,
            n=tuning.n if space else 1,
            draw=lambda number, told: self._ready(space.draw(number, tuning.sampler, told), task),
            parts=parts,
            how=how,
            criterion=criterion,
            at_once=tuning.at_once,
            sampler="" if tuning.at_once == tuning.n else f"{tuning.sampler} of optuna {version()}",
        )

    def _ready(self, configuration: Configuration, task: Task) -> Configuration:
        """A configuration with its full spec, or why it cannot run on a task."""
        composition, recipe = configuration.composition, configuration.recipe
        if composition is None:
            return configuration
        if (reason := composition.skip(task.info)) is not None:
            return replace(configuration, composition=None, reason=f"skipped: {reason}")
        identity = full_spec(self.registry, composition, recipe, task.info.kind)
        return replace(configuration, full_spec=identity)

    def _tries(self, missing: Sequence[Try], execute: Execute) -> dict[str, Tried]:
        """Run tries, those that were lost once more; returns what came of each, by key."""
        results = self._once(missing, execute, last=False)
        lost = [each for each in missing if each.key not in results]
        return results | (self._once(lost, execute, last=True) if lost else {})

    def _once(self, missing: Sequence[Try], execute: Execute, last: bool) -> dict[str, Tried]:
        """Run tries; stores and returns what came of each, by key; lost ones only if it is the `last` time.

        A configuration must not lose because something else took the memory.
        """
        results = {}
        ended = execute(missing, lambda trial, sent, split: (trial, _tried(trial, sent, split), split))
        with contextlib.closing(ended):
            for trial, found, split in ended:
                if last or not found.lost:
                    self.store.keep_try(trial, found, split.fingerprint)
                    results[trial.key] = found
                    self.observer.tried(trial, found)
                else:
                    self.observer.warned(f"{said(trial)}: {found.reason}; it is tried once more")
        return results


def _fold_by_fold(tries: Iterable[Try]) -> list[Try]:
    """Tries ordered by split, then by fold: what a fold pretrains on its source, the next ones read."""
    splits: dict[tuple[str, int], list[Try]] = {}
    for each in tries:
        splits.setdefault((each.task, each.split_seed), []).append(each)
    return [each for group in splits.values() for each in sorted(group, key=lambda one: one.part.fold or 0)]


def _tried(trial: Trial, result: Outcome | Failure, split: SealedSplit) -> Tried:
    """What came of a try, scored by its criterion, or by the default metric on the labels held out."""
    if isinstance(result, Failure):
        return Tried(seconds=result.seconds, reason=f"{result.kind}: {result.message}")
    seconds = result.seconds_fit + result.seconds_predict
    if reason := fault(result.predictions, split):
        return Tried(seconds=seconds, reason=f"{reason['kind']}: {reason['message']}")
    logits = result.predictions.astype(np.float64)
    if isinstance(trial, Try) and trial.criterion:
        return Tried(CRITERIA[trial.criterion](logits), seconds)
    value = get_metric(DEFAULT_METRIC).function(logits, split.test_y)
    return Tried(value, seconds) if value is not None else Tried(None, seconds, "the metric is undefined")
