"""The file of a results store: made, opened and checked, and its errors in one clear line.

SQLite's rollback journal is used rather than its write-ahead log: it needs no shared memory, so it also works
in network folders, and a read-only folder can still be read.
"""

from __future__ import annotations

import shlex
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from fsbench import summaries
from fsbench.errors import StoreError

FILE_NAME = "fsbench.sqlite"
SCHEMA = 4
_APPLICATION_ID = 0x66736263
_SMALLEST_DATABASE = 512
_BUSY_SECONDS = 60.0
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RecursionError, zlib.error)
BESIDE = (
    "CREATE TABLE IF NOT EXISTS splits (fingerprint TEXT PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS influences (metric TEXT, key TEXT, data BLOB NOT NULL, "
    "PRIMARY KEY (metric, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS looks (number INTEGER PRIMARY KEY, data TEXT NOT NULL)",
    *summaries.TABLES,
    f"PRAGMA user_version = {SCHEMA}",
)
"""What is stored beside records; a store of an older version gets it with its next record."""
_TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE trials (key TEXT PRIMARY KEY, status TEXT NOT NULL, record TEXT NOT NULL)",
    "CREATE TABLE predictions (key TEXT PRIMARY KEY REFERENCES trials (key), data BLOB NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    *BESIDE,
)


class StoreFile:
    """An open store. Raises StoreError for every problem.

    With `create`, the folder and the file are created if necessary. Nothing is written before the first
    commit of a record, so a complete store in a read-only folder can be opened.
    """

    def __init__(self, folder: str | Path, create: bool = True) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE_NAME
        if create:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"cannot make the results folder {self.folder}: {error.strerror}; name another folder"
                ) from None
        elif not self.path.exists():
            raise StoreError(
                f"no results in {self.folder}; `{self._run}` or, in Python, "
                f"`fsbench.run(..., results={str(self.folder)!r})` produces some"
            )
        self._db = self._open("rwc" if create else "rw")
        try:
            self._prepare(create)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One transaction during which no other run can write to this store."""
        with self._errors():
            try:  # an interrupt may come between any two steps
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        with self._errors():
            return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)

    @property
    def _run(self) -> str:
        return f"fsbench run --results {shlex.quote(str(self.folder))}"

    def _prepare(self, create: bool) -> None:
        self._check_size()
        if self._is_empty():
            if not create:
                raise StoreError(f"{self.path} is empty; `{self._run}` fills it")
            with self.exclusive():
                if self._is_empty():
                    self._create()
        self._check_version()

    def _check_size(self) -> None:
        """Refuse a file of a few bytes, which SQLite would take for an empty database and overwrite."""
        if 0 < self.path.stat().st_size < _SMALLEST_DATABASE:
            raise StoreError(self._foreign())

    def _is_empty(self) -> bool:
        with self._errors():
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return not tables and not self._pragma("application_id")

    def _create(self) -> None:
        from fsbench import __version__

        for statement in _TABLES:
            self._db.execute(statement)
        self._db.execute("INSERT INTO about VALUES ('fsbench', ?)", (__version__,))

    def _check_version(self) -> None:
        if self._pragma("application_id") != _APPLICATION_ID:
            raise StoreError(self._foreign())
        found = self._pragma("user_version")
        if found <= SCHEMA:
            return
        with self._errors():
            row = self._db.execute("SELECT value FROM about WHERE name = 'fsbench'").fetchone()
        writer = row[0] if row else "a newer version"
        raise StoreError(
            f"{self.path} was written by fsbench {writer} (schema {found}, this one reads {SCHEMA}); "
            "upgrade fsbench or name another results folder"
        )

    def _has(self, table: str) -> bool:
        """Whether there is a table; a store of an older version lacks some."""
        with self._errors():
            found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
            return found.fetchone() is not None

    def _pragma(self, name: str) -> int:
        with self._errors():
            return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite into one clear line."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn the errors of reading damaged contents into one clear line."""
        try:
            yield
        except _DAMAGE as error:
            raise StoreError(
                f"{self.path} is damaged ({error}); restore a copy or name another results folder"
            ) from error

    def _foreign(self) -> str:
        return f"{self.path} is not an fsbench store; name another results folder"

    def _explain(self, error: sqlite3.Error) -> str:
        text = str(error)
        if "not a database" in text:
            return self._foreign()
        if "full" in text:
            return f"no space left for {self.path}; free some space, then run again to continue"
        if "locked" in text:
            return (
                f"{self.path} has been locked for {_BUSY_SECONDS:.0f} s; check that its folder supports "
                "file locks"
            )
        if "readonly" in text or "unable to open" in text:
            return f"cannot write {self.path} ({text}); name another results folder"
        return f"cannot use {self.path} ({text}); restore a copy or name another results folder"
