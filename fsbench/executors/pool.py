"""Runs jobs in worker processes: results, time-outs and crashes alike come back as values.

Every worker is a pebble pool of one. So what is submitted is what is running, no worker shares a
pipe or a lock with another that may die holding it, and a worker that crashed or was stopped is
thrown away with its pool and replaced by a fresh one. So is a worker that has seen other data: what
code keeps in memory, by design or by accident, does not get from one split to the next.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from fsbench.errors import PluginError
from fsbench.executors.child import NotStarted, fence, start, work
from fsbench.executors.launch import CONTEXT, warm_up
from fsbench.failure import Failure, describe, shorten

J = TypeVar("J")
R = TypeVar("R")

_START_SECONDS = 180.0
_START_TRIES = 3
_LOG_TAIL = 1 << 18
# What a crash's report ends with: every compiled module of every library, longer than all the rest.
_EXTENSIONS = re.compile(r"\n+Extension modules: .*")
_WAIT_SECONDS = 0.5  # Ctrl-C cannot cut a wait short everywhere


def default_workers(device: str) -> int:
    """The number of workers: the usable cores, but at most four that share a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores) if device.startswith("cuda") else cores


def run_jobs(
    function: Callable[[J], R],
    jobs: Iterable[J],
    *,
    workers: int,
    timeout: float,
    logs: Path,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] = (),
    on_start: Callable[[J], object] = lambda job: None,
    apart: Callable[[J], Hashable] = lambda job: None,
) -> Generator[tuple[J, R | Failure], None, None]:
    """Yield every job with its result, or with the Failure that it ended in, as they end.

    `jobs` is drawn from as workers become free, one job ahead of them. `timeout` is in seconds per
    job; starting a worker does not count. Jobs for which `apart` gives different values never share a
    process. The workers' stderr goes to files in the folder `logs`.
    Closing the generator stops the workers. Raises PluginError when no worker can be started.
    """
    names = count()

    def make() -> _Worker[J, R]:
        return _Worker(function, timeout, logs / f"{next(names)}.log", initializer, initargs)

    crew = _Crew(make, workers, apart)
    warm_up()
    try:
        yield from crew.run(iter(jobs), on_start)
    finally:
        crew.stop()


class _Crew(Generic[J, R]):
    """The workers of one run, at most `size` of them, made when there is a job for them."""

    def __init__(self, make: Callable[[], _Worker[J, R]], size: int, apart: Callable[[J], Hashable]) -> None:
        self.make = make
        self.size = size
        self.apart = apart
        self.free: list[_Worker[J, R]] = []
        self.busy: list[_Worker[J, R]] = []
        self.lost = 0

    def run(self, source: Iterator[J], on_start: Callable[[J], object]) -> Iterator[tuple[J, R | Failure]]:
        """Keep the workers busy; yield what is finished while they are."""
        waiting = deque(islice(source, 1))
        finished: deque[tuple[J, R | Failure]] = deque()
        while waiting or self.busy or finished:
            if waiting and len(self.busy) < self.size:
                job = waiting.popleft()
                on_start(job)
                self.submit(job)
                if not waiting:
                    waiting.extend(islice(source, 1))
            elif finished:
                yield finished.popleft()
            else:
                for job, result in self.collect():
                    if isinstance(result, _Lost):
                        waiting.appendleft(job)
                    else:
                        finished.append((job, result))

    def submit(self, job: J) -> None:
        """Hand a job to a free worker that has had jobs of its kind only, or else to a fresh one."""
        kind = self.apart(job)
        same = [worker for worker in self.free if self.apart(worker.job) == kind]
        if not same and self.free:
            self.free.pop(0).stop()
        worker = same[0] if same else self.make()
        self.free = [each for each in self.free if each is not worker]
        self.busy.append(worker)
        worker.submit(job)

    def collect(self) -> list[tuple[J, R | Failure | _Lost]]:
        """Wait a while for a worker; what the ended jobs gave. Raises PluginError when none can start."""
        futures: list[Future[Any]] = [f for worker in self.busy for f in (worker.running, worker.fence)]
        wait(futures, timeout=_WAIT_SECONDS, return_when=FIRST_COMPLETED)
        ended = [worker for worker in self.busy if worker.ended]
        self.busy = [worker for worker in self.busy if worker not in ended]
        self.free += ended
        results = [(worker.job, worker.result()) for worker in ended]
        for worker in [worker for worker in ended if not worker.usable]:
            self.free.remove(worker)
            worker.stop()
        for _, result in results:
            self.lost = self.lost + 1 if isinstance(result, _Lost) else 0
            if isinstance(result, _Lost) and self.lost >= _START_TRIES:
                raise PluginError(f"no worker can start ({result.message}); leave out the plugin at fault")
        return results

    def stop(self) -> None:
        """Stop every worker at once."""
        workers = self.free + self.busy
        for worker in workers:
            worker.pool.stop()  # type: ignore[no-untyped-call]
        for worker in workers:
            worker.stop()


