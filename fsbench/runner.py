"""`run`, the path of one command: plan, draw, execute, judge, store."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench import interrupts
from fsbench.columns import of_records
from fsbench.composition import Composition
from fsbench.datasets.known import dataset_info
from fsbench.errors import UsageError
from fsbench.execute import MakeExecutor, local
from fsbench.families import CORE
from fsbench.files import as_path
from fsbench.identity import full_spec
from fsbench.jobs import check_device
from fsbench.looks import ERROR
from fsbench.plan import Plan, joined_plans, make_plan
from fsbench.progress import Observer, default_observer
from fsbench.progress.log import RunLog, logged
from fsbench.record import Record, Trial
from fsbench.registry import Registry, get_registry
from fsbench.request import Request, Strategies, check_positive, read_request
from fsbench.results import Results
from fsbench.running import Running
from fsbench.same_data import SameData, check_records
from fsbench.spec import Value
from fsbench.store import Store
from fsbench.tuning.space import space_mark
from fsbench.tuning.tuned import Tuning
from fsbench.types import Recipe

if TYPE_CHECKING:
    from fsbench.own import OwnData

DEFAULT_RESULTS = "fsbench-results"
_HOW = ("observer", "executor", "only", "error")


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
    only: Callable[[Mapping[Trial, str | None]], Iterable[Trial]] = lambda trials: trials,
    error: float = ERROR,
) -> Results:
    """Run strategies on tasks and return the records; trials in the results folder are not run again.

    However a run ends, the records of finished trials are kept, and the next run continues from there.

    Args:
        plugins: Specs in one or several texts; `core`, the default, is each of a short list by itself, `all`
            each of all strategies. A strategy may also be an instance or a class (`[Mine(rate=0.5), "erm"]`)
            from a module that can be imported. Plain training (`erm`) and the baselines always run.
        suite: The name of the suite whose tasks are run; `starter-v3` by default.
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
        only: Gets all trials, each with the reason not to run it or None, and returns those of this run, in
            the order of running.
        error: The probability of any wrong verdict by which differences are judged; the forecast for the
            user's own data depends on it.

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
        folder = as_path("results", results)
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
            error=error,
        )
        with Store(folder) as store:
            log.open(store.folder)
            running = _planned(asked, store, registry, observer, retry_failed, only)
            interrupted = running.go(executor, jobs, device)
        found = Results(
            tuple(running.records_of_plan()),
            store.path,
            running.plan.total,
            interrupted,
            tuple(asked.suite.left_out()),
            asked.baseline,
        )
        if interrupted:
            log.interrupted(found.done, found.total)
    if interrupted:
        interrupts.pass_on()
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
    return {name: value for name, value in others.items() if name not in _HOW}


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
    only: Callable[[Mapping[Trial, str | None]], Iterable[Trial]],
) -> Running:
    """The run of what is asked for and not stored. Raises DataError or StoreError for other data."""
    observer.doing(f"reading the results in {store.folder}")
    stored = {record.key: record for record in store.records()}
    same = SameData(asked.suite, store.fingerprints(stored.values()), store.path)
    for name in asked.own:
        same.check_own(name)
    store.keep_own(map(dataset_info, asked.own))
    plan = _plan(asked, registry, stored, retry_failed, only)
    to_run = {trial.task for trial in plan.trials}
    same.check_plugins(task.text for task in asked.tasks if task.text not in to_run)
    running = Running(asked, plan, store, same, registry, observer, retry_failed, stored)
    known = running.records_of_plan()
    check_records(of_records(known, ()), asked.suite, store.path)
    observer.stored(known)
    return running


def _plan(
    asked: Request,
    registry: Registry,
    stored: Mapping[str, Record],
    retry_failed: bool,
    only: Callable[[Mapping[Trial, str | None]], Iterable[Trial]],
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
