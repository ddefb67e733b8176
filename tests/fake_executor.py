"""An executor that computes nothing: the name of a strategy decides how its trials end.

Data, splits, scores and the store are real. Also a script: `fake_executor.py FOLDER SEEDS SECONDS [TUNE]`
runs 2 strategies on 2 tasks, each trial of so many seconds, tuned over so many configurations.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fsbench import runner
from fsbench.errors import FsbenchError
from fsbench.failure import Failure, describe
from fsbench.hookspecs import hookimpl
from fsbench.jobs import Job, Preflight
from fsbench.record import Record, Trial
from fsbench.registry import Registry
from fsbench.results import Results
from fsbench.strategy import Strategy
from fsbench.tasks.splits import open_split
from fsbench.types import TaskInfo

A, B = "kshot(wine, k=1)", "kshot(wine, k=2)"
CLASSES = 3
ODD = ("double2", "nan", "shape", "double", "nothing", "liar", "reason", "crash", "slow")
FAILURES = {
    "reason": Failure("ValueError", "m", "t"),
    "crash": Failure("Crash", "the worker ended with exit status 7"),
    "slow": Failure("TimeOut", "took longer than 1 s"),
}
heard: list[str] = []


@dataclass(frozen=True)
class Erm(Strategy):
    """The baseline, which always runs."""

    name: ClassVar[str] = "erm"


@dataclass(frozen=True)
class Needy(Strategy):
    """Never runs."""

    name: ClassVar[str] = "needy"

    def skip(self, task: TaskInfo) -> str | None:
        """The reason for the skip."""
        return "needs source data"


def strategy(spec: str) -> type[Strategy]:
    """A strategy with this name."""
    return dataclass(frozen=True)(type(spec.title(), (Strategy,), {"name": spec, "__annotations__": {}}))


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The strategies of this module."""
    return [Erm, Needy, *map(strategy, ODD)]


@hookimpl
def fsbench_trial_finished(record: Record) -> None:
    """Keep the keys of finished trials."""
    heard.append(record.key)


def registry() -> Registry:
    """A registry of the strategies of this module only."""
    made = Registry()
    made.load("fake", lambda: sys.modules[__name__], ("fake", "1"))
    return made


class FakeExecutor:
    """Answers one job after the other, in this process. `pause` is what each takes, in seconds."""

    made: ClassVar[list[FakeExecutor]] = []
    pause: ClassVar[float] = 0.0
    device: ClassVar[str] = "cpu"

    def __init__(self, work, **settings) -> None:
        self.work = work
        self.settings = settings
        self.jobs: list[Job] = []
        self.closed = False
        self.made.append(self)

    def run(self, jobs, on_start=lambda job: None) -> Iterator:
        """As `Executor.run`."""
        try:
            for job in jobs:
                self.jobs.append(job)
                on_start(job)
                time.sleep(self.pause)
                yield job, self.answer(job)
        finally:
            self.closed = True

    def answer(self, job: Job | Preflight):
        """What a worker would send."""
        if isinstance(job, Preflight):
            return self.work.read(job, {"device": self.device, "hardware": "a fake", "torch": "9.9"})
        if job.trial.spec in FAILURES:
            return FAILURES[job.trial.spec]
        try:
            return self.work.read(job, outcome(job, self.settings["splits"]))
        except FsbenchError as error:
            return describe(error)


def trials_run() -> int:
    """How many trials the executors made so far were given."""
    return sum(hasattr(job, "trial") for each in FakeExecutor.made for job in each.jobs)


def outcome(job: Job, splits: Path) -> dict:
    """Random logits, with the fault that the name of the strategy says."""
    values = logits(job.trial, open_split(str(splits / job.split)).test_x.shape[1])
    spoilt = {"nan": values * np.nan, "shape": values[0], "nothing": None, "double": values.astype("f8")}
    lies = {"uses": ["luck"], "n_train": 1, "split_fingerprint": "x", "versions": {"fsbench": "0"}}
    return {
        "predictions": spoilt.get(job.trial.spec, values),
        "train_accuracy": 1.0,
        "seconds_fit": 0.5,
        "seconds_predict": 0.25,
        "peak_memory": 9,
        "notes": ["noted"],
        "source_before": None,
        "source_after": None,
        "validation": None,
        **(lies if job.trial.spec == "liar" else {}),
    }


def logits(trial: Trial | Record, samples: int) -> np.ndarray:
    """The logits of a trial, `[1, M, 3]`."""
    return np.random.default_rng(int(trial.key[:8], 16)).random((1, samples, CLASSES), dtype=np.float32)


def run(folder: Path | str, plugins: str = "erm", tasks: str | None = A, **options) -> Results:
    """`fsbench.run` with the executor of this module."""
    return runner.run(plugins, tasks=tasks, results=folder, **{"executor": FakeExecutor, **options})


if __name__ == "__main__":
    runner.get_registry = registry
    FakeExecutor.pause = float(sys.argv[3])
    tune = int(sys.argv[4]) if len(sys.argv) > 4 else None
    found = run(sys.argv[1], "erm,reason", f"{A}, {B}", seeds=int(sys.argv[2]), tune=tune)
    print(len(found.records), found.interrupted)
