"""Ctrl-C and the signals that end a process, so that none gets lost and a run can say where it stopped.

Python raises KeyboardInterrupt at any point of the main thread. Code that clears exceptions, as some
extension modules do, loses it. Inside `heard` the interrupt is also remembered, and long waits call `check`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_USUAL: dict[str, Any] = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,
}
_asked = False
_last: int | None = None


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Inside, in the main thread, Ctrl-C is remembered as well as raised, unless the caller handles it.

    SIGTERM and SIGHUP raise KeyboardInterrupt too; `pass_on` then ends the process when all is in order.
    """
    global _asked, _last
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _asked, _last = False, None
    numbers = {getattr(signal, name): usual for name, usual in _USUAL.items() if hasattr(signal, name)}
    ours = {number: usual for number, usual in numbers.items() if signal.getsignal(number) is usual}
    for number in ours:
        signal.signal(number, _remember)
    try:
        yield
    finally:
        for number, usual in ours.items():
            signal.signal(number, usual)
        _asked = False


def ask() -> None:
    """Let the next `check` inside `heard` raise, as after Ctrl-C; any thread may ask."""
    global _asked
    _asked = True


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come, or a thread has asked, since `heard` began."""
    if _asked:
        raise KeyboardInterrupt


def pass_on() -> None:
    """End the process by the signal that ended what `heard` was around, unless it was Ctrl-C or none."""
    global _last
    if threading.current_thread() is not threading.main_thread():
        return
    number, _last = _last, None
    if number is not None and number != signal.SIGINT:
        os.kill(os.getpid(), number)


def _remember(number: int, frame: FrameType | None) -> None:
    global _asked, _last
    _asked, _last = True, number
    raise KeyboardInterrupt
