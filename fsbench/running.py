"""What comes after the plan of a run: draw, execute, judge and store."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from fsbench import interrupts
from fsbench.draw import Splits
from fsbench.execute import Execution, MakeExecutor, isolation
from fsbench.failure import Failure
from fsbench.identity import metric_marks, versions
from fsbench.jobs import Outcome, Place
from fsbench.judge import failed, judge
from fsbench.plan import Plan
from fsbench.progress import Observer
from fsbench.record import Record, Trial
from fsbench.registry import Registry
from fsbench.request import Request
from fsbench.same_data import SameData
from fsbench.scratch import Scratch, sweep
from fsbench.searching import Execute, Read, Searching
from fsbench.store import Judgement, Store
from fsbench.tuning.search import Search
from fsbench.versions import installed
from fsbench.words import timestamp

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task
    from fsbench.tasks.splits import SealedSplit

T = TypeVar("T")
FEATURES = ".features"


@dataclass
class Running:
    """Turns a plan into stored records, which it also keeps in `records`, by key."""

    asked: Request
    plan: Plan
    store: Store
    same: SameData
    registry: Registry
    observer: Observer
    retry_failed: bool
    records: dict[str, Record]
    known: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Before a split is drawn, so that plugin code meets no test labels in this process.
        here, compositions = installed(), self.asked.compositions
        codes = metric_marks(self.registry)
        kinds = {task.text: task.info.kind for task in self.asked.tasks}
        for spec, task, recipe in dict.fromkeys(map(_texts, self.plan.trials)):
            used = versions(self.registry, compositions[spec], task, recipe, kinds[task])
            uses = tuple(sorted(compositions[spec].uses))
            self.known[spec, task, recipe] = {
                "uses": uses,
                "baseline": compositions[spec].baseline,
                "versions": here | used,
                "metric_codes": codes,
            }
        self.listeners = self.registry.listeners()

    def records_of_plan(self) -> list[Record]:
        """The records so far of what is asked for."""
        return [self.records[key] for key in self.plan.keys if key in self.records]

    def go(self, make: MakeExecutor, workers: int | None, device: str) -> bool:
        """Run every trial of the plan and store its record; returns whether it was interrupted."""
        if not self.plan.trials:
            self._store_skipped()
            sweep(self.store)
            self.observer.complete(self.plan)
            return False
        try:
            with interrupts.heard(), Scratch(self.store) as scratch:
                features = self.store.folder / FEATURES
                execution = Execution(make, workers, self.asked.timeout, scratch.path, features)
                self._run_trials(execution, device)
        except KeyboardInterrupt:
            return True
        return False

    def _run_trials(self, execution: Execution, device: str) -> None:
        trials, tasks = self.plan.trials, {task.text: task for task in self.asked.tasks}
        self.observer.doing("starting workers, which import torch")
        place = execution.find_place(device, trials, tasks)
        self._store_skipped()
        execute = functools.partial(self._execute, execution, place.device, tasks)
        searches = self._searches(tasks, execute)
        self.observer.planned(self.plan)
        known = {trial: self._known_of(trial, place, searches.get(trial)) for trial in trials}
        finals = {trial: searches[trial].final() if trial in searches else trial for trial in trials}
        for trial, final in finals.items():
            if final is None:
                self._keep(failed(trial, searches[trial].failure(), known[trial]))
        asked = {final: trial for trial, final in finals.items() if final is not None}

        def read(final: Trial, result: Outcome | Failure, split: SealedSplit) -> Judgement:
            trial = asked[final]
            whole = searches[trial].with_cost(result) if trial in searches else result
            return judge(trial, whole, split, known[trial])

        with contextlib.closing(execute(tuple(asked), read)) as judgements:
            for judged in judgements:
                self._keep(judged)

    def _known_of(self, trial: Trial, place: Place, search: Search | None) -> dict[str, Any]:
        """What the parent knows of a trial's record."""
        known = self.known[_texts(trial)]
        versions = known["versions"] | {"torch": place.torch}
        here = {"device": place.hardware, "isolation": isolation(place.device)}
        tried = {} if search is None else {"search": search.describe()}
        return known | here | tried | {"versions": versions}

    def _searches(self, tasks: Mapping[str, Task], execute: Execute) -> dict[Trial, Search]:
        """The finished searches of tuned trials."""
        tuned = [trial for trial in self.plan.trials if trial.tuning]
        searching = Searching(
            self.registry, self.store, tasks, self.asked.compositions, self.observer, self.retry_failed
        )
        return {search.trial: search for search in searching.run(tuned, execute)}

    def _execute(
        self,
        execution: Execution,
        device: str,
        tasks: Mapping[str, Task],
        trials: Sequence[Trial],
        read: Read[T],
    ) -> Generator[T, None, None]:
        """Run trials; yields what `read` makes of each when it ends."""
        splits = Splits(trials, tasks, self.same, execution.folder)
        with contextlib.closing(execution.run(trials, splits, device, self.observer.started)) as stream:
            for trial, result in stream:
                found = read(trial, result, splits.of(trial))
                # Before a plugin hears of it: its test labels are gone with its last trial.
                splits.done(trial)
                yield found

    def _keep(self, judged: Judgement) -> None:
        record = self.store.commit(
            judged.record, judged.predictions, judged.influences, judged.drawn, judged.validated
        )
        self.records[record.key] = record
        self._tell_plugins(record)
        self.observer.finished(record)  # which may end the run

    def _tell_plugins(self, record: Record) -> None:
        """Call the hooks that hear of each stored record."""
        for plugin, listener in self.listeners:
            try:
                listener(record=copy.deepcopy(record))  # a hook observes, and changes no table
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's hook may raise anything
                self.observer.warned(
                    f"plugin {plugin}: fsbench_trial_finished raised {error!r}; the record is stored"
                )

    def _store_skipped(self) -> None:
        """Store a record, with the reason, of each trial that cannot run."""
        known = self.records
        new = [r for r in self.plan.skipped if r.key not in known or known[r.key].status != "skipped"]
        skipped = [replace(record, created=timestamp()) for record in new]
        if skipped:
            self.store.commit_all(skipped)
            self.records |= {record.key: record for record in skipped}


def _texts(trial: Trial) -> tuple[str, str, str]:
    return trial.spec, trial.task, trial.recipe
