"""The host's side of servers, nurseries and workers: starts them, talks to them, learns how they ended."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import IO

from fsbench import interrupts
from fsbench.errors import BadReply, PluginError, UsageError, WorkerError
from fsbench.executors.server import FORK, KILL, REQUEST, TERMINATE, Setup
from fsbench.executors.wire import Reader, Value, send_object
from fsbench.failure import MESSAGE_LENGTH, shorten

START_SECONDS = 180.0
# glibc returns a large array to the system when it is freed, and the next training step needs the same ones
# again: `benchmarks/allocation.py` prints what keeping them saves. `pages.py` explains large pages. A fixed
# hash seed makes the order of a set of texts the same in every run.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "PYTHONHASHSEED": "0",
}
_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from fsbench.executors.server import main; main()"
_LOG_TAIL = 1 << 18
# The end of a crash report lists every compiled module of every library, longer than all the rest.
_EXTENSIONS = re.compile(r"\n+Extension modules: .*")
_ENDING_SECONDS = 3.0
_GLANCE_SECONDS = 0.1
_WAIT_SECONDS = 0.5  # between checks for a lost Ctrl-C
_LONGEST_DOING = 200


class Channel:
    """A socket to a process that is not trusted, and its messages as they come."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.reader = Reader()
        self.closed = False

    def fileno(self) -> int:
        """The socket's number, for waiting."""
        return self.connection.fileno()

    def receive(self) -> list[Value]:
        """The messages that are now complete; `closed` says whether the socket has ended. Raises BadReply."""
        try:
            data = self.connection.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        self.closed = not data
        return self.reader.feed(data)


def wait(channels: Iterable[Channel], seconds: float) -> list[Channel]:
    """Wait for channels from which something can be received; none after the time limit."""
    with selectors.DefaultSelector() as selector:
        for channel in channels:
            selector.register(channel, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(max(0.0, seconds))]  # type: ignore[misc]


class Child:
    """A process that a server forks: the channel to it, and the file for its errors.

    `doing` is the last report of what it does before it is ready.
    """

    def __init__(self, number: int) -> None:
        ours, self.theirs = socket.socketpair()
        self.number = number
        self.channel = Channel(ours)
        self.log: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - it lives as long as the child
        self.doing = ""

    def says(self, message: Value) -> str:
        """The meaning of a message from a starting process: "ready", "doing" or "unsafe".

        Raises PluginError or WorkerError if it could not start, BadReply for any other message.
        """
        match message:
            case {"ready": True}:
                self.doing = ""
                return "ready"
            case {"unsafe": str()}:
                return "unsafe"
            case {"doing": str(doing)}:
                self.doing = doing[:_LONGEST_DOING]
                return "doing"
            case {"failure": {"kind": str(kind), "message": str(text)}}:
                raise self.error(f"{kind}: {text}"[:MESSAGE_LENGTH])
        raise BadReply("a starting process sent something other than the state of its start")

    def error(self, why: str) -> PluginError | WorkerError:
        """The error of a process that cannot start, or of a plugin that it was importing."""
        error: PluginError | WorkerError = WorkerError(f"no worker can start ({why})")
        if self.doing:
            error = PluginError(f"no worker can start ({why}, while {self.doing})")
        if words := self.last_words():
            error.add_note(words)
        return error

    def late(self) -> PluginError | WorkerError:
        """The error of a process that takes too long to start."""
        busy = "" if self.doing else "; try again when machine and disk are less busy, or with more memory"
        return self.error(f"took longer than {START_SECONDS:g} s{busy}")

    def last_words(self) -> str:
        """The end of the process's stderr."""
        size = os.fstat(self.log.fileno()).st_size
        said = os.pread(self.log.fileno(), _LOG_TAIL, max(0, size - _LOG_TAIL)).decode(errors="replace")
        return shorten(_EXTENSIONS.sub("", said))

    def close(self) -> None:
        """Close the channel."""
        self.channel.connection.close()
        self.log.close()


