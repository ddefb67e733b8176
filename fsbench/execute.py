"""Hands the trials of a run to an executor: makes the jobs and finds the device."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from fsbench.draw import Splits
from fsbench.errors import FsbenchError, UsageError
from fsbench.executors.local import LocalExecutor, default_workers
from fsbench.executors.protocol import Executor
from fsbench.failure import Failure
from fsbench.jobs import PREFLIGHT, TRIALS, Job, Outcome, Place, Preflight, Work
from fsbench.record import Trial
from fsbench.registry import get_registry

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task

J = TypeVar("J")
R = TypeVar("R")

_DEVICE_SECONDS = 120.0


class MakeExecutor(Protocol):
    """Makes an executor for some work: `local`, or another one.

    It runs at most `workers` jobs at once (None: as many as suit the device), each for at most `timeout`
    seconds. `splits` is the folder that contains the split of a job under its name, `features` the folder for
    features of frozen bodies. Jobs for which `shared_by` gives the same value run in one process; without it,
    each job has its own.
    """

    def __call__(
        self,
        work: Work[J, R],
        *,
        workers: int | None,
        device: str,
        timeout: float,
        splits: Path,
        features: Path,
        shared_by: Callable[[J], Hashable] | None = None,
    ) -> Executor[J, R]:
        """Make the executor."""
        ...


def local(
    work: Work[J, R],
    *,
    workers: int | None,
    device: str,
    timeout: float,
    splits: Path,
    features: Path,
    shared_by: Callable[[J], Hashable] | None = None,
) -> LocalExecutor[J, R]:
    """An executor in processes of this machine; workers on a CPU see no GPU, which they could not share."""
    return LocalExecutor(
        work.function,
        read=work.read,
        largest=work.largest,
        workers=workers or default_workers(device),
        timeout=timeout,
        prepare="fsbench.engine.worker:prepare",
        arguments=(get_registry().modules, str(splits.absolute()), str(features.absolute()), device),
        shared_by=shared_by,
        environment={"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {},
    )


def isolation(device: str) -> str:
    """What gets its own process: "trial" on a CPU; "split" on a GPU, where processes start slowly."""
    return "trial" if device == "cpu" else "split"


@dataclass(frozen=True)
class Execution:
    """How a run's trials are executed; `folder` is the run's own, `features` keeps features between runs."""

    make: MakeExecutor
    workers: int | None
    timeout: float
    folder: Path
    features: Path

    def executor(
        self, work: Work[J, R], device: str, shared_by: Callable[[J], Hashable] | None = None
    ) -> Executor[J, R]:
        """An executor of some work on a device; `shared_by` is as for `MakeExecutor`."""
        return self.make(
            work,
            workers=self.workers,
            device=device,
            timeout=self.timeout,
            splits=self.folder,
            features=self.features,
            shared_by=shared_by,
        )

    def find_place(self, device: str, trials: Iterable[Trial], tasks: Mapping[str, Task]) -> Place:
        """Where trials will run, as found by a worker, because the parent does not import torch.

        The worker also builds the networks of the trials. Raises UsageError for settings with which no trial
        can succeed.
        """
        networks: dict[tuple[str, str, tuple[int, ...], int], str] = {}
        for trial in trials:
            info = tasks[trial.task].info
            networks.setdefault((trial.recipe, info.kind, info.input_shape, info.num_classes), trial.task)
        wanted = Preflight(device, tuple((*network, task) for network, task in networks.items()))
        one = replace(self, workers=1, timeout=_DEVICE_SECONDS)
        ((_, found),) = one.executor(PREFLIGHT, device).run([wanted])
        if isinstance(found, Failure):
            raise UsageError(found.message)
        return found

    def run(
        self,
        trials: Iterable[Trial],
        splits: Splits,
        device: str,
        on_start: Callable[[Trial], object],
    ) -> Generator[tuple[Trial, Outcome | Failure], None, None]:
        """Yield every trial when it ends, with what a worker sent or with its Failure.

        The split of a trial is drawn when its job is made. If it cannot be drawn, the running trials are
        finished before the error is raised, so that no result is lost. Closing the generator stops the
        running trials.
        """
        errors: list[FsbenchError] = []
        began: dict[str, float] = {}

        def start(job: Job) -> None:
            began[job.trial.key] = time.monotonic()
            on_start(job.trial)

        def jobs() -> Iterator[Job]:
            for trial in trials:
                try:
                    split = splits.of(trial)
                except FsbenchError as error:
                    errors.append(error)
                    return
                shape = (*split.test_y.shape, split.num_classes)
                yield Job(trial, Path(split.path).name, device, shape, split.val_y.shape[1])

        shared_by = None if isolation(device) == "trial" else _split_of
        executor = self.executor(TRIALS, device, shared_by)
        with contextlib.closing(executor.run(jobs(), start)) as stream:
            for job, result in stream:
                took = time.monotonic() - began.pop(job.trial.key)
                yield job.trial, replace(result, seconds=took) if isinstance(result, Failure) else result
        if errors:
            raise errors[0]


def _split_of(job: Job) -> Hashable:
    return job.split
