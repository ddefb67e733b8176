"""The results store: one SQLite file per results folder, written by the parent process only.

A record and its predictions are committed in one transaction, so a run that is killed at any moment loses
only the running trials. A commit costs a few milliseconds, a trial much more.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fsbench import summaries
from fsbench.columns import Builder, Columns, paths, read_shared
from fsbench.errors import StoreError
from fsbench.evidence import Drawn, Evidence, pack_influence, unpack_influences
from fsbench.looks import Look
from fsbench.record import Record, Trial, Tried
from fsbench.store_file import BESIDE, SCHEMA, StoreFile
from fsbench.types import DatasetInfo, info_from_dict, to_dict

_AT_ONCE = 10_000
_KEYS_AT_ONCE = 500
_TRIES = "CREATE TABLE IF NOT EXISTS tries (key TEXT PRIMARY KEY, tried TEXT NOT NULL)"
_VALIDATED = "CREATE TABLE IF NOT EXISTS validated (key TEXT PRIMARY KEY, logits BLOB, labels BLOB)"
_FINGERPRINTS = (
    "CREATE TABLE IF NOT EXISTS fingerprints (task TEXT, seed INTEGER, fingerprint TEXT, "
    "PRIMARY KEY (task, seed))"
)
_OWN = "CREATE TABLE IF NOT EXISTS own (name TEXT PRIMARY KEY, info TEXT NOT NULL)"
_PUT = """
    INSERT INTO trials (key, status, record) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET status = excluded.status, record = excluded.record
    WHERE trials.status <> 'ok'