class Server:
    """The host's side of a process that forks others."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.numbers = count()

    def fork(self) -> Child:
        """A new child. Raises ConnectionError if the server is gone."""
        child = Child(next(self.numbers))
        request, handles = REQUEST.pack(FORK, child.number), [child.theirs.fileno(), child.log.fileno()]
        try:
            socket.send_fds(self.channel.connection, [request], handles)
        except OSError:
            child.close()
            raise
        finally:
            child.theirs.close()
        return child

    def ask(self, what: bytes, child: Child) -> None:
        """Terminate a child (it may still report where it was) or kill it, running or not."""
        with contextlib.suppress(OSError):  # the server is gone, and its children with it
            self.channel.connection.sendall(REQUEST.pack(what, child.number))

    def ended(self) -> dict[int, int]:
        """The exit codes, by number, of children that have ended according to some messages."""
        found: dict[int, int] = {}
        for message in self.channel.receive():
            match message:
                case {"ended": [int(number), int(code)]}:
                    found[number] = code
        return found


class _Base(Server):
    """The server of this process, a separate program."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(Channel(ours))
        self.owner = os.getpid()
        self.codes: dict[int, int] = {}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, *import_path()],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | ENVIRONMENT,
                start_new_session=True,
            )

    def end(self) -> None:
        """End the server at once."""
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
        self.channel.closed = True
        self.channel.connection.close()

    def code(self, child: Child, seconds: float) -> int | None:
        """The exit code of a child that closed its channel, once it is known; None if that takes too long.

        If the server has ended, its exit code.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with _lock:  # another thread may receive what this one waits for
                self.codes |= {} if self.channel.closed else self.ended()
            if child.number in self.codes or self.channel.closed:
                break
            wait([self.channel], min(_GLANCE_SECONDS, end - time.monotonic()))
        return self.codes.pop(child.number, self.process.poll())


_lock = threading.RLock()
_base: _Base | None = None


def _server() -> _Base:
    global _base
    if not hasattr(os, "fork"):
        raise UsageError(
            "fsbench runs every trial in a process forked from another, which Windows does not offer; "
            "run it on Linux or macOS, or in the Windows Subsystem for Linux"
        )
    with _lock:
        if _base is not None and (_base.owner != os.getpid() or _base.process.poll() is not None):
            _base.end()
            _base = None
        if _base is None:
            _base = _Base()
            atexit.register(_end_undisturbed, _base)
        return _base


def _end_undisturbed(base: _Base) -> None:
    """End a server when this process ends, however often Ctrl-C is pressed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    base.end()


class Nursery(Server):
    """The process from which the workers of one run are forked."""

    def __init__(self, setup: Setup) -> None:
        with _lock:
            self.base = _server()
            try:
                self.child = self.base.fork()
            except ConnectionError:
                raise WorkerError("no worker can start (the process that forks them has ended)") from None
        super().__init__(self.child.channel)
        self.setup = setup

    def start(self) -> str:
        """Wait until it is prepared; "ready", or "unsafe" if workers must not inherit its state.

        Raises PluginError or WorkerError if it cannot start.
        """
        with contextlib.suppress(ConnectionError):  # it has closed its channel: see below
            send_object(self.channel.connection, self.setup)
        end = time.monotonic() + START_SECONDS
        while (left := end - time.monotonic()) > 0:
            interrupts.check()
            wait([self.channel], min(_WAIT_SECONDS, left))
            for message in self.channel.receive():
                if (said := self.child.says(message)) != "doing":
                    return said
            if self.channel.closed:
                raise self.child.error(ending(self.code()))
        self.base.ask(TERMINATE, self.child)
        self.code()
        raise self.child.late()

    def code(self) -> int | None:
        """Its exit code, once it has closed its channel; None if unknown."""
        return self.base.code(self.child, _ENDING_SECONDS)

    def close(self) -> None:
        """End it and all its workers."""
        if not self.channel.closed:
            with contextlib.suppress(OSError):
                self.channel.connection.shutdown(socket.SHUT_WR)
                self.code()
        self.base.ask(KILL, self.child)
        self.child.close()


def open_nursery(setup: Setup) -> Nursery:
    """A nursery that is ready. Raises PluginError or WorkerError, or UsageError on a system without fork.

    If preparing leaves something that a fork must not inherit, such as threads, each worker prepares itself.
    """
    for each in (setup, replace(setup, early=False)):
        nursery = Nursery(each)
        try:
            if nursery.start() == "ready":
                return nursery
        except BaseException:
            nursery.base.ask(KILL, nursery.child)
            nursery.child.close()
            raise
        nursery.close()
    raise AssertionError("a nursery that prepares nothing is ready")


def import_path() -> tuple[str, ...]:
    """The import path of this process, with the working folder's name instead of an empty text."""
    return tuple(os.getcwd() if part == "" else part for part in sys.path)


def ending(code: int | None) -> str:
    """How a process ended, in words; None means unknown."""
    if code is None:
        return "the worker ended"
    if code >= 0:
        return f"the worker ended {'itself ' if code == 0 else ''}with exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the worker was killed by {name}{hint}"
