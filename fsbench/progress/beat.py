"""A thread that shows regularly that a program is alive while its main thread works."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Beat:
    """Calls a function every so many seconds in a thread of its own, from `start` to `stop`."""

    def __init__(self, call: Callable[[], object], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._run, name="fsbench progress", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait until its last call is over."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            self._call()