"""


@dataclass(frozen=True, eq=False)
class Validated:
    """Logits float32 `[E, V, C]` of the validation part of a trial, and its labels int64 `[E, V]`."""

    logits: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Judgement:
    """A record and what is stored beside it, which only a successful trial has.

    `predictions` are logits float32 `[E, M, C]`, `influences` those of each test sample `[E, M]` by metric,
    `drawn` is what the record's split drew, stored once per split, and `validated` what it predicts for the
    validation part, from which strategies can be fused later.
    """

    record: Record
    predictions: np.ndarray | None = None
    influences: Mapping[str, np.ndarray] = field(default_factory=dict)
    drawn: Drawn | None = None
    validated: Validated | None = None


class Store(StoreFile):
    """The records and predictions in a results folder. Raises StoreError for every problem."""

    def commit(
        self,
        record: Record,
        predictions: np.ndarray | None = None,
        influences: Mapping[str, np.ndarray] | None = None,
        drawn: Drawn | None = None,
        validated: Validated | None = None,
    ) -> Record:
        """Store a record with what belongs to it (see `Judgement`); returns the stored record.

        The first "ok" record of a trial stays: a later one of the same key changes nothing.
        """
        with self.exclusive():
            self._upgrade()
            if self._write(Judgement(record, predictions, influences or {}, drawn, validated)):
                return record
            row = self._db.execute("SELECT record FROM trials WHERE key = ?", (record.key,)).fetchone()
            return self._read(row[0])

    def commit_all(self, found: Iterable[Record | Judgement]) -> None:
        """Store records, with what belongs to them, all of them or none; an "ok" record stays as it is."""
        with self.exclusive():
            self._upgrade()
            for each in found:
                self._write(each if isinstance(each, Judgement) else Judgement(each))

    def records(self) -> list[Record]:
        """Every record, in the order in which the trials were first stored."""
        with self._errors():
            rows = self._db.execute("SELECT record FROM trials ORDER BY rowid").fetchall()
        return [self._read(text) for (text,) in rows]

    def columns(self, metrics: Sequence[str]) -> Columns:
        """Every record as columns, in the order of `records`, with some metrics and the evidence.

        This is many times as fast as `records`: it reads the summaries or, in a store of an older version,
        lets SQLite pick what is needed from the texts.
        """
        if self._has("summaries"):
            with self._errors(), self._damage():
                if summaries.complete(self._db):
                    return summaries.read(self._db, metrics, self.evidence())
        shared, own = paths(metrics)
        places = [f"json_extract(record{', ?' * len(part)})" for part in (shared, own)]
        query = f"SELECT {', '.join(places)} FROM trials ORDER BY rowid"
        builder: Builder[str] = Builder(metrics, lambda text: read_shared(json.loads(text)))
        with self._errors(), self._damage():
            found = self._db.execute(query, (*shared, *own))
            while rows := found.fetchmany(_AT_ONCE):
                keys, values = zip(*rows, strict=True)
                builder.add(keys, json.loads(f"[{','.join(values)}]"))
        return builder.columns(self.evidence())

    def predictions(self, key: str) -> np.ndarray:
        """The logits of a trial's test part, float32 `[E, M, C]`, exactly as they were committed."""
        with self._errors():
            row = self._db.execute("SELECT data FROM predictions WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path} contains no predictions of trial {key}")
        with self._damage():
            return _unpack(row[0])

    def all_predictions(self, keys: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        """The predictions of several trials, one after the other, with their keys; only what is stored."""
        for rows in self._by_key("SELECT key, data FROM predictions WHERE key IN", keys):
            for key, data in rows:
                with self._damage():
                    logits = _unpack(data)
                yield key, logits

    def validated(self, key: str) -> Validated | None:
        """What a trial predicts for its validation part; None if it has none, or is of an older version."""
        if not self._has("validated"):
            return None
        with self._errors():
            row = self._db.execute("SELECT logits, labels FROM validated WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        with self._damage():
            return Validated(_unpack(row[0]), _unpack(row[1]).astype(np.int64))

    def evidence(self) -> Evidence:
        """What was drawn and how each test sample fared; nothing for records of older versions.

        Influences and predictions are read when they are asked for, also after this store has been closed.
        """
        if not self._has("splits"):
            return Evidence()
        with self._errors():
            rows = self._db.execute("SELECT fingerprint, data FROM splits").fetchall()
        with self._damage():
            drawn = {fingerprint: Drawn.unpack(data) for fingerprint, data in rows}
        read = partial(_influences, self.folder), tuple(self.looks()), partial(_predictions, self.folder)
        return Evidence(drawn, *read, own=self.own())

    def influences(self, metric: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The influence of each test sample on a metric, float32 `[E * M]`, by key; only what is stored."""
        if not self._has("influences"):
            return {}
        query = "SELECT key, data FROM influences WHERE metric = ? AND key IN"
        found: dict[str, np.ndarray] = {}
        for rows in self._by_key(query, keys, metric):
            with self._damage():
                arrays = unpack_influences([data for _, data in rows])
            found |= zip((key for key, _ in rows), arrays, strict=True)
        return found

    def keep_try(self, trial: Trial, tried: Tried, fingerprint: str) -> None:
        """Store what came of a try of a search; a later one of the same key takes its place.

        `fingerprint` is that of the split. Raises StoreError if the store has results of other data.
        """
        with self.exclusive():
            self._check_fingerprint(trial.task, trial.split_seed, fingerprint)
            self._db.execute(_TRIES)
            values = (trial.key, json.dumps(vars(tried)))
            self._db.execute("INSERT OR REPLACE INTO tries VALUES (?, ?)", values)

    def tries(self) -> dict[str, Tried]:
        """What came of every try of a search, by key."""
        rows = self._rows("tries", "SELECT key, tried FROM tries")
        with self._damage():
            return {key: Tried(**json.loads(text)) for key, text in rows}

    def fingerprints(self, records: Iterable[Record]) -> dict[tuple[str, int], str]:
        """The fingerprint of each split that results are on, by task and split seed.

        `records` are those of this store; one of an older version knows the splits from them alone.
        """
        found = {(each.task, each.split_seed): each.split_fingerprint for each in records}
        rows = self._rows("fingerprints", "SELECT task, seed, fingerprint FROM fingerprints")
        return {place: each for place, each in found.items() if each} | {(t, s): each for t, s, each in rows}

    def add_look(self, look: Look) -> None:
        """Store a look at results that are still being collected; later tables show its verdicts."""
        with self.exclusive():
            self._upgrade()
            self._db.execute("INSERT INTO looks (data) VALUES (?)", (look.to_json(),))

    def looks(self) -> list[Look]:
        """The stored looks, in their order."""
        rows = self._rows("looks", "SELECT data FROM looks ORDER BY number")
        with self._damage():
            return [Look.from_json(text) for (text,) in rows]

    def keep_own(self, infos: Iterable[DatasetInfo]) -> None:
        """Store what is known about the user's own data, for reports; writes only what is new.

        Records under the same name must be about this data (`SameData.check_own`).
        """
        known = self.own()
        new = [(info.text, json.dumps(to_dict(info))) for info in infos if info != known.get(info.text)]
        if new:
            with self.exclusive():
                self._db.execute(_OWN)
                self._db.executemany("INSERT OR REPLACE INTO own VALUES (?, ?)", new)

    def own(self) -> dict[str, DatasetInfo]:
        """What is known about users' own data, by its name; nothing in an older store."""
        rows = self._rows("own", "SELECT name, info FROM own")
        with self._damage():
            return {name: info_from_dict(json.loads(text)) for name, text in rows}

    def _rows(self, table: str, query: str) -> list[tuple[Any, ...]]:
        """What a query of a table finds; nothing in a store of an older version, which has no such table."""
        if not self._has(table):
            return []
        with self._errors():
            return self._db.execute(query).fetchall()

    def _upgrade(self) -> None:
        """Add, within a transaction, the tables that a store of an older version lacks."""
        if self._pragma("user_version") < SCHEMA:
            for statement in BESIDE:
                self._db.execute(statement)
            for record in self.records():
                summaries.put(self._db, record)

    def _write(self, judged: Judgement) -> bool:
        """Write a record and what belongs to it, unless the trial has an "ok" one; returns whether it did."""
        record, key = judged.record, judged.record.key
        if record.split_fingerprint:
            self._check_fingerprint(record.task, record.split_seed, record.split_fingerprint)
        text = json.dumps(record.to_dict())
        if not self._db.execute(_PUT, (key, record.status, text)).rowcount:
            return False
        summaries.put(self._db, record)
        if judged.predictions is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO predictions VALUES (?, ?)", (key, _pack(judged.predictions))
            )
        packed = [(name, key, pack_influence(each)) for name, each in judged.influences.items()]
        self._db.executemany("INSERT OR REPLACE INTO influences VALUES (?, ?, ?)", packed)
        if judged.validated is not None:
            self._db.execute(_VALIDATED)
            packed_too = _pack(judged.validated.logits), _pack(judged.validated.y)
            self._db.execute("INSERT OR REPLACE INTO validated VALUES (?, ?, ?)", (key, *packed_too))
        if judged.drawn is not None:
            self._keep_drawn(record.split_fingerprint, judged.drawn)
        return True

    def _check_fingerprint(self, task: str, seed: int, fingerprint: str) -> None:
        """Remember a split, within a transaction. Raises StoreError if another one was drawn before.

        So two runs at the same time cannot mix their data either.
        """
        self._db.execute(_FINGERPRINTS)
        self._db.execute("INSERT OR IGNORE INTO fingerprints VALUES (?, ?, ?)", (task, seed, fingerprint))
        query = "SELECT fingerprint FROM fingerprints WHERE task = ? AND seed = ?"
        (known,) = self._db.execute(query, (task, seed)).fetchone()
        if known != fingerprint:
            raise StoreError(other_data(self.path, task, seed, known, fingerprint[:12]))

    def _by_key(self, query: str, keys: Sequence[str], *values: str) -> Iterator[list[tuple[str, bytes]]]:
        """What a query ending in IN finds for keys, some at a time; `values` are its other parameters."""
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[first : first + _KEYS_AT_ONCE]
            places = ", ".join("?" * len(some))
            with self._errors(), self._damage():
                rows = self._db.execute(f"{query} ({places})", (*values, *some)).fetchall()
            yield rows

    def _keep_drawn(self, fingerprint: str, drawn: Drawn) -> None:
        known = self._db.execute("SELECT 1 FROM splits WHERE fingerprint = ?", (fingerprint,))
        if known.fetchone() is None:
            self._db.execute("INSERT INTO splits VALUES (?, ?)", (fingerprint, drawn.pack()))

    def _read(self, text: str) -> Record:
        with self._damage():
            return Record.from_dict(json.loads(text))


def other_data(place: Path, task: str, seed: int, before: str, now: str) -> str:
    """What to say when a split is not the one that stored results are on."""
    return (
        f"{place} contains results of {task} on other data, or drawn or read in another way (split {seed} "
        f"was {before[:12]}, is now {now}); results on different data cannot be mixed: name another results "
        "folder"
    )


def _influences(folder: Path, metric: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
    with Store(folder, create=False) as store:
        return store.influences(metric, keys)


def _predictions(folder: Path, keys: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    with Store(folder, create=False) as store:
        yield from store.all_predictions(keys)


def _pack(predictions: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(predictions, dtype=np.float32), allow_pickle=False)
    return zlib.compress(buffer.getvalue(), level=1)


def _unpack(data: bytes) -> np.ndarray:
    array: np.ndarray = np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)
    return array
