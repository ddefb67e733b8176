"""Published records: one JSON object per line, in an order and a form that keeps diffs readable."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsbench.columns import of_records
from fsbench.errors import StoreError
from fsbench.report.budgets import leaderboards
from fsbench.report.entries import natural
from fsbench.report.markdown import to_markdown
from fsbench.report.one_version import of_one_version
from fsbench.types import Record

# Fields that change from run to run, or describe the machine rather than the result.
_LEFT_OUT = ("created",)
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\|/)(?:[^\s'\"/\\:]+[/\\])+")


def write_jsonl(records: Iterable[Record], path: str | Path) -> None:
    """Write records sorted by task, strategy, recipe and seeds; the file is replaced as a whole.

    Tracebacks, dates and folders (also that of a weights file in a spec) are left out, and seconds are
    rounded to milliseconds; metrics, device and versions are kept. Raises StoreError if the file cannot be
    written.
    """
    lines = [json.dumps(_published(r), sort_keys=True, allow_nan=False) for r in sorted(records, key=_order)]
    _replace(Path(path), "".join(f"{line}\n" for line in lines))


def publish(records: Iterable[Record], path: str | Path) -> Path:
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
    write_jsonl(kept, path)
    page = path.with_suffix(".md")
    (board,) = leaderboards(read_jsonl(path))
    _replace(page, to_markdown(board, path.stem))
    return page


def read_jsonl(path: str | Path) -> list[Record]:
    """The records of a file that `write_jsonl` wrote. Raises StoreError, which names the line at fault."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is not UTF-8 text; expected one JSON record per line") from error
    return [_read(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _replace(path: Path, content: str) -> None:
    """Write a file as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(content, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; name another file") from error


def _read(line: str, place: str) -> Record:
    try:
        return Record.from_dict(json.loads(line))
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{place} is not a record ({error})") from error


def _published(record: Record) -> dict[str, Any]:
    values = {k: v for k, v in record.to_dict().items() if k not in _LEFT_OUT}
    values |= {name: round(values[name], 3) for name in ("seconds_fit", "seconds_predict")}
    values |= {name: _without_folders(values[name]) for name in ("spec", "full_spec")}
    if not record.tuning:
        del values["tuning"], values["search"]
    values["notes"] = [_without_folders(note) for note in record.notes]
    if record.reason is not None:
        shown = {k: v for k, v in record.reason.items() if k != "traceback"}
        values["reason"] = {k: _without_folders(v) for k, v in shown.items()}
    return values


def _without_folders(text: str) -> str:
    """The text with absolute paths cut down to the names of the files."""
    return _PATH.sub("", text)


def _order(record: Record) -> tuple[Any, ...]:
    return natural(record.task), record.spec, record.recipe, record.split_seed, record.init_seed, record.key
