"""A run's trials handed to an executor: what a job is made of, and on which device it runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fsbench.draw import Splits
from fsbench.engine.worker import Job, Outcome, Preflight, init_worker, preflight, run_job
from fsbench.errors import FsbenchError, UsageError
from fsbench.executors.protocol import Executor, ignore
from fsbench.failure import Failure
from fsbench.registry import extra_modules
from fsbench.types import Trial

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task

J = TypeVar("J")
R = TypeVar("R")

_DEVICE_SECONDS = 120.0


class MakeExecutor(Protocol):
    """Makes an executor of a function: `LocalPool`, or that of another place.

    It runs at most `workers` jobs at once (None: as many as suit the device), each for at most `timeout`
    seconds; jobs for which `apart` gives different values never share a process. `logs` is a folder of the
    run's own.
    """

    def __call__(
        self,
        function: Callable[[J], R],
        *,
        workers: int | None,
        device: str,
        timeout: float,
        logs: Path,
        apart: Callable[[J], Hashable] = ignore,
    ) -> Executor[J, R]:
        """The executor of one function."""
        ...


class LocalPool:
    """Processes of this machine."""

    def __init__(
        self, function: Callable[[Any], Any], *, workers: int | None, device: str, **settings: Any
    ) -> None:
        self._function = function
        self._workers = workers
        self._device = device
        self._settings = settings

    def run(
        self, jobs: Iterable[Any], on_start: Callable[[Any], object] = ignore
    ) -> Generator[tuple[Any, Any], None, None]:
        """As `Executor.run`."""
        from fsbench.executors.pool import default_workers, run_jobs

        return run_jobs(
            self._function,
            jobs,
            workers=self._workers or default_workers(self._device),
            on_start=on_start,
            initializer=init_worker,
            initargs=(extra_modules(), [os.getcwd() if part == "" else part for part in sys.path]),
            **self._settings,
        )


@dataclass(frozen=True)
class Execution:
    """How a run's trials are executed. `folder` is the run's own, `features` that of features to keep."""

    make: MakeExecutor
    workers: int | None
    timeout: float
    folder: Path
    features: Path

    def find_device(self, device: str, trials: Iterable[Trial], tasks: Mapping[str, Task]) -> tuple[str, str]:
        """The device that a name means ("cuda:0", "cpu"), as a worker sees it, and its hardware's name.

        The worker builds the networks of the trials too. Raises UsageError for what no trial could have.
        """
        networks: dict[tuple[str, str, tuple[int, ...], int], str] = {}
        for trial in trials:
            info = tasks[trial.task].info
            networks.setdefault((trial.recipe, info.kind, info.input_shape, info.num_classes), trial.task)
        wanted = Preflight(device, tuple((*network, task) for network, task in networks.items()))
        executor = self.make(preflight, workers=1, device=device, timeout=_DEVICE_SECONDS, logs=self.folder)
        ((_, found),) = executor.run([wanted])
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
        """Yield every trial with what a worker sent, or with the Failure that it ended in, as they end.

        The split of a trial is drawn as its job is made. If that cannot be, what runs is waited for, and then
        the error is raised: nothing that was done is lost. Closing the generator stops what runs.
        """
        errors: list[FsbenchError] = []

        def jobs() -> Iterator[Job]:
            for trial in trials:
                try:
                    path = splits.of(trial).path
                except FsbenchError as error:
                    errors.append(error)
                    return
                yield Job(trial, path, device, str(self.features))

        executor = self.make(
            run_job,
            workers=self.workers,
            device=device,
            timeout=self.timeout,
            logs=self.folder,
            apart=lambda job: (job.trial.task, job.trial.split_seed),
        )
        with contextlib.closing(executor.run(jobs(), lambda job: on_start(job.trial))) as stream:
            for job, result in stream:
                yield job.trial, result
        if errors:
            raise errors[0]
