"""Stand-ins for data, engine and metrics that take no time, to test the runner around them.

`install` puts them where the runner imports from. A worker runs `run_job` of this module, which
does what the name of the strategy says. Also a script: `fake_engine.py FOLDER SEEDS SECONDS` runs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np

from fsbench.errors import TaskError, UsageError
from fsbench.hookspecs import hookimpl
from fsbench.registry import Registry
from fsbench.strategy import Strategy
from fsbench.tasks.suites import Suite
from fsbench.types import TaskInfo, Trial

SAMPLES, CLASSES = 6, 3
TEST_Y = np.arange(SAMPLES)[None] % CLASSES
calls: list[str] = []
heard: list[str] = []


@dataclass(frozen=True)
class Erm(Strategy):
    name: ClassVar[str] = "erm"


@dataclass(frozen=True)
class Needy(Strategy):
    name: ClassVar[str] = "needy"

    def skip(self, task: TaskInfo) -> str | None:
        return "needs source data"


def strategy(spec: str) -> type[Strategy]:
    return dataclass(frozen=True)(type(spec.title(), (Strategy,), {"name": spec, "__annotations__": {}}))


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    return [Erm, Needy, *map(strategy, ["nan", "shape", "double", "nothing", "reason", "crash", "slow"])]


@hookimpl
def fsbench_trial_finished(record) -> None:
    heard.append(record.key)
    if record.spec == "double":
        raise ValueError("a hook that fails")


@dataclass(frozen=True)
class Task:
    text: str

    @property
    def info(self) -> TaskInfo:
        return TaskInfo(self.text, "kshot", "table", (4,), CLASSES)

    @property
    def protocol(self) -> SimpleNamespace:
        return SimpleNamespace(exhaustive=False)


class FakeSuite(Suite):
    def missing(self) -> list[str]:
        return []

    def left_out(self) -> list[str]:
        return []

    def parse(self, available: bool = False) -> tuple[Task, ...]:
        return tuple(map(Task, self.tasks))


@dataclass(frozen=True)
class Job:
    trial: Trial
    split_path: str
    device: str
    features: str = ""


@dataclass(frozen=True)
class Outcome:
    predictions: np.ndarray | None = None
    fields: dict = field(default_factory=dict)
    reason: dict | None = None


def fingerprint(task: Task, seed: int) -> str:
    return f"{task.text}/{seed}/{os.environ.get('FAKE_DATA', 'one')}"


def draw_split(task: Task, seed: int):
    calls.append(f"draw {task.text} {seed}")
    if task.text == "impossible":
        raise TaskError("impossible: k=9 is more than the class has")
    return SimpleNamespace(fingerprint=fingerprint(task, seed))


def materialise(task: Task, seed: int, folder: Path):
    calls.append(f"materialise {task.text} {seed}")
    folder.mkdir()
    (folder / "x.npy").write_bytes(b"0" * 100)
    return SimpleNamespace(
        path=str(folder), fingerprint=fingerprint(task, seed), test_y=TEST_Y, num_classes=CLASSES
    )


@dataclass(frozen=True)
class Preflight:
    device: str
    networks: tuple = ()


def preflight(wanted: Preflight) -> tuple[str, str]:
    if wanted.device not in ("auto", "cpu"):
        raise UsageError(f"device {wanted.device!r}: expected cpu")
    return "cpu", "a fake"


def init_worker(modules, path) -> None:
    sys.path[:] = path


def logits(trial: Trial) -> np.ndarray:
    return np.random.default_rng(int(trial.key[:8], 16)).random((1, SAMPLES, CLASSES), dtype=np.float32)


def run_job(job: Job) -> Outcome:
    assert (Path(job.split_path) / "x.npy").exists()
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    values = logits(job.trial)
    act: dict[str, Callable[[], object]] = {
        "nan": lambda: values * np.nan,
        "shape": lambda: values[0],
        "nothing": lambda: None,
        "double": lambda: values.astype(np.float64),
        "crash": lambda: os._exit(7),
        "slow": lambda: time.sleep(1000),
    }
    if job.trial.spec == "reason":
        return Outcome(None, {"n_train": 5}, {"kind": "ValueError", "message": "m", "traceback": "t"})
    return Outcome(act.get(job.trial.spec, lambda: values)(), {"n_train": 5, "seconds_fit": 0.5})


def modules() -> dict[str, ModuleType]:
    """The modules that the runner will find instead of the real ones."""

    def score(logits, y):
        return {"accuracy": float((logits.argmax(-1) == y).mean())}

    def module(name: str, **names) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(names)
        return made

    def suite(names: str, split_seeds: int) -> FakeSuite:
        return FakeSuite("fake", 1, "", tuple(each.strip() for each in names.split(",")), split_seeds)

    found = [
        module(
            "fsbench.tasks.suites",
            load_suite=lambda name: suite("a,b", 2),
            ad_hoc=lambda names: suite(names, 3),
        ),
        module("fsbench.tasks.splits", draw_split=draw_split, materialise=materialise),
        module(
            "fsbench.engine.worker",
            Job=Job,
            Outcome=Outcome,
            init_worker=init_worker,
            run_job=run_job,
            Preflight=Preflight,
            preflight=preflight,
        ),
        module("fsbench.metrics", score=score, resolution=lambda y: {}),
    ]
    return {each.__name__: each for each in found}


def registry() -> Registry:
    """A registry of the strategies of this module only."""
    made = Registry()
    made.load("fake", lambda: sys.modules[__name__], ("fake", "1"))
    return made


def main() -> None:
    import fake_engine

    from fsbench import runner
    from fsbench.executors import launch

    folder, seeds, seconds = sys.argv[1:]
    os.environ["FAKE_SECONDS"] = seconds
    launch._PRELOAD = ["numpy", "fake_engine", "fsbench.executors.pool"]
    sys.modules.update(fake_engine.modules())
    runner.get_registry = fake_engine.registry
    results = runner.run("erm,reason", tasks="a,b", seeds=int(seeds), jobs=2, results=folder)
    print(len(results.records), results.interrupted)


if __name__ == "__main__":
    main()