@dataclass(frozen=True)
class _Lost:
    """The worker died before it had begun with the job."""

    message: str


class _Worker(Generic[J, R]):
    """One worker process and the job that it has.

    Behind each job goes a fence that does nothing. A pool that restarts a worker which ended itself
    with status 0 forgets its job; but then the fence gets through, and tells.
    """

    job: J
    running: Future[bytes]
    fence: Future[None]

    def __init__(
        self,
        function: Callable[[J], R],
        timeout: float,
        log: Path,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
    ) -> None:
        self.function = function
        self.timeout = timeout
        self.log = log
        self.start_arguments = (log, initializer, initargs)
        self.pool = ProcessPool(max_workers=1, context=CONTEXT)
        self.started: Future[int] | None = None

    def submit(self, job: J) -> None:
        """Give the worker a job, starting it before its first."""
        self.job = job
        try:
            if self.started is None:
                self.started = self.pool.schedule(start, self.start_arguments, timeout=_START_SECONDS)
            self.running = self.pool.schedule(work, (self.function, job), timeout=self.timeout)
            self.fence = self.pool.schedule(fence)
        except RuntimeError as error:
            self.running, self.fence = Future(), Future()
            self.running.set_exception(BrokenProcessPool(str(error)))

    @property
    def ended(self) -> bool:
        """Whether the job has ended, one way or the other."""
        return self.running.done() or self.fence.done()

    @property
    def usable(self) -> bool:
        """Whether the worker can take another job."""
        return self.running.done() and self.running.exception() is None

    def result(self) -> R | Failure | _Lost:
        """What became of the job. Raises PluginError when the initializer raised."""
        if not self.running.done():
            return Failure("Crash", "the worker ended itself with exit status 0", self.last_words())
        error = self.running.exception()
        if isinstance(error, TimeoutError):
            return Failure("TimeOut", f"took longer than {self.timeout:g} s", self.last_words())
        if isinstance(error, ProcessExpired):
            return Failure("Crash", _ending(error.exitcode), self.last_words())
        if isinstance(error, BrokenProcessPool):
            return _Lost(str(error) or "it ended at once")
        if error is not None:
            raise error
        try:
            value: R | Failure | NotStarted = pickle.loads(self.running.result())
        except Exception as odd:  # noqa: BLE001 - rebuilding a stranger's object may raise anything
            return describe(odd)
        return self._start_problem() if isinstance(value, NotStarted) else value

    def _start_problem(self) -> _Lost:
        error = self.started.exception() if self.started and self.started.done() else None
        if isinstance(error, ProcessExpired):
            return _Lost(_ending(error.exitcode))
        if isinstance(error, TimeoutError):
            return _Lost(f"took longer than {_START_SECONDS:g} s")
        if error is not None:
            why = describe(error)
            raise PluginError(f"no worker can start ({why.kind}: {why.message})") from error
        return _Lost("ended itself with exit status 0")

    def last_words(self) -> str:
        """The end of what the worker wrote to stderr."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LOG_TAIL))
            said = file.read().decode(errors="replace")
        return shorten(_EXTENSIONS.sub("", said))

    def stop(self) -> None:
        """Stop the process, and what it started, at once."""
        self.pool.stop()  # type: ignore[no-untyped-call]
        self.pool.join()
        if hasattr(os, "killpg") and self.started and self.started.done() and not self.started.exception():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.started.result(), signal.SIGKILL)
        self.log.unlink(missing_ok=True)


def _ending(exitcode: int) -> str:
    """How a process ended, in words."""
    if exitcode >= 0:
        return f"the worker ended with exit status {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the worker was killed by {name}{hint}"
