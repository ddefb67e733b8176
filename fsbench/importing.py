"""Imports plugins, which are named whatever their import does, optional packages, and what a text names."""

from __future__ import annotations

import faulthandler
import importlib
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from fsbench.errors import UsageError
from fsbench.words import to_install

PATIENCE_SECONDS = 10.0

_tell: Callable[[str], object] | None = None


def tell_of_imports(tell: Callable[[str], object] | None) -> None:
    """Call `tell` with a line before each import of a plugin in this process, and with "" after it."""
    global _tell
    _tell = tell


def named_object(place: str) -> Any:
    """The object that "module:name" names; the name may have dots. Raises ImportError or AttributeError."""
    module, _, name = place.partition(":")
    return operator.attrgetter(name)(importlib.import_module(module))


def needed(module: str, what: str, extra: str) -> Any:
    """A module that `what` needs, of a package of an extra. Raises UsageError, which says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        broken = "" if error.name == module.partition(".")[0] else f" ({error})"
        raise UsageError(f"{what} {to_install(f'fsbench[{extra}]')}{broken}") from error


@contextmanager
def importing(plugin: str) -> Iterator[None]:
    """Import a plugin inside.

    A slow import is reported on stderr, or to the function set by `tell_of_imports`. An import that crashes
    the process leaves its traceback; one that calls `os._exit` raises SystemExit instead. The working folder
    is restored afterwards.
    """
    crashes, folder = not faulthandler.is_enabled(), None
    with suppress(FileNotFoundError):  # the working folder may have been removed
        folder = os.getcwd()
    with _named(plugin), _no_way_out():
        if crashes:
            with suppress(OSError):  # there may be no stderr
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
        try:
            yield
        finally:
            _tell("")
        return
    advice = "" if plugin.startswith("fsbench:") else "; if that does not end, leave it out"
    text = f"fsbench: plugin {plugin} is still being imported{advice}\n"
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
