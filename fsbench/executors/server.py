"""The process from which workers are forked, and the loop around each worker's jobs.

There are three generations. A *server*, one for each process that runs fsbench, has imported what every trial
needs. From it, a *nursery* is forked for each call of an executor: it takes over the environment of the run,
imports its plugins and warms up. From the nursery, a *worker* is forked for each job. The host, the process
that called fsbench, controls all of them through sockets, and none outlives it. The server is a separate
program, so it shares nothing with the host's own processes.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from fsbench.executors.pages import merge_pages
from fsbench.executors.wire import encode, receive_object
from fsbench.failure import describe
from fsbench.importing import named_object

REQUEST = struct.Struct("<cI")
"""A request of the host: one of the letters below, and the number that the host chose for a child."""
FORK, TERMINATE, KILL = b"f", b"t", b"k"

# Slow imports must not count as the time of a trial: the first optimizer of a process imports torch._dynamo,
# the first classifier or sampler scikit-learn and imbalanced-learn.
PRELOAD = (
    "numpy",
    "torch",
    "torch._dynamo",
    "fsbench.engine.trial",
    "fsbench.engine.worker",
    "sklearn.calibration",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.svm",
    "imblearn.over_sampling",
    "imblearn.under_sampling",
)
_HOST_CHECK_SECONDS = 5.0
_PRELOAD_SECONDS = 240  # more than a run waits for it
_MANY_FORKS = 16  # from this number on, merging pages saves more time than it takes


@dataclass(frozen=True)
class Setup:
    """How a nursery begins, and the function that its workers call, both as "module:name".

    `prepare` is called with `arguments` and with a function that reports to the host, in one line, what it
    does. It runs in the nursery, or in each worker if `early` is false. It returns None, or why a fork must
    not inherit its effects.
    """

    function: str
    prepare: str = ""
    arguments: tuple[Any, ...] = ()
    path: tuple[str, ...] = ()
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    early: bool = True


def main() -> None:
    """Run as a server. Standard input is the socket to the host."""
    control = socket.socket(fileno=os.dup(0))
    _point(0, os.open(os.devnull, os.O_RDONLY))
    gc.disable()  # imports make no garbage, and looking for it takes a quarter of the time
    # Without memory, OpenBLAS tries for ever while it is imported; only a signal ends the process then.
    signal.alarm(_PRELOAD_SECONDS)
    for name in PRELOAD:
        # If a module cannot be imported, the code that needs it reports that better.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    signal.alarm(0)
    _Server(control, _nursery, signal.SIGTERM).serve()


Begin: TypeAlias = Callable[[socket.socket, int], None]
"""The work of a forked child, with its socket to the host and a pipe that closes with its server."""


class _Server:
    """Forks a child at each request and reports which ended, until the host closes its socket or ends.

    Then the children get the signal `last`.
    """

    def __init__(self, control: socket.socket, begin: Begin, last: signal.Signals) -> None:
        self.control, self.begin, self.last = control, begin, last
        self.forks, self.merging = 0, merge_pages()
        self.children: dict[int, int] = {}
        self.alive, self.lifeline = os.pipe()
        self.waking, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())

    def serve(self) -> None:
        """Handle the requests of the host."""
        host = os.getppid()
        # These objects stay alive; a collection in a child would only copy their memory.
        gc.freeze()
        gc.enable()
        try:
            while os.getppid() == host:
                watched: list[socket.socket | int] = [self.control, self.waking]
                ready, _, _ = select.select(watched, [], [], _HOST_CHECK_SECONDS)
                if self.waking in ready:
                    os.read(self.waking, 4096)
                    self.reap()
                if self.control in ready and not self.answer():
                    return
        except (BrokenPipeError, ConnectionResetError):
            return  # the host closed its socket
        finally:
            for pid in self.children.values():
                _kill(pid, self.last)
            for pid in self.children.values() if self.last == signal.SIGKILL else ():
                os.waitpid(pid, 0)

    def answer(self) -> bool:
        """Handle one request of the host; returns whether there was one."""
        data, handles, _, _ = socket.recv_fds(self.control, REQUEST.size, 2)
        if not data:
            return False
        what, number = REQUEST.unpack(data)
        if what == FORK:
            pid = os.fork()
            if pid == 0:
                self.become(*handles)
            self.children[number] = pid
            for handle in handles:
                os.close(handle)
            self.forks += 1
            if self.forks > _MANY_FORKS:
                next(self.merging, None)
        elif number in self.children:
            if what == TERMINATE:
                os.kill(self.children[number], signal.SIGTERM)
            else:
                _kill(self.children[number], signal.SIGKILL)
        return True

    def become(self, connection: int, log: int) -> NoReturn:
        """Run as a child, in a separate process group, with errors in `log`. It never returns."""
        try:
            signal.set_wakeup_fd(-1)
            for each in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            self.control.close()
            for handle in (self.lifeline, self.waking, self.wake):
                os.close(handle)
            os.setsid()
            _point(2, log)
            faulthandler.enable(all_threads=False)
            faulthandler.unregister(signal.SIGTERM)  # a nursery's own handler comes before what it registered
            faulthandler.register(signal.SIGTERM, all_threads=False, chain=True)
            with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
                self.begin(socket.socket(fileno=connection), self.alive)
        except BaseException:  # noqa: BLE001 - it goes into the log, where the host reads a child's errors
            traceback.print_exc()
            os._exit(1)
        finally:
            os._exit(0)

    def reap(self) -> None:
        """Collect the children that ended, end processes that they left running, and report to the host."""
        for number, pid in list(self.children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.children[number]
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
                self.control.sendall(encode({"ended": [number, os.waitstatus_to_exitcode(status)]}))


def _nursery(control: socket.socket, alive: int) -> None:
    """Prepare for a run, report to the host, then fork its workers."""
    os.close(alive)
    setup: Setup = receive_object(control)
    function = None
    try:
        sys.path[:] = setup.path
        os.environ.clear()
        os.environ.update(setup.environment)
        os.chdir(setup.folder)
        unsafe = _prepare(setup, control) if setup.early else None
        if setup.early:
            function = named_object(setup.function)
            threads = _threads()
            unsafe = unsafe or (f"{threads} threads" if threads > 1 else None)
    except BaseException as error:  # noqa: BLE001 - a plugin's import may raise anything; the host gets it as a value
        control.sendall(encode({"failure": vars(describe(error))}))
        return
    if unsafe is not None:
        control.sendall(encode({"unsafe": unsafe}))
        return
    control.sendall(encode({"ready": True}))
    _Server(control, functools.partial(_work, setup, function), signal.SIGKILL).serve()


def _work(
    setup: Setup, function: Callable[[Any], object] | None, connection: socket.socket, alive: int
) -> None:
    """Run jobs until the host closes its socket. Everything that a job raises is sent."""
    threading.Thread(target=_end_with_server, args=(alive,), daemon=True).start()
    try:
        if function is None:
            _prepare(setup, connection)
            function = named_object(setup.function)
    except BaseException as error:  # noqa: BLE001 - as in a nursery
        connection.sendall(encode({"failure": vars(describe(error))}))
        return
    connection.sendall(encode({"ready": True}))
    while True:
        job = receive_object(connection)
        with contextlib.suppress(OSError):
            os.ftruncate(2, 0)
        try:
            reply = encode({"result": function(job)})
        except BaseException as error:  # noqa: BLE001 - a job may raise anything; the host gets it as a value
            reply = encode({"failure": vars(describe(error))})
        connection.sendall(reply)


def _end_with_server(alive: int) -> None:
    os.read(alive, 1)
    os.killpg(0, signal.SIGKILL)


def _prepare(setup: Setup, connection: socket.socket) -> str | None:
    if not setup.prepare:
        return None
    unsafe: str | None = named_object(setup.prepare)(
        *setup.arguments, lambda doing: connection.sendall(encode({"doing": doing}))
    )
    return unsafe


def _threads() -> int:
    """The number of threads of this process; if the system tells, also those that Python did not start."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        return threading.active_count()


def _point(handle: int, target: int) -> None:
    os.dup2(target, handle)
    os.close(target)


def _kill(pid: int, number: signal.Signals) -> None:
    """Signal a child and its process group, which may not exist yet."""
    try:
        os.killpg(pid, number)
    except OSError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
