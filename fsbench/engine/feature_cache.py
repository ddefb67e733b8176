"""Features of samples on disk: one SQLite file for each frozen body, shared by workers, trials and runs.

A key is a hash of a sample's input, so a cache reveals nothing about labels, splits or positions in a
dataset, and serves every split of it. It may be deleted between runs; damaged parts are computed again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

Compute = Callable[[Sequence[bytes]], np.ndarray]
"""Computes features: `compute(keys)` returns float32 `[len(keys), D]`."""

Rows = dict[bytes, np.ndarray]

LIMIT = 4 * 2**30
_WINDOW = 500
_LEASE_SECONDS = 120.0
_POLL_SECONDS = 0.02
_BUSY_SECONDS = 30.0
_CRC = 4
_TABLES = """
    CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS leases (key BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
"""


class FeatureCache:
    """The features `[D]` float32 of samples in one file, by their keys.

    `limit` is the total number of bytes of the files in the folder; a full cache is read but no longer
    written. A file that cannot be used only costs time. A damaged file is left to the processes that have it
    open, and `NAME-1.sqlite` takes its place: if it were replaced, the journal of their last change would be
    read into the new file and damage it.
    """

    def __init__(self, path: Path, width: int, limit: int = LIMIT) -> None:
        self.path, self.width, self.limit = _newest(path), width, limit

    def get(self, keys: Sequence[bytes], compute: Compute, size: int) -> Rows:
        """The features of every key. Missing ones are computed, `size` samples at a time, and kept.

        A worker leases the samples that it computes, so that other workers compute others or wait. The lease
        of a worker that died expires.
        """
        found: Rows = {}
        for _ in range(2):
            try:
                self._fill(keys, compute, size, found)
                return found
            except (sqlite3.OperationalError, OSError):
                break
            except sqlite3.DatabaseError:
                self.path = _successor(self.path)
        missing = [key for key in keys if key not in found]
        for start in range(0, len(missing), size):
            part = missing[start : start + size]
            found.update(zip(part, compute(part), strict=True))
        return found

    def _fill(self, keys: Sequence[bytes], compute: Compute, size: int, found: Rows) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(self._connect()) as db:
            for window in _windows([key for key in keys if key not in found], _WINDOW):
                self._read(db, window, found)
            while missing := [key for key in keys if key not in found]:
                leased = self._lease(db, missing, size, found)
                if leased:
                    try:
                        values = compute(leased)
                        self._write(db, leased, values)
                    except BaseException:
                        self._release(db, leased)
                        raise
                    found.update(zip(leased, values, strict=True))
                elif len(found) < len(keys):
                    time.sleep(_POLL_SECONDS)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            # A power failure may damage the file, which is then rebuilt.
            db.execute("PRAGMA synchronous = OFF")
            db.executescript(_TABLES)
        except BaseException:
            db.close()
            raise
        return db

    def _read(self, db: sqlite3.Connection, keys: Sequence[bytes], found: Rows) -> None:
        marks = ", ".join("?" * len(keys))
        for key, value in db.execute(f"SELECT key, value FROM features WHERE key IN ({marks})", keys):
            row = _unpack(key, value, self.width)
            if row is not None:
                found[key] = row

    def _lease(self, db: sqlite3.Connection, missing: Sequence[bytes], size: int, found: Rows) -> list[bytes]:
        """Up to `size` keys to compute; features that others have finished meanwhile are read instead.

        A lease that lasts longer than any is from before the clock was set back.
        """
        for window in _windows(missing, _WINDOW):
            with _transaction(db):
                self._read(db, window, found)
                marks, now = ", ".join("?" * len(window)), time.time()
                held = db.execute(
                    f"SELECT key FROM leases WHERE until BETWEEN ? AND ? AND key IN ({marks})",
                    (now, now + _LEASE_SECONDS, *window),
                )
                taken = {key for (key,) in held}
                free = [key for key in window if key not in found and key not in taken][:size]
                until = now + _LEASE_SECONDS
                db.executemany("INSERT OR REPLACE INTO leases VALUES (?, ?)", [(key, until) for key in free])
            if free:
                return free
        return []

    def _release(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Let others compute what this worker could not. A lease that cannot be released expires."""
        with contextlib.suppress(sqlite3.Error), _transaction(db):
            db.executemany("DELETE FROM leases WHERE key = ?", [(key,) for key in keys])

    def _write(self, db: sqlite3.Connection, keys: Sequence[bytes], values: np.ndarray) -> None:
        room = sum(file.stat().st_size for file in self.path.parent.glob("*.sqlite")) < self.limit
        with _transaction(db):
            db.executemany("DELETE FROM leases WHERE key = ?", [(key,) for key in keys])
            if room:
                rows = [(key, _pack(key, value)) for key, value in zip(keys, values, strict=True)]
                db.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)


class MemoryCache:
    """The features of samples in memory, as long as they fit, for a body that no other trial has."""

    def __init__(self, limit: int = 2**26) -> None:
        self.rows: Rows = {}
        self.room = limit

    def get(self, keys: Sequence[bytes], compute: Compute, size: int) -> Rows:
        """The features of every key; missing ones are computed, `size` samples at a time."""
        found = {key: self.rows[key] for key in keys if key in self.rows}
        for part in _windows([key for key in keys if key not in found], size):
            values = compute(part)
            found.update(zip(part, values, strict=True))
            if values.nbytes <= self.room:
                self.room -= values.nbytes
                self.rows.update(zip(part, values, strict=True))
        return found


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")


def _windows(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _newest(path: Path) -> Path:
    """The latest file that replaced damaged ones; the path itself if there is none."""
    while (successor := _successor(path)).exists():
        path = successor
    return path


def _successor(path: Path) -> Path:
    stem, mark, number = path.stem.rpartition("-")
    return path.with_stem(f"{stem}-{int(number) + 1}" if mark and number.isdigit() else f"{path.stem}-1")


def _pack(key: bytes, row: np.ndarray) -> bytes:
    data = np.ascontiguousarray(row, dtype=np.float32).tobytes()
    return _checksum(key, data) + data


def _unpack(key: bytes, value: bytes, width: int) -> np.ndarray | None:
    """The row of a stored value, or None if it or its key is damaged."""
    data = value[_CRC:]
    if len(data) != 4 * width or _checksum(key, data) != value[:_CRC]:
        return None
    return np.frombuffer(data, dtype=np.float32)


def _checksum(key: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(key)).to_bytes(_CRC, "big")
