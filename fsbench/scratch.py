"""A run's own folder for materialised splits, below the results folder."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from pathlib import Path
from types import TracebackType

from fsbench.errors import StoreError
from fsbench.store import Store

FOLDER = ".splits"
_LOCK = "alive"


class Scratch:
    """A folder that lives as long as the run: `path` inside a `with` block.

    Entering also removes what killed runs left behind. A run that lives holds an SQLite lock in its
    folder, which works wherever the store works; folders come and go only while the store's own
    lock is held, so runs that start at once do not disturb each other. Raises StoreError.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._base = store.folder / FOLDER
        self.path = self._base / secrets.token_hex(8)

    def __enter__(self) -> Scratch:
        try:
            with self._store.exclusive():
                _sweep(self._base)
                self.path.mkdir(parents=True)
                self._lock = _acquire(self.path)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder {self.path}: {error.strerror}; name another folder with --results"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._store.exclusive():
            self._lock.close()
            _remove(self.path)
            if not any(self._base.iterdir()):
                self._base.rmdir()


def sweep(store: Store) -> None:
    """Remove what killed runs left behind, if there is anything and the folder can be written."""
    base = store.folder / FOLDER
    if base.exists() and os.access(store.folder, os.W_OK):
        with store.exclusive():
            _sweep(base)
            if not any(base.iterdir()):
                base.rmdir()


def _sweep(base: Path) -> None:
    for folder in base.iterdir() if base.exists() else ():
        try:
            _acquire(folder).close()
        except sqlite3.OperationalError:
            continue
        _remove(folder)


def _acquire(folder: Path) -> sqlite3.Connection:
    """Hold the lock of a run's folder. Raises sqlite3.OperationalError if a living run holds it."""
    lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise
    return lock


def _remove(folder: Path) -> None:
    # What cannot be removed now (a worker that is ending still writes there) the next run sweeps.
    shutil.rmtree(folder, ignore_errors=True)
