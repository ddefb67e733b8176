"""What the runner asks of a place where jobs run: this machine's cores, say, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Protocol, TypeVar

from fsbench.failure import Failure

J = TypeVar("J")
R_co = TypeVar("R_co", covariant=True)


def ignore(job: object) -> None:
    """What `Executor.run` does by default as a job starts: nothing."""


class Executor(Protocol[J, R_co]):
    """Runs jobs, each in a process that nothing but the job itself can spoil.

    What the jobs call, how many run at once, how long one may take, and which of them must not share a
    process (`apart`) are settled when an executor is made.
    """

    def run(
        self, jobs: Iterable[J], on_start: Callable[[J], object] = ignore
    ) -> Generator[tuple[J, R_co | Failure], None, None]:
        """Yield every job with its result, or with the Failure that it ended in, as they end.

        `jobs` is drawn from as workers become free, one job ahead of them; `on_start` is told of a job when
        a worker gets it. Closing the generator stops what runs. Raises PluginError when no worker can start.
        """
        ...
