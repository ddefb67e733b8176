"""The path of one command: plan, splits, workers, scores, store."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.composition import BASELINE, Composition
from fsbench.engine.recipe import parse_overrides
from fsbench.errors import BadPrediction, NonFinite, PluginError, StoreError, TrialError, UsageError
from fsbench.failure import Failure
from fsbench.plan import Plan, make_plan
from fsbench.progress import Observer
from fsbench.registry import Registry, extra_modules, get_registry
from fsbench.scratch import Scratch, sweep
from fsbench.spec import Value
from fsbench.store import Store
from fsbench.types import Record, Trial

if TYPE_CHECKING:
    import pandas as pd

    from fsbench.data.splits import SealedSplit
    from fsbench.data.suites import Suite
    from fsbench.data.tasks import Task
    from fsbench.engine.worker import Job, Outcome

DEFAULT_SUITE = "starter-v1"
DEFAULT_RESULTS = "fsbench-results"
DEFAULT_TIMEOUT = 300.0
_DEVICE_SECONDS = 120.0


@dataclass(frozen=True)
class Results:
    """What a run found: the records of its plan, in the plan's order, new ones and stored ones.

    `total` counts the trials of the plan that can run; an `interrupted` run has fewer records.
    `left_out` are the tasks that were not planned because their data is not here.
    """

    records: tuple[Record, ...]
    store_path: Path
    total: int = 0
    interrupted: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Record, ...]:
        """The records of trials that failed, each with its reason."""
        return tuple(r for r in self.records if r.status == "failed")

    @property
    def done(self) -> int:
        """How many trials have ended, well or not."""
        return sum(r.status != "skipped" for r in self.records)

    def leaderboard(self, metric: str = "balanced_accuracy") -> pd.DataFrame:
        """The leaderboard of these records as a data frame."""
        from fsbench.report.leaderboard import leaderboard

        return leaderboard(self.records, metric=metric).to_frame()


def run(
    plugins: str = "all",
    *,
    suite: str | None = None,
    tasks: str | None = None,
    seeds: int | Sequence[int] | None = None,
    init_seeds: int | Sequence[int] = 1,
    jobs: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    results: str | Path = DEFAULT_RESULTS,
    recipe: Mapping[str, Value] | None = None,
    retry_failed: bool = False,
    available: bool = False,
    strict: bool = False,
    observer: Observer | None = None,
) -> Results:
    """Run strategies on tasks, do only what the results folder has not, and return the records.

    `plugins` is `all` or comma-separated specs; the baseline always runs. `suite` names the tasks
    (starter-v1 by default) or `tasks` gives them as text. `seeds` and `init_seeds` are how many
    split and initialisation seeds, or which. `jobs` is the number of worker processes, `timeout`
    the seconds that a trial may take (the suite's by default, or 300), `recipe` what to change in
    every task's recipe. A failed trial is kept as such and tried again only with `retry_failed`; a
    plugin that cannot be loaded is fatal only with `strict`. `available` leaves the tasks out whose
    data is not here; without it, absent data is an AbsentData error before anything runs.

    Ctrl-C stops the workers and returns what there is, marked `interrupted`. Raises UsageError for
    what cannot be run, StoreError if the results folder cannot be used or holds results of other
    data, PluginError if no worker can start.
    """
    registry = get_registry()
    if strict and registry.failures:
        raise PluginError("; ".join(f"plugin {f.plugin}: {f.message}" for f in registry.failures))
    _check_positive(jobs=jobs, timeout=timeout)
    chosen = _choose_tasks(suite, tasks)
    ready = chosen.parse(available)
    observer = observer or Observer()
    if left_out := chosen.left_out():
        observer.left_out(left_out, chosen.missing())
    compositions = [*registry.parse(BASELINE), *registry.parse(plugins)]
    with Store(results) as store:
        statuses = store.statuses()
        plan = make_plan(
            ready,
            compositions[1:],
            baseline=compositions[0],
            split_seeds=_seed_list("seeds", chosen.split_seeds if seeds is None else seeds),
            init_seeds=_seed_list("init_seeds", init_seeds),
            recipe_overrides=parse_overrides(chosen.recipe) | dict(recipe or {}),
            statuses=statuses,
            retry_failed=retry_failed,
        )
        for record in plan.skipped:
            if statuses.get(record.key) != "skipped":
                store.commit(replace(record, created=_now()))
        going = _Run(
            store,
            plan,
            registry,
            chosen,
            {task.text: task for task in ready},
            {c.text: c for c in compositions},
            observer,
            timeout or chosen.timeout or DEFAULT_TIMEOUT,
        )
        interrupted = False
        if plan.trials:
            interrupted = going.execute(jobs, device)
        else:
            sweep(store)
        found = {record.key: record for record in store.records()}
        records = tuple(found[key] for key in plan.keys if key in found)
        return Results(records, store.path, plan.total, interrupted, tuple(left_out))


@dataclass
class _Run:
    """One run that has something to do."""

    store: Store
    plan: Plan
    registry: Registry
    suite: Suite
    tasks: Mapping[str, Task]
    compositions: Mapping[str, Composition]
    observer: Observer
    timeout: float
    hardware: str = ""
    splits: dict[tuple[str, int], SealedSplit] = field(default_factory=dict)

    def execute(self, workers: int | None, device: str) -> bool:
        """Run every trial of the plan and store its record; whether it was interrupted."""
        from fsbench.executors.launch import warm_up

        try:
            warm_up()
            self._check_data()
            with Scratch(self.store) as scratch:
                name = self._find_device(device, scratch.path)
                self.observer.planned(self.plan)
                self._work(scratch.path, workers, name)
        except KeyboardInterrupt:
            return True
        finally:
            self.observer.ended()
        return False

    def _check_data(self) -> None:
        """Draw every split, so that a task that cannot be had ends the run before it begins.

        Raises DataError where a split is not the suite's, StoreError where the store holds records of
        other data under the same name.
        """
        from fsbench.data.splits import draw_split

        stored = {(r.task, r.split_seed): r for r in self.store.records() if r.split_fingerprint}
        for task, seed in dict.fromkeys((t.task, t.split_seed) for t in self.plan.trials):
            drawn = draw_split(self.tasks[task], seed).fingerprint
            self.suite.check(task, seed, drawn)
            known = stored.get((task, seed))
            if known is not None and known.split_fingerprint != drawn:
                raise StoreError(
                    f"{self.store.path} holds results of {task} on other data (split "
                    f"{known.split_fingerprint[:12]}, now {drawn[:12]}); they do not mix: "
                    "name another folder with --results"
                )

    def _find_device(self, device: str, folder: Path) -> str:
        """The device that a name means, as a worker sees it: the parent does without torch."""
        from fsbench.engine.worker import describe_device, init_worker
        from fsbench.executors.pool import run_jobs

        stream = run_jobs(
            describe_device,
            [device],
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
        from fsbench.data.splits import materialise
        from fsbench.engine.worker import Job

        for trial in self.plan.trials:
            group = trial.task, trial.split_seed
            if group not in self.splits:
                path = folder / f"split-{trial.key}"
                self.splits[group] = materialise(self.tasks[trial.task], trial.split_seed, path)
            yield Job(trial, str(self.splits[group].path), device)

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
            known["versions"] = _installed() | known["versions"]
            return Record(**vars(trial), **known, status="failed", reason=asdict(result)), None
        known |= result.fields
        reason = result.reason or _fault(result.predictions, split)
        if reason is not None or result.predictions is None:
            return Record(**vars(trial), **known, status="failed", reason=reason), None
        known |= {"metrics": score(result.predictions, split.test_y), "resolution": resolution(split.test_y)}
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


def _installed() -> dict[str, str]:
    """Versions for the record of a worker that could not tell its own."""
    found = {"python": platform.python_version()}
    return found | {name: metadata.version(name) for name in ("fsbench", "numpy", "torch")}


def _remove_split(split: SealedSplit) -> None:
    import shutil

    # On some systems a folder that a worker has mapped stays; it goes with the run's scratch folder.
    shutil.rmtree(split.path, ignore_errors=True)


def _choose_tasks(suite: str | None, tasks: str | None) -> Suite:
    from fsbench.data.suites import ad_hoc, load_suite

    if suite is not None and tasks is not None:
        raise UsageError("a suite and tasks are both given; give one of them")
    return load_suite(suite or DEFAULT_SUITE) if tasks is None else ad_hoc(tasks)


def _seed_list(name: str, seeds: int | Sequence[int]) -> tuple[int, ...]:
    found = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not found or any(seed < 0 for seed in found):
        raise UsageError(f"{name}={seeds}: expected a number of at least 1, or seeds of at least 0")
    return found


def _check_positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise UsageError(f"{name}={value}: expected more than 0")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
