"""The worker process's side of the pool: a shell around the work that survives whatever it does."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsbench.failure import describe

_POSIX = os.name == "posix"
_ready = False


@dataclass(frozen=True)
class NotStarted:
    """A worker was handed a job before it was started."""


def start(log: Path, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> int:
    """Make this process a worker and return its number. Raises what the initializer raises.

    What the work prints is dropped; what it writes to stderr goes to `log`, where a crash or a
    time-out also leaves the traceback of the place. The process leads a group of its own, so that
    Ctrl-C does not reach it and its children end with it, and it ends when the parent ends.
    """
    global _ready
    _redirect(log)
    faulthandler.enable(all_threads=False)
    if _POSIX:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        faulthandler.register(signal.SIGTERM, all_threads=False, chain=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _mortal():
        if initializer is not None:
            initializer(*initargs)
    _ready = True
    return os.getpid()


def work(function: Callable[[Any], object], job: object) -> bytes:
    """Run one job; the pickled result, Failure or NotStarted. Nothing that it raises gets out."""
    if not _ready:
        return pickle.dumps(NotStarted())
    with contextlib.suppress(OSError):
        os.ftruncate(2, 0)
    try:
        with _mortal():
            return pickle.dumps(function(job))
    except BaseException as error:  # noqa: BLE001 - a job may raise anything; the parent gets it as a value
        return pickle.dumps(describe(error))


def fence() -> None:
    """Do nothing: when this has run, the job before it has ended one way or the other."""


@contextlib.contextmanager
def _mortal() -> Iterator[None]:
    """Let SIGTERM end the worker meanwhile; else it is blocked, and the end of its pipe ends the worker."""
    if _POSIX:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        if _POSIX:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _redirect(log: Path) -> None:
    output = os.open(os.devnull, os.O_WRONLY)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((output, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    if _POSIX:
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
