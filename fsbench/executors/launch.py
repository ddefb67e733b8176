"""How worker processes come to life: forked from a server that has imported torch, or spawned."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
# Imports that take longer than many a trial must not count as its time: the first optimizer of a process
# imports torch._dynamo, the first classifier or sampler scikit-learn and imbalanced-learn.
_PRELOAD = [
    "numpy",
    "torch",
    "torch._dynamo",
    "fsbench.engine.trial",
    "fsbench.engine.worker",
    "fsbench.executors.pool",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.svm",
    "imblearn.over_sampling",
    "imblearn.under_sampling",
]
# glibc hands a large array back to the system when it is freed, and a training step asks for the same ones
# again: `benchmarks/allocation.py` prints what keeping them saves.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
_BLOCKED = {signal.SIGINT, signal.SIGTERM}
_base = multiprocessing.get_context(METHOD)
_lock = threading.RLock()


class WorkerProcess(_base.Process):  # type: ignore[name-defined, misc]
    """A process that starts without importing the caller's script, with one thread per library."""

    def start(self) -> None:
        """Start the process."""
        with _launching():
            super().start()

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return _wake, (bytes(ForkingPickler.dumps(vars(self))),)


def _wake(pickled: bytes) -> object:
    """The process object in the new process, which ends if the pool was stopped while it started.

    Then the locks that came with it are gone, which is nobody's fault: an error without a file's name.
    """
    try:
        values = pickle.loads(pickled)
    except FileNotFoundError as error:
        if error.filename is not None:
            raise
        os._exit(1)
    process = WorkerProcess.__new__(WorkerProcess)
    process.__dict__.update(values)
    return process


class _Context(type(_base)):  # type: ignore[misc]
    Process = WorkerProcess


CONTEXT = _Context()


def warm_up() -> None:
    """Begin to import torch for the workers to come, in the background, where workers are forked."""
    if METHOD == "forkserver":
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(_PRELOAD)
        with _launching():
            forkserver.ensure_running()


@contextmanager
def _launching() -> Iterator[None]:
    """While a process is started: hide the caller's script from it, block signals, ask for one thread.

    A worker has no use for the script that called fsbench, and a script without the usual
    `if __name__ == "__main__"` would run once more in every worker.
    """
    with _lock:
        script = sys.modules["__main__"]
        environment = {name: os.environ.get(name) for name in ENVIRONMENT}
        mask = _block_signals() if METHOD == "forkserver" else None
        sys.modules["__main__"] = types.ModuleType("__main__")
        os.environ.update(ENVIRONMENT)
        try:
            yield
        finally:
            sys.modules["__main__"] = script
            for name, value in environment.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _block_signals() -> set[int | signal.Signals]:
    """Block signals for what is started next; returns the mask to restore."""
    from multiprocessing import resource_tracker

    # Starting the tracker unblocks Ctrl-C, and a server of workers would start it on its way: so first.
    resource_tracker.ensure_running()
    return signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
