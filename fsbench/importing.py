"""What holds while a plugin is imported: whatever its import does, the plugin is named for it."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

PATIENCE_SECONDS = 10.0

_tell: Callable[[str], object] | None = None


def tell_of_imports(tell: Callable[[str], object] | None) -> None:
    """Have `tell` called with a line before each import of a plugin in this process, and with "" after it."""
    global _tell
    _tell = tell


@contextmanager
def importing(plugin: str) -> Iterator[None]:
    """Import a plugin inside.

    An import that takes long is named on stderr, or to who was set by `tell_of_imports`; one that crashes the
    process leaves its traceback; one that would leave it by `os._exit` raises SystemExit instead. The working
    folder is afterwards what it was.
    """
    crashes, folder = not faulthandler.is_enabled(), None
    with suppress(FileNotFoundError):  # one that is removed can be worked in
        folder = os.getcwd()
    with _named(plugin), _no_way_out():
        if crashes:
            with suppress(OSError):  # without a stderr there is nobody to tell
                faulthandler.enable(2, all_threads=False)
        try:
            yield
        finally:
            if crashes:
                faulthandler.disable()
            if folder is not None:
                os.chdir(folder)


@contextmanager
def _named(plugin: str) -> Iterator[None]:
    if _tell is not None:
        _tell(f"importing plugin {plugin}")
        yield
        _tell("")
        return
    text = f"fsbench: plugin {plugin} is still being imported; if that does not end, leave it out\n"
    patience = threading.Timer(PATIENCE_SECONDS, lambda: sys.stderr.write(text))
    patience.daemon = True
    patience.start()
    try:
        yield
    finally:
        patience.cancel()


@contextmanager
def _no_way_out() -> Iterator[None]:
    leave, process = os._exit, os.getpid()

    def raise_instead(status: int) -> NoReturn:
        if os.getpid() != process:  # a child that the import forked
            leave(status)
        raise SystemExit(f"it called os._exit({status})")

    os._exit = raise_instead
    try:
        yield
    finally:
        os._exit = leave
