"""What the runner needs from a place where jobs run, such as this machine's cores or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Protocol, TypeVar

from fsbench.failure import Failure

J = TypeVar("J")
R_co = TypeVar("R_co", covariant=True)


def ignore(job: object) -> None:
    """Do nothing: the default of `Executor.run` when a job starts."""


class Executor(Protocol[J, R_co]):
    """Runs jobs, each in a process that no other job has changed.

    What the jobs call, how many run at once, how long one may take, and which of them may share a
    process (`shared_by`) is set when an executor is made.
    """

    def run(
        self, jobs: Iterable[J], on_start: Callable[[J], object] = ignore
    ) -> Generator[tuple[J, R_co | Failure], None, None]:
        """Yield every job with its result or its Failure when it ends.

        Jobs are taken from `jobs` as workers become free, one job ahead; `on_start` is called with a job when
        a worker gets it. Closing the generator stops the running jobs. Raises PluginError or WorkerError if
        no worker can start.
        """
        ...
