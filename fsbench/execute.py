"""A run's trials handed to an executor: what a job is made of, and on which device it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from fsbench.draw import Splits
from fsbench.errors import FsbenchError, UsageError
from fsbench.executors.local import LocalExecutor, default_workers
from fsbench.executors.protocol import Executor
from fsbench.failure import Failure
from fsbench.jobs import PREFLIGHT, TRIALS, Job, Outcome, Place, Preflight, Work
from fsbench.registry import get_registry
from fsbench.types import Trial

if TYPE_CHECKING:
    from fsbench.tasks.expressions import Task

J = TypeVar("J")
R = TypeVar("R")

_DEVICE_SECONDS = 120.0


class MakeExecutor(Protocol):
    """Makes an executor of some work: `local`, or one of another place.

    It runs at most `workers` jobs at once (None: as many as suit the device), each for at most `timeout`
    seconds. `splits` is the folder in which the split of a job is found by its name, `features` that where
    features of frozen bodies are kept. Each job has a process of its own or, with `apart`, shares one with
    those for which that gives the same value.
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
        apart: Callable[[J], Hashable] | None = None,
    ) -> Executor[J, R]:
        """The executor of one kind of work."""
        ...


def local(
    work: Work[J, R],
    *,
    workers: int | None,
    device: str,
    timeout: float,
    splits: Path,
    features: Path,
    apart: Callable[[J], Hashable] | None = None,
) -> LocalExecutor[J, R]:
    """An executor in processes of this machine; those of a CPU see no GPU, which they could not share."""
    return LocalExecutor(
        work.function,
        read=work.read,
        largest=work.largest,
        workers=workers or default_workers(device),
        timeout=timeout,
        prepare="fsbench.engine.worker:prepare",
        arguments=(get_registry().modules, str(splits.absolute()), str(features.absolute()), device),
        apart=apart,
        environment={"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {},
    )


def isolation(device: str) -> str:
    """What has a process of its own: "trial" on a CPU, "split" on a GPU, where one takes seconds to start."""
    return "trial" if device == "cpu" else "split"


@dataclass(frozen=True)
class Execution:
    """How a run's trials are executed. `folder` is the run's own, `features` that of features to keep."""

    make: MakeExecutor
    workers: int | None
    timeout: float
    folder: Path
    features: Path

    def find_place(self, device: str, trials: Iterable[Trial], tasks: Mapping[str, Task]) -> Place:
        """Where trials will run, as a worker sees it: the parent does without torch.

        The worker builds the networks of the trials too. Raises UsageError for what no trial could have.
        """
        networks: dict[tuple[str, str, tuple[int, ...], int], str] = {}
        for trial in trials:
            info = tasks[trial.task].info
            networks.setdefault((trial.recipe, info.kind, info.input_shape, info.num_classes), trial.task)
        wanted = Preflight(device, tuple((*network, task) for network, task in networks.items()))
        executor = self.make(
            PREFLIGHT,
            workers=1,
            device=device,
            timeout=_DEVICE_SECONDS,
            splits=self.folder,
            features=self.features,
        )
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
                    split = splits.of(trial)
                except FsbenchError as error:
                    errors.append(error)
                    return
                shape = (*split.test_y.shape, split.num_classes)
                yield Job(trial, Path(split.path).name, device, shape)

        executor = self.make(
            TRIALS,
            workers=self.workers,
            device=device,
            timeout=self.timeout,
            splits=self.folder,
            features=self.features,
            apart=None if isolation(device) == "trial" else _split_of,
        )
        with contextlib.closing(executor.run(jobs(), lambda job: on_start(job.trial))) as stream:
            for job, result in stream:
                yield job.trial, result
        if errors:
            raise errors[0]


def _split_of(job: Job) -> Hashable:
    return job.trial.task, job.trial.split_seed
