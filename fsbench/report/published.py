"""Published records: one JSON object per line, in an order and a form that keeps diffs readable."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.columns import Columns, of_records
from fsbench.errors import StoreError
from fsbench.evidence import Drawn, Evidence, pack_influence, unpack_influences
from fsbench.metrics import DEFAULT_METRIC
from fsbench.provenance import Provenance, Verification
from fsbench.record import Record
from fsbench.report.entries import natural
from fsbench.report.lines import Published, Split, read_lines, replace_lines
from fsbench.report.logits import PublishedPredictions, beside, could_predict, digest
from fsbench.words import plural

# Fields that change from run to run, or describe the machine rather than the result.
_LEFT_OUT = ("created",)
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\|/)(?:[^\s'\"/\\:]+[/\\])+")


@dataclass(frozen=True, eq=False)
class Contents:
    """What a published file contains. Influences, in packed form, and digests of predictions are by key.

    `logits` are the predictions in the file beside it, if there is one.
    """

    records: tuple[Record, ...]
    influences: Mapping[str, bytes] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    provenance: tuple[Provenance, ...] = ()
    verified: tuple[Verification, ...] = ()
    logits: PublishedPredictions | None = None

    @property
    def publishers(self) -> tuple[str, ...]:
        """Who published it, as far as that is said."""
        return tuple(dict.fromkeys(each.by for each in self.provenance if each.by))

    @property
    def evidence(self) -> Evidence:
        """The evidence for reports; a published file has influences on the default metric only."""

        def influences(metric: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
            if metric != DEFAULT_METRIC:
                return {}
            found = self.influences
            known = [key for key in keys if key in found]
            return dict(zip(known, unpack_influences([found[key] for key in known]), strict=True))

        return Evidence(
            self.drawn,
            influences,
            predictions=self._predictions,
            provenance=self.provenance,
            verified=self.verified,
        )

    def _predictions(self, keys: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        """The predictions of trials that have a digest. Raises StoreError if they were not published."""
        if self.logits is None:
            return
        split_of = {record.key: record.split_fingerprint for record in self.records}
        for key, logits in self.logits.of(key for key in keys if key in self.digests):
            drawn = self.drawn.get(split_of[key])
            if digest(logits) != self.digests[key] or not (drawn and could_predict(logits, drawn.test_y)):
                raise StoreError(
                    f"{self.logits.path} has other predictions of the trial {key} than were published; "
                    "fetch it again or remove it"
                )
            yield key, logits


def gathered(records: Iterable[Record], evidence: Evidence, by: str = "") -> Contents:
    """What is published of some records and of the evidence beside them; `by` says who publishes it.

    Lines are sorted by task, strategy, recipe and seeds. Each record also has the influences of test samples
    on the default metric, and lines at the end have what the splits drew: both in base64, of zlib's
    compression and of `Drawn.pack`. Tracebacks, dates and folders (also that of a weights file in a spec) are
    left out, and seconds are rounded to milliseconds; metrics, device and versions are kept.
    """
    found = tuple(records)
    keys = [record.key for record in found]
    splits = {record.split_fingerprint for record in found}
    return Contents(
        found,
        {key: pack_influence(each) for key, each in evidence.influences(DEFAULT_METRIC, keys).items()},
        {key: digest(logits) for key, logits in evidence.predictions(keys)},
        {split: drawn for split, drawn in evidence.drawn.items() if split in splits},
        (_provenance(found, by),) if found else (),
    )


def write(contents: Contents, path: str | Path) -> None:
    """Write a published file as a whole. Raises StoreError if that is impossible."""
    replace_lines(
        Path(path), (json.dumps(line, sort_keys=True, allow_nan=False) for line in _lines(contents))
    )


def read_jsonl(path: str | Path) -> list[Record]:
    """The records of a published file. Raises StoreError, which names the line at fault."""
    return list(read(path).records)


def read_columns(path: str | Path, metrics: Sequence[str]) -> Columns:
    """The records of a file as columns, with some metrics and the evidence. Raises StoreError as above."""
    contents = read(path)
    return of_records(contents.records, metrics, contents.evidence)


def read(path: str | Path) -> Contents:
    """What a published file contains. Raises StoreError, which names the line at fault."""
    records: dict[str, tuple[int, Published]] = {}
    drawn: dict[str, Drawn] = {}
    others: list[Provenance | Verification] = []
    for number, line in read_lines(path):
        if isinstance(line, Split):
            drawn[line.fingerprint] = line.drawn
        elif isinstance(line, Published):
            first, _ = records.setdefault(line.record.key, (number, line))
            if first != number:
                raise StoreError(
                    f"{path}, line {number} has the trial of line {first} again; remove one of them"
                )
        else:
            others.append(line)
    found = [published for _, published in records.values()]
    if not (found or drawn or others):
        raise StoreError(f"{path} is empty; expected a file of `fsbench publish`")
    _refuse_cut_off(path, found, drawn, [each for each in others if isinstance(each, Provenance)])
    return Contents(
        tuple(each.record for each in found),
        {each.record.key: each.influence for each in found if each.influence is not None},
        {each.record.key: each.digest for each in found if each.digest},
        drawn,
        tuple(each for each in others if isinstance(each, Provenance)),
        tuple(each for each in others if isinstance(each, Verification)),
        PublishedPredictions(found_beside) if (found_beside := beside(Path(path))).is_file() else None,
    )


def _refuse_cut_off(
    path: str | Path, found: Sequence[Published], drawn: Mapping[str, Drawn], came: Sequence[Provenance]
) -> None:
    """Raise StoreError for a file that has fewer records than it says, or not the splits of all of them."""
    if len(found) < (said := sum(each.records for each in came)):
        raise StoreError(
            f"{path} has {len(found)} of the {said} records that it says it has; it was cut off: fetch it "
            "again"
        )
    splits = {each.record.split_fingerprint for each in found if each.influence is not None}
    if lacking := splits - drawn.keys():
        raise StoreError(
            f"{path} does not say what {plural(len(lacking), 'split')} drew; it was cut off: fetch it again"
        )


def _provenance(records: Sequence[Record], by: str) -> Provenance:
    """Where records come from: dates, hardware and versions of those that succeeded."""
    good = [record for record in records if record.status == "ok"]
    dates = sorted(record.created for record in good if record.created)
    versions: dict[str, set[str]] = defaultdict(set)
    for record in good:
        for package, version in record.versions.items():
            versions[package].add(version)
    return Provenance(
        by=by,
        records=len(records),
        first=dates[0] if dates else "",
        last=dates[-1] if dates else "",
        hardware=tuple(sorted({record.device for record in good})),
        versions={package: tuple(sorted(found)) for package, found in sorted(versions.items())},
    )


def _lines(contents: Contents) -> Iterator[dict[str, Any]]:
    """The lines of a file: where it comes from, its records, its splits, and who ran some of it again."""
    yield from ({"provenance": vars(each)} for each in contents.provenance)
    for record in sorted(contents.records, key=_order):
        more: dict[str, Any] = {}
        if record.key in contents.influences:
            more["influence"] = _text(zlib.compress(contents.influences[record.key], 9))
        if record.key in contents.digests:
            more["predictions"] = contents.digests[record.key]
        yield _published(record) | more
    yield from ({"drawn": _text(contents.drawn[s].pack()), "split": s} for s in sorted(contents.drawn))
    yield from ({"verification": vars(each)} for each in contents.verified)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _published(record: Record) -> dict[str, Any]:
    """The fields of a record that are published."""
    values: dict[str, Any] = {k: v for k, v in record.to_dict().items() if k not in _LEFT_OUT}
    values |= {name: round(values[name], 3) for name in ("seconds_fit", "seconds_predict")}
    values |= {name: _without_folders(values[name]) for name in ("spec", "full_spec")}
    if record.tuning:
        tried = [
            each | {name: _without_folders(each[name]) for name in ("spec", "reason") if name in each}
            for each in record.search.get("tried", ())
        ]
        values["search"] = {**record.search, "tried": tried}
    else:
        del values["tuning"], values["search"]
    values["notes"] = [_without_folders(note) for note in record.notes]
    if record.reason is not None:
        shown = {name: text for name, text in record.reason.items() if name in ("kind", "message")}
        values["reason"] = {name: _without_folders(text) for name, text in shown.items()}
    return values


def _without_folders(text: str) -> str:
    """The text with absolute paths cut down to the names of the files."""
    return _PATH.sub("", text)


def _order(record: Record) -> tuple[Any, ...]:
    return natural(record.task), record.spec, record.recipe, record.split_seed, record.init_seed, record.key
