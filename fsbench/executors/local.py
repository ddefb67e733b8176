"""Runs jobs in worker processes of this machine; results, time-outs and crashes come back as values."""

from __future__ import annotations

import functools
import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Generic, TypeVar

from fsbench import interrupts
from fsbench.errors import BadReply, WorkerError
from fsbench.executors.launch import (
    ENVIRONMENT,
    START_SECONDS,
    Child,
    Nursery,
    ending,
    import_path,
    open_nursery,
    wait,
)
from fsbench.executors.protocol import ignore
from fsbench.executors.server import KILL, TERMINATE, Setup
from fsbench.executors.wire import Value, send_object
from fsbench.failure import MESSAGE_LENGTH, Failure, describe, shorten

J = TypeVar("J")
R = TypeVar("R")

_TRIES = 3
_WAIT_SECONDS = 0.5  # Ctrl-C cannot interrupt a wait on every system
_TERMINATION_SECONDS = 3.0
_REPLY_SECONDS = 10.0
_LONGEST_KIND = 100


def default_workers(device: str) -> int:
    """The number of workers: the usable cores, but at most four that share a GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores) if device.startswith("cuda") else cores


class LocalExecutor(Generic[J, R]):
    """An `Executor` of `workers` processes at a time on this machine, each forked for its job.

    A process calls `function` with a job, as "module:name". Before that, `prepare` is called with `arguments`
    and one more, see `Setup`. `timeout` is in seconds per job, without the start of a process. `read` turns
    what a process sent for a job into a result, and raises the error for the job's Failure; `largest` gives
    the number of bytes of arrays that a job may send. Jobs for which `shared_by` gives the same value run in
    one process, because starting one is expensive; without it, each job has its own. `environment` is added
    to that of this process.
    """

    def __init__(
        self,
        function: str,
        *,
        read: Callable[[J, Value], R],
        workers: int,
        timeout: float,
        prepare: str = "",
        arguments: tuple[object, ...] = (),
        largest: Callable[[J], int] = lambda job: 0,
        shared_by: Callable[[J], Hashable] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.workers, self.timeout = workers, timeout
        self.read, self.largest, self.shared_by = read, largest, shared_by
        self._setup = functools.partial(Setup, function=function, prepare=prepare, arguments=arguments)
        self._environment = environment or {}

    def setup(self) -> Setup:
        """How workers begin: in the state of this process, but with one thread for each library."""
        folder, environment = os.getcwd(), {**os.environ, **ENVIRONMENT, **self._environment}
        return self._setup(path=import_path(), folder=folder, environment=environment)

    def run(
        self, jobs: Iterable[J], on_start: Callable[[J], object] = ignore
    ) -> Generator[tuple[J, R | Failure], None, None]:
        """See `Executor.run`. Raises PluginError or WorkerError if no worker can start."""
        crew = _Crew(self)
        try:
            yield from crew.run(iter(jobs), on_start)
        finally:
            crew.close()


class _Worker(Generic[J]):
    """A process, its job if it has one, and the deadline of its present state."""

    job: J

    def __init__(self, child: Child) -> None:
        self.child = child
        self.kind: Hashable = None
        self.is_fresh, self.is_ready, self.has_job = True, False, False
        self.is_replying, self.is_told_to_end = False, False
        self.deadline = time.monotonic() + START_SECONDS

    def give(self, job: J, kind: Hashable, largest: int, seconds: float) -> bool:
        """Send it a job, which it reads when it is ready; returns whether it can still be reached."""
        self.job, self.kind = job, kind
        self.has_job, self.is_fresh, self.is_replying = True, False, False
        self.child.channel.reader.largest = largest
        if self.is_ready:
            self.deadline = time.monotonic() + seconds
        try:
            send_object(self.child.channel.connection, job)
        except ConnectionError:
            return False
        return True


class _Crew(Generic[J, R]):
    """The workers of one run, by number."""

    def __init__(self, executor: LocalExecutor[J, R]) -> None:
        self.executor = executor
        self.nursery: Nursery | None = None
        self.workers: dict[int, _Worker[J]] = {}
        self.waiting: deque[J] = deque()
        self.finished: deque[tuple[J, R | Failure]] = deque()
        self.lost = 0

    def run(self, source: Iterator[J], on_start: Callable[[J], object]) -> Iterator[tuple[J, R | Failure]]:
        """Keep the workers busy, and yield finished jobs meanwhile."""
        self.waiting.extend(islice(source, 1))
        while self.waiting or self.finished or self.busy:
            if self.waiting and self.busy < self.executor.workers:
                job = self.waiting.popleft()
                on_start(job)
                self.submit(job)
                if not self.waiting:
                    self.waiting.extend(islice(source, 1))
                if self.waiting:
                    self.stand_by()
            elif self.finished:
                yield self.finished.popleft()
            else:
                self.collect()

    @property
    def busy(self) -> int:
        """How many workers have a job."""
        return sum(worker.has_job for worker in self.workers.values())

    def submit(self, job: J) -> None:
        """Send a job to an idle worker with only such jobs so far, or else to a new one."""
        executor = self.executor
        kind = executor.shared_by(job) if executor.shared_by else None
        idle = [worker for worker in self.workers.values() if not worker.has_job]
        fitting = [worker for worker in idle if worker.is_fresh or worker.kind == kind]
        if idle and not fitting:
            self.retire(idle[0])
        worker = fitting[0] if fitting else self.start()
        if not worker.give(job, kind, executor.largest(job), executor.timeout):
            self.lose(worker, "the worker closed its connection")

    def stand_by(self) -> None:
        """Start the next worker while the others work."""
        if self.executor.shared_by is None and self.busy == len(self.workers):
            self.start()

    def start(self) -> _Worker[J]:
        """A new worker. Raises PluginError or WorkerError."""
        for _ in range(_TRIES):
            if self.nursery is None:
                self.nursery = open_nursery(self.executor.setup())
            try:
                worker: _Worker[J] = _Worker(self.nursery.fork())
            except ConnectionError:
                self.lose_nursery(self.nursery)
            else:
                self.workers[worker.child.number] = worker
                return worker
        raise WorkerError("no worker can start (the process that forks them ends again and again)")

    def collect(self) -> None:
        """Wait a while for messages of the workers, and handle them. Raises PluginError or WorkerError."""
        interrupts.check()
        nursery = self.nursery
        assert nursery is not None, "a wait follows the start of a worker"
        speaking = {w.child.channel: w for w in self.workers.values() if not w.child.channel.closed}
        soonest = min(worker.deadline for worker in self.workers.values())
        readable = wait([nursery.channel, *speaking], min(_WAIT_SECONDS, soonest - time.monotonic()))
        for channel in readable:
            if channel in speaking:
                self.hear(speaking[channel])
        if nursery.channel in readable:
            self.hear_nursery(nursery)
        for worker in [each for each in self.workers.values() if each.deadline < time.monotonic()]:
            self.hurry(worker)

    def hear(self, worker: _Worker[J]) -> None:
        """Handle what a worker sends. Raises PluginError or WorkerError if it could not start."""
        try:
            for message in worker.child.channel.receive():
                if worker.is_told_to_end:
                    continue
                if not worker.is_ready:
                    self.hear_start(worker, message)
                elif worker.has_job:
                    self.finish(worker, self.result(worker.job, message), usable=True)
                else:
                    raise BadReply("a worker without a job sent something")
            if worker.child.channel.closed and not worker.has_job:
                self.retire(worker)
        except BadReply as error:
            if worker.has_job:
                self.finish(worker, describe(error))
            self.retire(worker)

    def hear_start(self, worker: _Worker[J], message: Value) -> None:
        """Handle a message about the start of a worker."""
        if worker.child.says(message) == "ready":
            worker.is_ready = True
            worker.deadline = time.monotonic() + self.executor.timeout if worker.has_job else math.inf

    def hear_nursery(self, nursery: Nursery) -> None:
        """Handle the end of workers, and of the nursery itself."""
        for number, code in nursery.ended().items():
            if number in self.workers:
                self.bury(self.workers[number], code)
        if nursery.channel.closed:
            self.lose_nursery(nursery)

    def lose_nursery(self, nursery: Nursery) -> None:
        """Give up a nursery that ended, and its workers."""
        how = ending(nursery.code())
        nursery.close()
        self.nursery = None
        workers = list(self.workers.values())
        if workers:
            self.count_loss(workers[0], how)
        for worker in workers:
            self.give_up(worker)

    def bury(self, worker: _Worker[J], code: int) -> None:
        """Handle what a worker sent before it ended, or else how it ended."""
        child = worker.child
        while child.number in self.workers and not child.channel.closed and wait([child.channel], 0):
            self.hear(worker)
        if child.number not in self.workers:
            return
        if not (worker.has_job and worker.is_ready):
            self.lose(worker, ending(code))
        elif worker.is_told_to_end:
            self.finish(worker, self.time_out(worker))
        else:
            self.finish(worker, Failure("Crash", ending(code), child.last_words()))

    def lose(self, worker: _Worker[J], why: str) -> None:
        """Give up a worker that ended before it began; its job is tried again, but not without limit."""
        self.count_loss(worker, why)
        self.give_up(worker)

    def count_loss(self, worker: _Worker[J], why: str) -> None:
        """Count losses since a job last ended. Raises PluginError or WorkerError if it is too much."""
        self.lost += 1
        if self.lost >= _TRIES:
            raise worker.child.error(why)

    def give_up(self, worker: _Worker[J]) -> None:
        """End a worker, and put its job back."""
        if worker.has_job:
            self.waiting.appendleft(worker.job)
        self.retire(worker)

    def hurry(self, worker: _Worker[J]) -> None:
        """Handle a late worker: let it finish its reply, or end it, after it could report where it is."""
        if not worker.is_ready:
            raise worker.child.late()
        if worker.is_told_to_end:
            self.finish(worker, self.time_out(worker))
        elif worker.child.channel.reader.begun and not worker.is_replying:
            worker.is_replying = True
            worker.deadline = time.monotonic() + _REPLY_SECONDS
        elif self.nursery is not None:
            worker.is_told_to_end = True
            worker.deadline = time.monotonic() + _TERMINATION_SECONDS
            self.nursery.ask(TERMINATE, worker.child)

    def result(self, job: J, message: Value) -> R | Failure:
        """The result in a worker's reply. Raises BadReply."""
        match message:
            case {"result": value}:
                try:
                    return self.executor.read(job, value)
                except Exception as error:  # noqa: BLE001 - reading untrusted values may raise anything
                    return describe(error)
            case {"failure": {"kind": str(kind), "message": str(text), "traceback": str(trace)}}:
                return Failure(kind[:_LONGEST_KIND], " ".join(text.split())[:MESSAGE_LENGTH], shorten(trace))
        raise BadReply("the worker sent neither a result nor a failure")

    def time_out(self, worker: _Worker[J]) -> Failure:
        """The failure of a job that took too long."""
        return Failure("TimeOut", f"took longer than {self.executor.timeout:g} s", worker.child.last_words())

    def finish(self, worker: _Worker[J], result: R | Failure, usable: bool = False) -> None:
        """Handle the end of a job, and of its worker, unless the worker is usable and may get other jobs."""
        self.finished.append((worker.job, result))
        self.lost = 0
        worker.has_job, worker.deadline = False, math.inf
        if not usable or self.executor.shared_by is None:
            self.retire(worker)

    def retire(self, worker: _Worker[J]) -> None:
        """End a worker and the processes that it started."""
        if self.workers.pop(worker.child.number, None) is not None:
            if self.nursery is not None:
                self.nursery.ask(KILL, worker.child)
            worker.child.close()

    def close(self) -> None:
        """End every worker."""
        if self.nursery is not None:
            self.nursery.close()
        for worker in self.workers.values():
            worker.child.close()
