"""The path of one command: plan, draw, execute, judge, store."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fsbench import interrupts
from fsbench.columns import of_records
from fsbench.composition import Composition
from fsbench.datasets.known import dataset_info
from fsbench.draw import Splits
from fsbench.errors import UsageError
from fsbench.execute import Execution, MakeExecutor, isolation, local
from fsbench.failure import Failure
from fsbench.families import CORE
from fsbench.identity import full_spec, metric_marks, versions
from fsbench.jobs import Outcome, Place, check_device
from fsbench.judge import failed, judge
from fsbench.plan import Plan, joined_plans, make_plan
from fsbench.progress import Observer, default_observer
from fsbench.progress.log import RunLog, logged
from fsbench.record import Record, Trial
from fsbench.registry import Registry, get_registry
from fsbench.request import Request, Strategies, check_positive, read_request
from fsbench.results import Results
from fsbench.same_data import SameData, check_records
from fsbench.scratch import Scratch, sweep
from fsbench.searching import Execute, Read, Searching
from fsbench.spec import Value
from fsbench.store import Judgement, Store
from fsbench.tuning.search import Search
from fsbench.tuning.space import space_mark
from fsbench.tuning.tuned import Tuning
from fsbench.types import Recipe
from fsbench.versions import installed
from fsbench.words import timestamp

if TYPE_CHECKING:
    from fsbench.own import OwnData
    from fsbench.tasks.expressions import Task
    from fsbench.tasks.splits import SealedSplit

T = TypeVar("T")
DEFAULT_RESULTS = "fsbench-results"
FEATURES = ".features"


def run(
    plugins: Strategies = CORE,
    *,
    suite: str | None = None,
    tasks: str | Sequence[str] | None = None,
    data: str | Path | OwnData | None = None,
    seeds: int | Sequence[int] | None = None,
    init_seeds: int | Sequence[int] = 1,
    jobs: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    results: str | Path = DEFAULT_RESULTS,
    recipe: str | Mapping[str, Value] | None = None,
    tune: int | None = None,
    sampler: str | None = None,
    criterion: str | None = None,
    retry_failed: bool = False,
    available: bool = False,
    strict: bool = False,
    baseline: Strategies | None = None,
    observer: Observer | None = None,
    executor: MakeExecutor = local,
    only: Callable[[Mapping[Trial, str | None]], Collection[Trial]] = lambda trials: trials,
) -> Results:
    """Run strategies on tasks and return the records; trials in the results folder are not run again.

    However a run ends, the records of finished trials are kept, and the next run continues from there.

    Args:
        plugins: Specs in one or several texts; `core`, the default, is each of a short list by itself, `all`
            each of all strategies. A strategy may also be an instance or a class (`[Mine(rate=0.5), "erm"]`)
            from a module that can be imported. Plain training (`erm`) and the baselines always run.
        suite: The name of the suite whose tasks are run; `starter-v2` by default.
        tasks: Tasks instead of a suite, in one or several texts.
        data: The user's own data: a path, or `OwnData`, which says how to read it. The task is then
            `holdout(NAME)`, unless `tasks` on this data are given; ten split seeds if that takes about two
            minutes at most, otherwise five.
        seeds: How many split seeds, or which; the suite's by default.
        init_seeds: How many initialisation seeds, or which.
        jobs: The number of worker processes; by default one for each core, at most four on a GPU.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        timeout: Time limit of a trial in seconds; the suite's by default, or 300.
        results: The results folder; it is created if necessary.
        recipe: What to change in every task's recipe: `"steps=100"` or `{"steps": 100}`.
        tune: The number of configurations among which each strategy chooses by a search that sees no test
            sample; without it, specs and the recipe are used as they are, but for rows such as
            `tuned(erm, n=8)`.
        sampler: What draws these configurations: `random`, the default, or `tpe`.
        criterion: What compares them on tasks without labels of their target: `infomax`, on unlabelled
            inputs; by default the protocol's own, which is source validation on `shift`.
        retry_failed: Whether to run failed trials again.
        available: Whether to leave out tasks whose data is not on this machine.
        strict: Whether a plugin that cannot be loaded is an error.
        baseline: What strategies are compared with besides plain training; by default all strategies that
            are declared as baselines. `"erm"` means no other.
        observer: Receives the events of the run; by default a display in a notebook, and otherwise nobody.
        executor: Makes the executor of the trials; the processes of this machine by default.
        only: Gets all trials, each with the reason not to run it or None, and returns those of this run.

    Returns:
        The records of the whole request, new and stored ones. After Ctrl-C, the records so far, marked
        `interrupted`.

    Raises:
        UsageError: What is asked for cannot be run.
        AbsentData: Data of a task is not on this machine, and `available` is not set.
        DataError: Data is damaged, or a split is not the one that the suite names.
        StoreError: The results folder cannot be used, or holds results of other data.
        PluginError: A plugin keeps workers from starting, or cannot be loaded and `strict` is set.
        WorkerError: No worker can start.
    """
    given = locals()
    with logged(observer or default_observer(), _arguments(given)) as (observer, log):
        observer.doing("reading what is asked for")
        registry = _loaded(strict, log)
        check_positive(jobs=jobs)
        check_device(device)
        asked = read_request(
            registry,
            observer,
            plugins=plugins,
            suite=suite,
            tasks=tasks,
            data=data,
            seeds=seeds,
            init_seeds=init_seeds,
            recipe=recipe,
            timeout=timeout,
            available=available,
            baseline=baseline,
            tuning=_tuning(tune, sampler=sampler, criterion=criterion),
        )
        with Store(results) as store:
            log.open(store.folder)
            walk = _planned(asked, store, registry, observer, retry_failed, only)
            interrupted = walk.go(executor, jobs, device)
        found = Results(
            tuple(walk.records_of_plan()),
            store.path,
            walk.plan.total,
            interrupted,
            tuple(asked.suite.left_out()),
            asked.baseline,
        )
        if interrupted:
            log.interrupted(found.done, found.total)
        return found


def _loaded(strict: bool, log: RunLog) -> Registry:
    """The registry; plugins that could not be loaded go to the log, or are an error if `strict` is set."""
    registry = get_registry()
    if strict:
        registry.check_loaded()
    for failure in registry.failures:
        log.warned(failure.said)
    return registry


def _arguments(given: Mapping[str, object]) -> dict[str, object]:
    """The arguments of `run` that say what to run, but for those with their default."""
    defaults = {name: each.default for name, each in inspect.signature(run).parameters.items()}
    others = {name: value for name, value in given.items() if repr(value) != repr(defaults[name])}
    return {name: value for name, value in others.items() if name not in ("observer", "executor", "only")}


def _tuning(n: int | None, **given: str | None) -> Tuning | None:
    """The search that every row begins with, if one is asked for. Raises UsageError."""
    arguments = {name: value for name, value in given.items() if value is not None}
    if n is None and arguments:
        raise UsageError(
            f"{' and '.join(arguments)} given without the number of configurations (tune=8, --tune 8); rows "
            f"such as tuned(erm, n=8) take it as an argument"
        )
    return None if n is None else Tuning(n, **arguments)


def _planned(
    asked: Request,
    store: Store,
    registry: Registry,
    observer: Observer,
    retry_failed: bool,
    only: Callable[[Mapping[Trial, str | None]], Collection[Trial]],
) -> _Walk:
    """The walk through what is asked for and not stored. Raises DataError or StoreError for other data."""
    observer.doing(f"reading the results in {store.folder}")
    stored = {record.key: record for record in store.records()}
    same = SameData(asked.suite, stored.values(), store.path)
    for name in asked.own:
        same.check_own(name)
    store.keep_own(map(dataset_info, asked.own))
    plan = _plan(asked, registry, stored, retry_failed, only)
    walk = _Walk(asked, plan, store, same, registry, observer, retry_failed, stored)
    known = walk.records_of_plan()
    check_records(of_records(known, ()), asked.suite, store.path)
    observer.stored(known)
    return walk


def _plan(
    asked: Request,
    registry: Registry,
    stored: Mapping[str, Record],
    retry_failed: bool,
    only: Callable[[Mapping[Trial, str | None]], Collection[Trial]],
) -> Plan:
    """The plan of a request: that of each search, and of the rows without one."""
    statuses = {key: record.status for key, record in stored.items()}
    return joined_plans(
        [
            make_plan(
                asked.tasks,
                others,
                baseline=plain,
                split_seeds=asked.split_seeds,
                init_seeds=asked.init_seeds,
                suite_recipe=asked.suite.recipe,
                recipe_overrides=asked.changes,
                identify=functools.partial(_identify, registry, tuning),
                tuning=tuning,
                only=only,
                statuses=statuses,
                retry_failed=retry_failed,
            )
            for tuning, (plain, *others) in asked.rows.items()
        ]
    )


def _identify(registry: Registry, tuning: str, composition: Composition, recipe: Recipe, kind: str) -> str:
    return full_spec(registry, composition, recipe, kind, space_mark(composition) if tuning else "")


@dataclass
class _Walk:
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

        for judged in execute(tuple(asked), read):
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
    ) -> Iterator[T]:
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
        self.observer.finished(record)
        for plugin, listener in self.listeners:
            try:
                listener(record=record)
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
