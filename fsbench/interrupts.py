"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt at any point of the main thread. Code that clears exceptions, as some
extension modules do, loses it. Inside `heard` the interrupt is also remembered, and long waits call `check`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_asked = False


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Inside, in the main thread, Ctrl-C is remembered as well as raised, unless the caller handles it."""
    global _asked
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _asked = False
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _asked = False


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed since `heard` began."""
    if _asked:
        raise KeyboardInterrupt


def _remember(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt
