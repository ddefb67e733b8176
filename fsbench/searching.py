"""The searches of a run: all tuned trials go through one round after the other, with the run's executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from fsbench.composition import Composition
from fsbench.failure import Failure
from fsbench.identity import full_spec
from fsbench.jobs import Outcome
from fsbench.judge import fault
from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.progress import Observer
from fsbench.recipes.recipe import parse_recipe
from fsbench.registry import Registry
from fsbench.store import Store
from fsbench.tuning.search import Search, Try, rounds, tuning_size
from fsbench.tuning.space import Configuration, configurations
from fsbench.types import Recipe, Trial, Tried

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task
    from fsbench.tasks.splits import SealedSplit

T = TypeVar("T")
Read: TypeAlias = "Callable[[Trial, Outcome | Failure, SealedSplit], T]"
"""Makes something of a trial that has ended: from the trial, what a worker sent, and its split."""


class Execute(Protocol):
    """Runs trials, and yields what a `Read` makes of each when it ends."""

    def __call__(self, trials: Sequence[Trial], read: Read[T]) -> Iterable[T]:
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

    def run(self, trials: Iterable[Trial], execute: Execute) -> Iterator[Search]:
        """The finished search of each trial. Every try is stored when it ends, so none runs twice."""
        searches = [self.search(trial) for trial in trials]
        total = max((len(rounds(search.folds)) for search in searches), default=0)
        for number in range(total):
            wanted = {each.key: each for search in searches for each in search.wanted(number)}
            known = {key: found for key, found in self.store.tries().items() if key in wanted}
            if self.retry_failed and number == 0:
                known = {key: found for key, found in known.items() if not found.reason}
            missing = [each for key, each in wanted.items() if key not in known]
            if missing:
                self.observer.searching(number + 1, total, len(missing))
                known |= dict(self._tries(missing, execute))
            for search in searches:
                search.tried |= {
                    each.key: known[each.key] for each in search.wanted(number) if each.key in known
                }
        yield from searches

    def search(self, trial: Trial) -> Search:
        """The search of a trial, before its first round."""
        task, composition = self.tasks[trial.task], self.compositions[trial.spec]
        recipe, n = parse_recipe(trial.recipe), tuning_size(trial.tuning)
        key = trial.task, trial.split_seed, trial.init_seed
        found = [
            self._checked(each, task) for each in configurations(self.registry, composition, recipe, n, *key)
        ]
        full_specs = [self._full_spec(each.composition, each.recipe, task.info.kind) for each in found]
        protocol, keeps_val = task.protocol, "val" in composition.uses
        return Search(trial, found, full_specs, protocol.folds, protocol.criterion, keeps_val)

    def _checked(self, configuration: Configuration, task: Task) -> Configuration:
        """A configuration, or why it cannot run on a task."""
        composition = configuration.composition
        reason = None if composition is None else composition.skip(task.info)
        if reason is None:
            return configuration
        return Configuration(configuration.number, None, configuration.recipe, f"skipped: {reason}")

    def _full_spec(self, composition: Composition | None, recipe: Recipe, kind: str) -> str | None:
        return None if composition is None else full_spec(self.registry, composition, recipe, kind)

    def _tries(self, missing: Sequence[Try], execute: Execute) -> Iterator[tuple[str, Tried]]:
        for trial, found in execute(missing, lambda trial, *sent: (trial, _tried(*sent))):
            self.store.keep_try(trial.key, found)
            self.observer.tried(trial, found)
            yield trial.key, found


def _tried(result: Outcome | Failure, split: SealedSplit) -> Tried:
    """What came of a try, scored by the default metric on the labels held out."""
    if isinstance(result, Failure):
        return Tried(reason=f"{result.kind}: {result.message}")
    seconds = result.seconds_fit + result.seconds_predict
    if reason := fault(result.predictions, split):
        return Tried(seconds=seconds, reason=f"{reason['kind']}: {reason['message']}")
    value = get_metric(DEFAULT_METRIC).function(result.predictions.astype(np.float64), split.test_y)
    return Tried(value, seconds) if value is not None else Tried(None, seconds, "the metric is undefined")
