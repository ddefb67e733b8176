"""The end of a run's time: an observer that ends the run, and a watch for trials that run too long."""

from __future__ import annotations

import _thread
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from fsbench.progress import Observer


class Deadline(Observer):
    """Passes a run's events on to another observer, and ends the run once a time in seconds is over.

    `clock` gives the time in seconds.
    """

    def __init__(self, inner: Observer, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + seconds
        for name in dir(Observer):
            if not name.startswith("_") and getattr(type(self), name) is getattr(Observer, name):
                setattr(self, name, getattr(inner, name))
        self._inner = inner

    @property
    def left(self) -> float:
        """The seconds that are left, at least 0."""
        return max(0.0, self._ends - self._clock())

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self._clock() >= self._ends

    def finished(self, record: Any) -> None:
        """Pass on that a record is stored. Raises KeyboardInterrupt, as Ctrl-C does, when time is over."""
        self._inner.finished(record)
        if self.over:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, in the main thread, a KeyboardInterrupt is raised when time is over, whatever runs."""
        if threading.current_thread() is not threading.main_thread() or self._clock is not time.monotonic:
            yield
            return
        watch = threading.Timer(self.left, _thread.interrupt_main)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
