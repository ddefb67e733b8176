"""Joins published files: only like with like, and each trial once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fsbench.code import split_marks
from fsbench.errors import StoreError
from fsbench.provenance import AGREEMENTS, Provenance, Verification
from fsbench.record import Record, Status
from fsbench.report.agreement import compare_runs, setting_of
from fsbench.report.contradictions import Run
from fsbench.report.names import identity
from fsbench.report.published import Contents, read
from fsbench.words import plural

Beside = TypeVar("Beside", bytes, str)
_RANKS: Mapping[Status, int] = {"skipped": 0, "failed": 1, "ok": 2}
Said = dict[str, set[str]]
"""What records say about something, such as the recipe of a task: for each, the values that occur."""


def merge(paths: Sequence[Path], any_version: bool = False) -> tuple[Contents, list[str]]:
    """The contents of several published files as those of one, and a line for each file that repeats trials.

    Of a trial that several files have, a successful record counts more than a failed one, that more than a
    skipped one, and an earlier file more than a later one. Where different runs agree, they count as
    reproduced by the publisher of the later file. Raises StoreError for files that must not be joined: with
    other data of users, different splits, recipes, code or, unless `any_version`, packages, and for records
    of one trial that do not agree. The error names the difference.
    """
    first, *others = paths
    whole, lines = read(first), []
    for other in others:
        contents = read(other)
        for what, say in _COMPARED.items():
            if not (any_version and what == "version"):
                _refuse_unlike(what, say(whole), say(contents), first, other)
        whole, said = _joined(whole, contents, other)
        lines += said
    return whole, lines


def _refuse_unlike(what: str, ours: Said, theirs: Said, one: Path, other: Path) -> None:
    """Raise StoreError for a thing about which neither knows all that the other says."""
    for about in sorted(ours.keys() & theirs.keys()):
        if not (ours[about] <= theirs[about] or theirs[about] <= ours[about]):
            values = [" and ".join(sorted(each)) for each in (ours[about], theirs[about])]
            hint = "; --any-version joins them all the same" if what == "version" else ""
            raise StoreError(
                f"cannot join {one} and {other}: the {what} of {about} is {values[0]} in the first and "
                f"{values[1]} in the second{hint}"
            )


def _said(pairs: Iterable[tuple[str, str]]) -> Said:
    found: Said = defaultdict(set)
    for about, value in pairs:
        if value:
            found[about].add(value)
    return found


def _data(contents: Contents) -> Said:
    """The fingerprints of users' own data, whose names others may have given to other data."""
    marked = {
        pair for drawn in contents.drawn.values() for pair in zip(drawn.datasets, drawn.marks, strict=False)
    }
    return _said((f"the dataset {name}", mark) for name, mark in marked)


def _splits(contents: Contents) -> Said:
    records = contents.records
    return _said((f"split {r.split_seed} of {r.task}", r.split_fingerprint[:16]) for r in records)


def _recipes(contents: Contents) -> Said:
    return _said((r.task, r.recipe) for r in contents.records)


def _code(contents: Contents) -> Said:
    """The full specs of each strategy on each task, and the marks of the core and of metrics.

    Skipped trials have no result that could be unlike: weights that are not installed are other contents.
    """
    records = contents.records
    specs = {(r.spec, r.task, identity(r)) for r in records if r.status != "skipped"}
    pairs = [(f"{spec} on {task}", full) for spec, task, full in specs]
    pairs += [("fsbench", split_marks(full).core or "unmarked") for _, _, full in specs]
    pairs += [(f"metric {name}", mark) for r in records for name, mark in r.metric_codes.items()]
    return _said(pairs)


def _versions(contents: Contents) -> Said:
    good = (record for record in contents.records if record.status == "ok")
    return _said((name, version) for record in good for name, version in record.versions.items())


