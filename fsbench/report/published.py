"""Published records: one JSON object per line, in an order and a form that keeps diffs readable."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.columns import Columns, of_records
from fsbench.errors import StoreError
from fsbench.evidence import Drawn, Evidence, pack_influence, unpack_influence
from fsbench.metrics import DEFAULT_METRIC
from fsbench.report.budgets import leaderboards
from fsbench.report.entries import natural
from fsbench.report.markdown import to_markdown
from fsbench.report.one_version import of_one_version
from fsbench.types import Record

# Fields that change from run to run, or describe the machine rather than the result.
_LEFT_OUT = ("created",)
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\|/)(?:[^\s'\"/\\:]+[/\\])+")


def write_jsonl(records: Iterable[Record], path: str | Path, evidence: Evidence | None = None) -> None:
    """Write records sorted by task, strategy, recipe and seeds; the file is replaced as a whole.

    With evidence, each record also has the influences of test samples on the default metric, and lines at the
    end have what the splits drew: both in base64, of zlib's compression and of `Drawn.pack`.
    Tracebacks, dates and folders (also that of a weights file in a spec) are left out, and seconds are
    rounded to milliseconds; metrics, device and versions are kept. Raises StoreError if the file cannot be
    written.
    """
    ordered = sorted(records, key=_order)
    evidence = evidence or Evidence()
    found = evidence.influences(DEFAULT_METRIC, [record.key for record in ordered])
    lines = [json.dumps(_published(r, found.get(r.key)), sort_keys=True, allow_nan=False) for r in ordered]
    splits = sorted({record.split_fingerprint for record in ordered} & evidence.drawn.keys())
    lines += [json.dumps({"drawn": _text(evidence.drawn[each].pack()), "split": each}) for each in splits]
    _replace(Path(path), "".join(f"{line}\n" for line in lines))


def publish(records: Iterable[Record], path: str | Path, evidence: Evidence | None = None) -> Path:
    """Write records to `path` and their Markdown page beside it; return the path of the page.

    The folder is created if necessary. If the code of a strategy changed, one version is written
    (`report.one_version`). The page is made from the written file, by the default metric, so that anybody can
    check that the two agree. Raises StoreError if a file cannot be written or the records must not be mixed.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror}; name another") from error
    records = list(records)
    columns = of_records(records, ())
    shown = set(of_one_version(columns)[0].shared)
    kept = [
        record for record, code in zip(records, columns.code, strict=True) if columns.shared[code] in shown
    ]
    write_jsonl(kept, path, evidence)
    page = path.with_suffix(".md")
    (board,) = leaderboards(read_columns(path, [DEFAULT_METRIC]))
    _replace(page, to_markdown(board, path.stem))
    return page


def read_jsonl(path: str | Path) -> list[Record]:
    """The records of a file that `write_jsonl` wrote. Raises StoreError, which names the line at fault."""
    return [record for record, _ in _read_file(path)[0]]


def read_columns(path: str | Path, metrics: Sequence[str]) -> Columns:
    """The records of a file as columns, with some metrics and the evidence. Raises StoreError as above."""
    rows, drawn = _read_file(path)
    packed = {record.key: influence for record, influence in rows if influence is not None}

    def influences(metric: str, keys: Sequence[str]) -> dict[str, np.ndarray]:
        if metric != DEFAULT_METRIC:
            return {}
        return {key: unpack_influence(packed[key]) for key in keys if key in packed}

    return of_records((record for record, _ in rows), metrics, Evidence(drawn, influences))


def _read_file(path: str | Path) -> tuple[list[tuple[Record, bytes | None]], dict[str, Drawn]]:
    """Each record with its packed influences, if it has any, and what splits drew, by fingerprint."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is not UTF-8 text; expected one JSON record per line") from error
    rows, drawn = [], {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = _read(line, f"{path}, line {number}")
            if isinstance(found[0], str):
                drawn[found[0]] = found[1]
            else:
                rows.append(found)
    return rows, drawn


def _replace(path: Path, content: str) -> None:
    """Write a file as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(content, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; name another file") from error


def _read(line: str, place: str) -> Any:
    """A record and its influences, or a fingerprint and what the split drew."""
    try:
        values = json.loads(line)
        if "drawn" in values:
            return values["split"], Drawn.unpack(base64.b64decode(values["drawn"]))
        influence = values.get("influence")
        packed = None if influence is None else zlib.decompress(base64.b64decode(influence))
        return Record.from_dict(values), packed
    except (ValueError, TypeError, AttributeError, KeyError, zlib.error) as error:
        raise StoreError(f"{place} is not a record ({error})") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _published(record: Record, influence: np.ndarray | None) -> dict[str, Any]:
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
    if influence is not None:
        values["influence"] = _text(zlib.compress(pack_influence(influence), 9))
    if record.reason is not None:
        shown = {k: v for k, v in record.reason.items() if k != "traceback"}
        values["reason"] = {k: _without_folders(v) for k, v in shown.items()}
    return values


def _without_folders(text: str) -> str:
    """The text with absolute paths cut down to the names of the files."""
    return _PATH.sub("", text)


def _order(record: Record) -> tuple[Any, ...]:
    return natural(record.task), record.spec, record.recipe, record.split_seed, record.init_seed, record.key
