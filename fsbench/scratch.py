"""A run's own folder for materialised splits, below the results folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
from pathlib import Path
from types import TracebackType

from fsbench.errors import StoreError
from fsbench.store import Store

FOLDER = ".splits"
_LOCK = "alive"
_OWN = re.compile(r"run-[0-9a-f]{16}")


class Scratch:
    """A folder that exists as long as the run: `path` inside a `with` block.

    Entering also removes the folders of killed runs. An active run holds an SQLite lock in its folder, which
    works wherever the store works. Folders are created and removed only while the store's own lock is held,
    so runs that start at the same time do not disturb each other. Nothing else is ever removed: nothing
    behind a link, and no folder without the name and the lock of a run. Raises StoreError.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._base = store.folder / FOLDER
        self.path = self._base / f"run-{secrets.token_hex(8)}"

    def __enter__(self) -> Scratch:
        if _is_link(self._base):
            raise StoreError(
                f"{self._base} is a link; expected a folder that fsbench creates and removes: remove the link"
            )
        try:
            with self._store.exclusive():
                _sweep(self._base)
                self._base.mkdir(exist_ok=True)
                self.path.mkdir(mode=0o700)
                self._lock = _acquire(self.path, "rwc")
        except OSError as error:
            raise StoreError(
                f"cannot make the folder {self.path}: {error.strerror}; name another results folder"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._store.exclusive():
            self._lock.close()
            if not _is_link(self._base) and not _is_link(self.path):
                _remove(self.path)
            _remove_if_empty(self._base)


def sweep(store: Store) -> None:
    """Remove the folders of killed runs, if there are any and the results folder can be written."""
    base = store.folder / FOLDER
    if base.is_dir() and os.access(store.folder, os.W_OK):
        with store.exclusive():
            _sweep(base)
            _remove_if_empty(base)


def _sweep(base: Path) -> None:
    if not base.is_dir() or _is_link(base):
        return
    for folder in base.iterdir():
        if not _OWN.fullmatch(folder.name) or _is_link(folder):
            continue
        lock = folder / _LOCK
        if lock.is_file() and not _is_link(lock):
            try:
                _acquire(folder, "rw").close()
            except sqlite3.DatabaseError:  # locked by an active run, or not the file of a run
                continue
            _remove(folder)
        else:
            _remove_if_empty(folder)  # left by a run that was killed before it had its lock


def _acquire(folder: Path, mode: str) -> sqlite3.Connection:
    """Hold the lock of a run's folder. Raises sqlite3.OperationalError if an active run holds it."""
    uri = f"{(folder / _LOCK).absolute().as_uri()}?mode={mode}"
    lock = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError:
        lock.close()
        raise
    return lock


def _is_link(path: Path) -> bool:
    """Whether a path is a symbolic link or a junction of Windows."""
    return path.resolve() != path.parent.resolve() / path.name


def _remove(folder: Path) -> None:
    # If it cannot be removed now (an ending worker still writes there), the next run removes it.
    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if not _is_link(folder):
            folder.rmdir()
