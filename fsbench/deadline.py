"""The end of a run's time: an observer that ends the run, and a watch for trials that run too long."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from fsbench import interrupts
from fsbench.errors import UsageError
from fsbench.progress import Observer

_TIME = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def in_seconds(text: str) -> float:
    """A time such as `90s`, `20m` or `1h30m`, in seconds. Raises UsageError."""
    parts = _TIME.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise UsageError(f"{text!r}: expected a time such as 90s, 20m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


class Deadline(Observer):
    """Passes a run's events on to another observer, and ends the run once a time in seconds is over.

    `clock` gives the time in seconds.
    """

    def __init__(self, inner: Observer, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + seconds
        self._changed = threading.Event()
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

    def end_within(self, seconds: float) -> None:
        """End the run in so many seconds, unless it ends earlier anyway."""
        self._ends = min(self._ends, self._clock() + seconds)
        self._changed.set()

    def finished(self, record: Any) -> None:
        """Pass on that a record is stored. Raises KeyboardInterrupt, as Ctrl-C does, when time is over."""
        self._inner.finished(record)
        if self.over:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, in the main thread, time that is over acts like Ctrl-C, whatever runs or waits.

        Another clock than that of the system cannot be watched.
        """
        main = threading.main_thread()
        if threading.current_thread() is not main or self._clock is not time.monotonic or main.ident is None:
            yield
            return
        left = threading.Event()
        watch = threading.Thread(target=self._watch, args=(main.ident, left), daemon=True)
        watch.start()
        try:
            yield
        finally:
            left.set()
            self._changed.set()
            watch.join()  # so that an interrupt does not come later than here

    def _watch(self, thread: int, left: threading.Event) -> None:
        """Interrupt a thread when time is over, unless what was watched has been left by then."""
        while not self.over:
            self._changed.wait(min(self.left, threading.TIMEOUT_MAX))
            self._changed.clear()
            if left.is_set():
                return
        interrupts.ask()
        signal.pthread_kill(thread, signal.SIGINT)  # of no effect in a shell's background, which ignores it
