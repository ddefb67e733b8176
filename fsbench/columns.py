"""Records as columns: what a report needs of them, in arrays, so that a million of them fit in memory.

What many records share, mostly texts, is kept once (`Shared`); there is an array for each kind of number.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar, get_args

import numpy as np

from fsbench.evidence import Evidence
from fsbench.record import Record, Status

Key = TypeVar("Key", bound=Hashable)


class Shared(NamedTuple):
    """What records of one strategy and task have in common. Fields are those of a record.

    `reason` is the kind and the message of a failure or a skip. `versions` and `metric_codes` are the items
    of the record's, sorted.
    """

    status: Status
    task: str
    recipe: str
    spec: str
    full_spec: str
    tuning: str
    uses: tuple[str, ...]
    notes: tuple[str, ...]
    reason: tuple[str, str] | None
    device: str
    versions: tuple[tuple[str, str], ...]
    metric_codes: tuple[tuple[str, str], ...]
    baseline: bool


STATUSES: tuple[Status, ...] = get_args(Status)
SHARED = Shared._fields
NUMBERS = (
    "seconds_fit",
    "seconds_predict",
    "train_accuracy",
    "peak_memory",
    "n_test",
    "overlap",
    "source_before",
    "source_after",
)
"""The numbers of a record that a report needs, besides its seeds, metrics and their resolution."""
_FIRST = ("key", "split_fingerprint", "created", "split_seed", "init_seed")
_CHUNK = 10_000


@dataclass(frozen=True)
class Columns:
    """N records as columns.

    `shared` holds each combination once, `code [N]` the number of a record's combination; `latest` is when
    the newest record of a combination was created. `key [N]` are the keys, as bytes. `split [N]`
    numbers the fingerprints of splits, `fingerprints`. `numbers` has a float64 array `[N]` for each of
    `NUMBERS`, `values` and `resolution` one for each metric that was asked for; NaN where a record has none.
    `evidence` is what is stored beside the records.
    """

    shared: tuple[Shared, ...]
    latest: tuple[str, ...]
    code: np.ndarray
    key: np.ndarray
    split_seed: np.ndarray
    init_seed: np.ndarray
    split: np.ndarray
    fingerprints: tuple[str, ...]
    numbers: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    resolution: dict[str, np.ndarray]
    evidence: Evidence = field(default_factory=Evidence)

    def __len__(self) -> int:
        return len(self.code)

    @cached_property
    def status(self) -> np.ndarray:
        """The place of each record's status in `STATUSES`, int8 `[N]`."""
        places = [STATUSES.index(shared.status) for shared in self.shared]
        found: np.ndarray = np.array(places, dtype=np.int8)[self.code]
        return found

    @cached_property
    def devices(self) -> np.ndarray:
        """The device of each combination, as texts."""
        return np.array([shared.device for shared in self.shared], dtype=str)

    @property
    def counts(self) -> np.ndarray:
        """The number of records of each combination."""
        return np.bincount(self.code, minlength=len(self.shared))

    def select(self, keep: Sequence[bool]) -> Columns:
        """The records of the combinations that are marked to keep."""
        kept = np.array(keep, dtype=bool)
        return self if kept.all() else self.only(kept[self.code])

    def only(self, rows: np.ndarray) -> Columns:
        """The records that are marked, bool `[N]`."""
        kept = np.bincount(self.code[rows], minlength=len(self.shared)) > 0
        renumbered = np.cumsum(kept) - 1

        def of_rows(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: array[rows] for name, array in arrays.items()}

        return replace(
            self,
            shared=tuple(each for each, stays in zip(self.shared, kept, strict=True) if stays),
            latest=tuple(each for each, stays in zip(self.latest, kept, strict=True) if stays),
            code=renumbered[self.code[rows]],
            key=self.key[rows],
            split_seed=self.split_seed[rows],
            init_seed=self.init_seed[rows],
            split=self.split[rows],
            numbers=of_rows(self.numbers),
            values=of_rows(self.values),
            resolution=of_rows(self.resolution),
        )

    def splits(self) -> Iterator[tuple[Shared, int, str]]:
        """The splits of each task, with their seeds and fingerprints, and what the first record shares.

        Successful and other records of a split count separately.
        """
        first: dict[tuple[str, bool], int] = {}
        task = np.array(
            [first.setdefault((s.task, s.status == "ok"), i) for i, s in enumerate(self.shared)], np.int64
        )
        seeds, place = np.unique(self.split_seed, return_inverse=True)
        shape = (len(self.shared), len(seeds), len(self.fingerprints))
        # As single numbers, they sort much faster than as rows of three.
        whole = np.ravel_multi_index((task[self.code], place, self.split), shape)
        for row in np.unique(whole, return_index=True)[1].tolist():
            shared = self.shared[self.code[row]]
            yield shared, int(self.split_seed[row]), self.fingerprints[self.split[row]]


def both(first: Columns, second: Columns, evidence: Evidence) -> Columns:
    """The records of the first and then those of the second, which have the same metrics, with evidence."""

    def end_to_end(name: str) -> np.ndarray:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    def by_name(name: str) -> dict[str, np.ndarray]:
        ours, theirs = getattr(first, name), getattr(second, name)
        return {key: np.concatenate([ours[key], theirs[key]]) for key in ours}

    return Columns(
        shared=first.shared + second.shared,
        latest=first.latest + second.latest,
        code=np.concatenate([first.code, second.code + len(first.shared)]),
        key=end_to_end("key"),
        split_seed=end_to_end("split_seed"),
        init_seed=end_to_end("init_seed"),
        split=np.concatenate([first.split, second.split + len(first.fingerprints)]),
        fingerprints=first.fingerprints + second.fingerprints,
        numbers=by_name("numbers"),
        values=by_name("values"),
        resolution=by_name("resolution"),
        evidence=evidence,
    )


