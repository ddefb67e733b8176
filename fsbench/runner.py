"""The path of one command: plan, splits, workers, scores, store."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.composition import BASELINE, Composition
from fsbench.engine.device import check_name
from fsbench.errors import BadPrediction, NonFinite, StoreError, TrialError, UsageError
from fsbench.failure import Failure
from fsbench.plan import Plan, make_plan
from fsbench.progress import Observer
from fsbench.recipes.recipe import parse_overrides
from fsbench.registry import Registry, extra_modules, get_registry
from fsbench.request import (
    check_positive,
    check_splits,
    check_stored,
    choose_tasks,
    joined,
    own_tasks,
    read_data,
    seed_list,
)
from fsbench.results import Results
from fsbench.scratch import Scratch, sweep
from fsbench.spec import Value
from fsbench.store import Store
from fsbench.types import Record, Trial
from fsbench.versions import installed

if TYPE_CHECKING:
    from fsbench.engine.worker import Job, Outcome
    from fsbench.own import OwnData
    from fsbench.tasks.expressions import Task
    from fsbench.tasks.splits import SealedSplit
    from fsbench.tasks.suites import Suite

DEFAULT_RESULTS = "fsbench-results"
FEATURES = ".features"
DEFAULT_TIMEOUT = 300.0
_DEVICE_SECONDS = 120.0


def run(
    plugins: str | Sequence[str] = "all",
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
    retry_failed: bool = False,
    available: bool = False,
    strict: bool = False,
    observer: Observer | None = None,
) -> Results:
    """Run strategies on tasks, do only what the results folder has not, and return the records.

    `plugins` is `all` or specs, in one text or several; the baseline always runs. `suite` names the tasks
    (starter-v1 by default) or `tasks` gives them in the same way. `data` is the user's own (`OwnData`
    says how to read them): the task is then `holdout(NAME)`, at five split seeds. `seeds` and
    `init_seeds` are how many split and initialisation seeds, or which. `jobs` is the number of worker
    processes, `timeout` the seconds that a trial may take (the suite's by default, or 300), `recipe`
    what to change in every task's recipe. A failed trial is kept as such and tried again only with
    `retry_failed`; a plugin that cannot be loaded is fatal only with `strict`. `available` leaves the
    tasks out whose data is not here; without it, absent data is an AbsentData error before anything runs.

    Ctrl-C stops the workers and returns what there is, marked `interrupted`. Raises UsageError for
    what cannot be run, StoreError if the results folder cannot be used or holds results of other
    data, PluginError if no worker can start.
    """
    registry, observer = get_registry(), observer or Observer()
    if strict:
        registry.check_loaded()
    check_positive(jobs=jobs, timeout=timeout)
    check_name(device)
    own = None if data is None else read_data(data, suite, observer)
    named = None if tasks is None else joined(tasks)
    chosen = choose_tasks(suite, named) if own is None else own_tasks(own, named)
    ready = {task.text: task for task in chosen.parse(available)}
    if left_out := chosen.left_out():
        observer.left_out(left_out, chosen.missing())
    compositions = {c.text: c for c in (*registry.parse(BASELINE), *registry.parse(joined(plugins)))}
    split_seeds = seed_list("seeds", chosen.split_seeds if seeds is None else seeds)
    changes = parse_overrides(chosen.recipe) | parse_overrides(recipe)
    limit = timeout or chosen.timeout or DEFAULT_TIMEOUT
    with Store(results) as store:
        if own is not None:
            check_stored(store.records(), own, store.path)
        going = _Run(store, registry, chosen, ready, compositions, observer, limit)
        going.make_plan(split_seeds, seed_list("init_seeds", init_seeds), changes, retry_failed)
        interrupted = going.execute(jobs, device)
        return going.results(interrupted)


@dataclass
class _Run:
    """One run: its plan, its workers, its records."""

    store: Store
    registry: Registry
    suite: Suite
    tasks: Mapping[str, Task]
    compositions: Mapping[str, Composition]
    observer: Observer
    timeout: float
    plan: Plan = field(init=False)
    hardware: str = ""
    splits: dict[tuple[str, int], SealedSplit] = field(default_factory=dict)

    def make_plan(
        self,
        split_seeds: tuple[int, ...],
        init_seeds: tuple[int, ...],
        changes: Mapping[str, Value],
        retry_failed: bool,
    ) -> None:
        """Plan what the store has not."""
        statuses = self.store.statuses()
        baseline, *others = self.compositions.values()
        self.plan = make_plan(
            self.tasks.values(),
            others,
            baseline=baseline,
            split_seeds=split_seeds,
            init_seeds=init_seeds,
            recipe_overrides=changes,
            statuses=statuses,
            retry_failed=retry_failed,
        )

    def results(self, interrupted: bool) -> Results:
        """The records of the plan that the store has, in the plan's order, all of the suite's splits."""
        found = {record.key: record for record in self.store.records()}
        records = tuple(found[key] for key in self.plan.keys if key in found)
        check_splits(records, self.suite, self.store.path)
        left_out = tuple(self.suite.left_out())
        return Results(records, self.store.path, self.plan.total, interrupted, left_out)

    def execute(self, workers: int | None, device: str) -> bool:
        """Run every trial of the plan and store its record; whether it was interrupted."""
        from fsbench.executors.launch import warm_up

        if not self.plan.trials:
            self._store_skipped()
            sweep(self.store)
            self.observer.complete(self.plan)
            return False
        try:
            warm_up()
            self._check_data()
            with Scratch(self.store) as scratch:
                name = self._find_device(device, scratch.path)
                self._store_skipped()
                self.observer.planned(self.plan)
                self._work(scratch.path, workers, name)
        except KeyboardInterrupt:
            return True
        finally:
            self.observer.ended()
        return False

    def _store_skipped(self) -> None:
        """Store what cannot run with its reason."""
        statuses = self.store.statuses()
        for record in self.plan.skipped:
            if statuses.get(record.key) != "skipped":
                self.store.commit(replace(record, created=_now()))

    def _check_data(self) -> None:
        """Draw every split, so that a task that cannot be had ends the run before it begins.

        One stored split of each task is drawn again as well: data that was replaced gives another one.
        Raises DataError where a split is not the suite's, StoreError where the store holds records of
        other data under the same name.
        """
        from fsbench.tasks.splits import draw_split

        wanted = dict.fromkeys((t.task, t.split_seed) for t in self.plan.trials)
        for task, seed in wanted:
            self.suite.check(task, seed, draw_split(self.tasks[task], seed).fingerprint)
        stored = {r.task: r for r in self.store.records() if r.split_fingerprint}
        for task in dict.fromkeys(task for task, _ in wanted if task in stored):
            known = stored[task]
            drawn = draw_split(self.tasks[task], known.split_seed).fingerprint
            if known.split_fingerprint != drawn:
                raise StoreError(
                    f"{self.store.path} holds results of {task} on other data (split {known.split_seed} was "
                    f"{known.split_fingerprint[:12]}, is now {drawn[:12]}); they do not mix: "
                    "name another folder with --results"
                )

    def _find_device(self, device: str, folder: Path) -> str:
        """The device that a name means, as a worker sees it: the parent does without torch.

        The worker builds the networks of the plan too. Raises UsageError for what no trial could have.
        """
        from fsbench.engine.worker import Preflight, init_worker, preflight
        from fsbench.executors.pool import run_jobs

        networks: dict[tuple[str, tuple[int, ...], int], str] = {}
        for trial in self.plan.trials:
            info = self.tasks[trial.task].info
            networks.setdefault((trial.recipe, info.input_shape, info.num_classes), trial.task)
        stream = run_jobs(
            preflight,
            [Preflight(device, tuple((*network, task) for network, task in networks.items()))],
            workers=1,
            timeout=_DEVICE_SECONDS,
            logs=folder,
            initializer=init_worker,
            initargs=_init_arguments(),
        )
        ((_, found),) = stream
        if isinstance(found, Failure):
            raise UsageError(found.message)
        name, self.hardware = found
        return name

    def _work(self, folder: Path, workers: int | None, device: str) -> None:
        from fsbench.engine.worker import init_worker, run_job
        from fsbench.executors.pool import default_workers, run_jobs

        remaining = Counter((t.task, t.split_seed) for t in self.plan.trials)
        stream = run_jobs(
            run_job,
            self._jobs(folder, device),
            workers=workers or default_workers(device),
            timeout=self.timeout,
            logs=folder,
            initializer=init_worker,
            initargs=_init_arguments(),
            on_start=lambda job: self.observer.started(job.trial),
            apart=lambda job: (job.trial.task, job.trial.split_seed),
        )
        with contextlib.closing(stream):
            for job, result in stream:
                trial, group = job.trial, (job.trial.task, job.trial.split_seed)
                record, predictions = self._judge(trial, result, self.splits[group])
                self.store.commit(record, predictions)
                self._tell(record)
                remaining[group] -= 1
                if not remaining[group]:
                    _remove_split(self.splits.pop(group))

    def _tell(self, record: Record) -> None:
        self.observer.finished(record)
        try:
            self.registry.hook.fsbench_trial_finished(record=record)
        except Exception as error:  # noqa: BLE001 - a stranger's hook may raise anything; the record is stored
            warnings.warn(f"a plugin's fsbench_trial_finished raised {error!r}", RuntimeWarning, stacklevel=2)

    def _jobs(self, folder: Path, device: str) -> Iterator[Job]:
        """The jobs in order; a split is materialised when the first job on it comes up."""
        from fsbench.engine.worker import Job
        from fsbench.tasks.splits import materialise

        for trial in self.plan.trials:
            group = trial.task, trial.split_seed
            if group not in self.splits:
                path = folder / f"split-{trial.key}"
                self.splits[group] = materialise(self.tasks[trial.task], trial.split_seed, path)
            features = str(self.store.folder / FEATURES)
            yield Job(trial, str(self.splits[group].path), device, features)

    def _judge(
        self, trial: Trial, result: Outcome | Failure, split: SealedSplit
    ) -> tuple[Record, np.ndarray | None]:
        """The record of what a worker sent, scored against the labels that it has not seen."""
        from fsbench.metrics import resolution, score

        composition = self.compositions[trial.spec]
        known: dict[str, Any] = {
            "uses": tuple(sorted(composition.uses)),
            "device": self.hardware,
            "versions": self.registry.versions(composition),
            "split_fingerprint": split.fingerprint,
            "created": _now(),
        }
        if isinstance(result, Failure):
            known["versions"] = installed() | known["versions"]
            return Record(**vars(trial), **known, status="failed", reason=asdict(result)), None
        known |= result.fields
        reason = result.reason or _fault(result.predictions, split)
        if reason is not None or result.predictions is None:
            return Record(**vars(trial), **known, status="failed", reason=reason), None
        known |= {"metrics": score(result.predictions, split.test_y), "resolution": resolution(split.test_y)}
        if self.tasks[trial.task].protocol.exhaustive:
            known["overlap"] = known["n_test"] / known["n_train"]
        return Record(**vars(trial), **known, status="ok"), result.predictions


def _fault(predictions: object, split: SealedSplit) -> dict[str, str] | None:
    """What is wrong with predictions that should be finite float logits `[E, M, C]`, or None."""
    error: TrialError | None = None
    expected = (*split.test_y.shape, split.num_classes)
    if not isinstance(predictions, np.ndarray) or predictions.dtype != np.float32:
        kind = getattr(predictions, "dtype", type(predictions).__name__)
        error = BadPrediction(f"the worker returned {kind}; expected float32 logits")
    elif predictions.shape != expected:
        shape = list(predictions.shape)
        error = BadPrediction(f"the worker returned shape {shape}; expected {list(expected)}")
    elif not np.isfinite(predictions).all():
        error = NonFinite("the worker returned logits that are NaN or infinite")
    return {"kind": type(error).__name__, "message": str(error)} if error else None


def _init_arguments() -> tuple[list[str], list[str]]:
    """What a worker is started with: the plugin modules and the import path."""
    return extra_modules(), [os.getcwd() if part == "" else part for part in sys.path]


def _remove_split(split: SealedSplit) -> None:
    import shutil

    # On some systems a folder that a worker has mapped stays; it goes with the run's scratch folder.
    shutil.rmtree(split.path, ignore_errors=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
