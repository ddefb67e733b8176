"""What a report needs of each record of a store, beside the records, so that their texts need not be read.

A summary follows from the text of its record. It has the record's numbers in one blob of float64, and refers
to what the record shares with others, mostly texts, which are stored once. If a record is changed by other
means than this module, a trigger removes its summary.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from fsbench.columns import NUMBERS, Columns, Shared, of_list, shared_of
from fsbench.evidence import Evidence
from fsbench.record import Record

Thing = TypeVar("Thing", bound=Hashable)

TABLES = (
    "CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS summaries (trial INTEGER PRIMARY KEY, key TEXT NOT NULL, "
    "created TEXT NOT NULL, numbers BLOB NOT NULL, shared INTEGER NOT NULL, split INTEGER NOT NULL, "
    "layout INTEGER NOT NULL, split_seed INTEGER NOT NULL, init_seed INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER IF NOT EXISTS no_summary_after_{what} AFTER {what} ON trials "
        "BEGIN DELETE FROM summaries WHERE trial = OLD.rowid; END"
        for what in ("update", "delete")
    ),
)
_PUT = "INSERT OR REPLACE INTO summaries SELECT rowid, key, ?, ?, ?, ?, ?, ?, ? FROM trials WHERE key = ?"
_READ = (
    "SELECT key, created, numbers, shared, split, layout, split_seed, init_seed FROM summaries ORDER BY trial"
)
_AT_ONCE = 10_000


def put(db: sqlite3.Connection, record: Record) -> None:
    """Store the summary of a record that was written to `trials` in the same transaction."""
    names = sorted({*record.metrics, *record.resolution})
    values = [getattr(record, name) for name in NUMBERS]
    values += [part.get(name) for part in (record.metrics, record.resolution) for name in names]
    shared, layout = (json.dumps(each) for each in (shared_of(record), _names(names)))
    numbers = [_number(db, text) for text in (shared, record.split_fingerprint, layout)]
    seeds = record.split_seed, record.init_seed
    blob = np.array(values, "<f8").tobytes()
    db.execute(_PUT, (record.created, blob, *numbers, *seeds, record.key))


def complete(db: sqlite3.Connection) -> bool:
    """Whether every record has a summary."""
    (trials,), (summaries,) = (
        db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("trials", "summaries")
    )
    return bool(trials == summaries)


def read(db: sqlite3.Connection, metrics: Sequence[str], evidence: Evidence) -> Columns:
    """All records as columns, in the order in which they were first stored. Raises ValueError for damage."""
    texts: dict[int, str] = dict(db.execute("SELECT number, text FROM texts"))
    newest: dict[int, str] = {}
    keys, whole = [np.empty(0, np.bytes_)], [np.empty((5, 0), np.int64)]
    wanted = _names(metrics)
    floats = [np.empty((len(wanted), 0))]
    found = db.execute(_READ)
    while rows := found.fetchmany(_AT_ONCE):
        names, created, blobs, *others = zip(*rows, strict=True)
        for number, when in zip(others[0], created, strict=True):
            if when > newest.setdefault(number, ""):
                newest[number] = when
        keys.append(np.array(names, np.bytes_))
        whole.append(np.array(others, np.int64))
        floats.append(_floats(blobs, whole[-1][2], texts, wanted))
    shared, split, _, split_seed, init_seed = np.concatenate(whole, axis=1)
    each = {number: of_list(json.loads(texts[number])) for number in newest}
    latest: dict[Shared, str] = {}
    for number, when in newest.items():
        latest[each[number]] = max(when, latest.get(each[number], ""))
    code, combinations = _coded(shared, each)
    split, fingerprints = _coded(split, texts)
    ends = len(NUMBERS), len(NUMBERS) + len(metrics)
    numbers, values, resolution = np.split(np.concatenate(floats, axis=1), ends)
    return Columns(
        shared=combinations,
        latest=tuple(latest[each] for each in combinations),
        code=code,
        key=np.concatenate(keys),
        split_seed=split_seed,
        init_seed=init_seed,
        split=split,
        fingerprints=fingerprints,
        numbers=dict(zip(NUMBERS, numbers, strict=True)),
        values=dict(zip(metrics, values, strict=True)),
        resolution=dict(zip(metrics, resolution, strict=True)),
        evidence=evidence,
    )


def _floats(
    blobs: Sequence[bytes], layout: np.ndarray, texts: Mapping[int, str], wanted: Sequence[str]
) -> np.ndarray:
    """The numbers of some records that are wanted, a row for each name and a column for each record.

    `layout` has the number of the text that names a record's numbers; NaN stands for those that it lacks.
    """
    found = np.full((len(wanted), len(blobs)), np.nan)
    for number in np.unique(layout).tolist():
        which, names = np.flatnonzero(layout == number), json.loads(texts[number])
        stored = np.frombuffer(b"".join([blobs[i] for i in which.tolist()]), "<f8").reshape(-1, len(names))
        for row, name in enumerate(wanted):
            if name in names:
                found[row, which] = stored[:, names.index(name)]
    return found


def _coded(numbers: np.ndarray, things: Mapping[int, Thing]) -> tuple[np.ndarray, tuple[Thing, ...]]:
    """The place of what each number stands for, and these things in the order of their first occurrence."""
    unique, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    places: dict[Thing, int] = {}
    codes = np.empty(len(unique), np.int64)
    for i in np.argsort(first).tolist():
        codes[i] = places.setdefault(things[int(unique[i])], len(places))
    return codes[inverse], tuple(places)


def _names(metrics: Sequence[str]) -> list[str]:
    """The names of the numbers of a record with some metrics."""
    return [*NUMBERS, *(f"{part}.{name}" for part in ("metrics", "resolution") for name in metrics)]


def _number(db: sqlite3.Connection, text: str) -> int:
    """The number of a text, which is stored if it is new."""
    db.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", (text,))
    return int(db.execute("SELECT number FROM texts WHERE text = ?", (text,)).fetchone()[0])