_COMPARED: dict[str, Callable[[Contents], Said]] = {
    "content": _data,
    "fingerprint": _splits,
    "recipe": _recipes,
    "code": _code,
    "version": _versions,
}
"""What must be alike, by its name in an error."""


def _joined(ours: Contents, theirs: Contents, path: Path) -> tuple[Contents, list[str]]:
    """Both contents as one, and a line about the trials that both have. Raises StoreError for a mismatch."""
    known = {record.key: record for record in ours.records}
    new = {r.key: r for r in theirs.records if r.key not in known or _is_better(r, known[r.key])}
    kept = _once_skipped([r for r in ours.records if r.key not in new] + list(new.values()))
    theirs_kept = sum(new.get(r.key) is r for r in kept)
    again = _compared(ours, theirs, path)
    verified = [*ours.verified, *(each for each in theirs.verified if each not in ours.verified)]
    if again and theirs.publishers:
        dates = [each.last for each in theirs.provenance]
        hardware = tuple(sorted({r.device for r in theirs.records if r.key in again and r.device}))
        verified.append(Verification(" or ".join(theirs.publishers), max(dates), hardware, again))
    counts = Counter(again.values())
    shown = ", ".join(f"{counts[word]} {word}" for word in AGREEMENTS if counts[word])
    return Contents(
        kept,
        _beside(ours.influences, theirs.influences, new.keys()),
        _beside(ours.digests, theirs.digests, new.keys()),
        {**theirs.drawn, **ours.drawn},
        (
            *_with_records(ours, len(kept) - theirs_kept),
            *_with_records(theirs, theirs_kept),
        ),
        tuple(verified),
    ), [f"{path}: {plural(len(again), 'trial')} again, {shown}"] if again else []


def _beside(
    ours: Mapping[str, Beside], theirs: Mapping[str, Beside], new: Collection[str]
) -> dict[str, Beside]:
    """What belongs to the records that are kept: of theirs those that are `new`."""
    kept = {key: each for key, each in ours.items() if key not in new}
    return kept | {key: each for key, each in theirs.items() if key in new}


def _with_records(contents: Contents, kept: int) -> Iterator[Provenance]:
    """Where contents come from, with the number of records that are `kept` of them.

    Of several publishers, whose records are not told apart, the first ones count.
    """
    for each in contents.provenance:
        records = min(each.records, kept)
        kept -= records
        yield replace(each, records=records)


def _once_skipped(records: Sequence[Record]) -> tuple[Record, ...]:
    """Records without those skipped trials that another file did run, or skipped too, with other contents."""
    known = {_trial(record) for record in records if record.status != "skipped"}
    kept = []
    for record in records:
        if record.status != "skipped" or _trial(record) not in known:
            kept.append(record)
            known.add(_trial(record))
    return tuple(kept)


def _trial(record: Record) -> tuple[object, ...]:
    """What a record is about, whatever the code and the contents."""
    return record.spec, *setting_of(record), record.split_seed, record.init_seed


def _is_better(record: Record, than: Record) -> bool:
    return _RANKS[record.status] > _RANKS[than.status]


def _compared(ours: Contents, theirs: Contents, path: Path) -> dict[str, str]:
    """How the successful records that both have agree, by key. Raises StoreError for a mismatch."""
    good = {record.key: record for record in ours.records if record.status == "ok"}
    alike: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in good.values():
        alike[setting_of(record)].append(record)
    found: dict[str, str] = {}
    for record in theirs.records:
        own = good.get(record.key)
        # A record that is equal to the last millisecond is a copy of the same run.
        if record.status == "ok" and own is not None and record != own:
            runs = Run.of(own, ours, "in the others"), Run.of(record, theirs, f"in {path.name}")
            found[own.key], why = compare_runs(*runs, alike[setting_of(own)])
            if why:
                raise StoreError(
                    f"{path} does not reproduce {own.spec} on {own.task}, split seed {own.split_seed}: "
                    f"{why}; leave one of them out"
                )
    return found