def paths(metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Where a record in JSON has what `Builder` needs: what is shared, and the row of a record's own values.

    For a reason there are two places, of its kind and its message.
    """
    shared = [f"$.{name}" for name in SHARED if name != "reason"] + ["$.reason.kind", "$.reason.message"]
    values = [f'$.{part}."{name}"' for part in ("metrics", "resolution") for name in metrics]
    return shared, [f"$.{name}" for name in (*_FIRST, *NUMBERS)] + values


def read_shared(found: Sequence[Any]) -> Shared:
    """What is shared, from the values at the first of `paths`."""
    *most, kind, message = found
    values = dict(zip([name for name in SHARED if name != "reason"], most, strict=True))
    reason = None if kind is None and message is None else {"kind": kind, "message": message}
    return _shared(**values, reason=reason)


def of_records(
    records: Iterable[Record], metrics: Sequence[str], evidence: Evidence | None = None
) -> Columns:
    """The columns of some records, in their order, with the values of some metrics and the evidence."""
    builder: Builder[Shared] = Builder(metrics, lambda shared: shared)
    builder.add(*_rows(records, metrics))
    return builder.columns(evidence)


def shared_of(record: Record) -> Shared:
    """What a record shares with others."""
    fields = vars(record)
    return _shared(**{name: fields[name] for name in SHARED})


def of_list(fields: Sequence[Any]) -> Shared:
    """What JSON has made of a `Shared`: nested lists in place of tuples."""

    def frozen(value: Any) -> Any:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    return Shared(*map(frozen, fields))


def _rows(records: Iterable[Record], metrics: Sequence[str]) -> tuple[list[Shared], list[list[Any]]]:
    keys, rows = [], []
    for record in records:
        fields = vars(record)
        keys.append(shared_of(record))
        values = [part.get(name) for part in (record.metrics, record.resolution) for name in metrics]
        rows.append([*(fields[name] for name in (*_FIRST, *NUMBERS)), *values])
    return keys, rows


def _shared(**fields: Any) -> Shared:
    """A combination from fields of a record, which may be missing (None) in an older one."""
    reason, texts = fields["reason"], ("task", "recipe", "spec", "full_spec", "tuning", "device")
    values: dict[str, Any] = {name: fields[name] or "" for name in texts}
    values |= {name: tuple(fields[name] or ()) for name in ("uses", "notes")}
    values |= {name: tuple(sorted((fields[name] or {}).items())) for name in ("versions", "metric_codes")}
    values["baseline"] = bool(fields["baseline"])
    said = reason or {}
    values["reason"] = (
        None if reason is None else tuple(said.get(n) or "unknown" for n in ("kind", "message"))
    )
    return Shared(status=fields["status"], **values)


class Builder(Generic[Key]):
    """Collects records, a chunk at a time, into `Columns` with the values of some metrics.

    `read` makes what records share from a key that stands for it, once for each key.
    """

    def __init__(self, metrics: Sequence[str], read: Callable[[Key], Shared]) -> None:
        self._metrics = metrics
        self._read = read
        self._codes: dict[Key, int] = {}
        self._shared: dict[Shared, int] = {}
        self._latest: dict[int, str] = {}
        self._prints: dict[str, int] = {}
        self._names: list[np.ndarray] = []
        self._whole: list[np.ndarray] = []
        self._floats: list[np.ndarray] = []

    def add(self, keys: Sequence[Key], rows: Sequence[Sequence[Any]]) -> None:
        """Add records: the key of what each shares, and the values at the second of `paths`."""
        for first in range(0, len(keys), _CHUNK):
            part = slice(first, first + _CHUNK)
            names, prints, created, split_seed, init_seed, *numbers = zip(*rows[part], strict=True)
            codes = [self._code(key) for key in keys[part]]
            for code, when in zip(codes, created, strict=True):
                if (when or "") > self._latest[code]:
                    self._latest[code] = when
            splits = [self._prints.setdefault(each or "", len(self._prints)) for each in prints]
            self._names.append(np.array(names, dtype=np.bytes_))
            self._whole.append(np.array([codes, split_seed, init_seed, splits], dtype=np.int64))
            self._floats.append(np.array(numbers, dtype=np.float64))

    def columns(self, evidence: Evidence | None = None) -> Columns:
        """All records that were added, with the evidence beside them."""
        whole = np.concatenate([np.empty((4, 0), np.int64), *self._whole], axis=1)
        width = len(NUMBERS) + 2 * len(self._metrics)
        floats = np.concatenate([np.empty((width, 0)), *self._floats], axis=1)
        values, resolution = np.split(floats[len(NUMBERS) :], 2)
        return Columns(
            shared=tuple(self._shared),
            latest=tuple(self._latest[code] for code in range(len(self._shared))),
            code=whole[0],
            key=np.concatenate([np.empty(0, np.bytes_), *self._names]),
            split_seed=whole[1],
            init_seed=whole[2],
            split=whole[3],
            fingerprints=tuple(self._prints),
            numbers=dict(zip(NUMBERS, floats, strict=False)),
            values=dict(zip(self._metrics, values, strict=True)),
            resolution=dict(zip(self._metrics, resolution, strict=True)),
            evidence=evidence or Evidence(),
        )

    def _code(self, key: Key) -> int:
        code = self._codes.get(key)
        if code is None:
            shared = self._read(key)
            code = self._codes[key] = self._shared.setdefault(shared, len(self._shared))
            self._latest.setdefault(code, "")
        return code
