"""A published file as a leaderboard in a collection, which may come from anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fsbench.columns import of_records
from fsbench.errors import StoreError
from fsbench.metrics import DEFAULT_METRIC
from fsbench.record import Record
from fsbench.report.contents import Report, metrics_of_a_report, report_of
from fsbench.report.entries import natural
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.logits import ENDING as PREDICTIONS
from fsbench.report.published import Contents, read
from fsbench.tasks.suites import Suite, load_suite, suite_names

INDEX = "README.md"
LARGEST_BOARD = 100 << 20
"""The size in bytes of the largest published file that a collection may contain."""
MOST_CELLS = 20_000
"""How many pairs of a strategy and a task a published file in a collection may have."""
_ENDING = ".jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)
_RESERVED = ("readme", "index")


@dataclass(frozen=True, eq=False)
class Board:
    """A published file, what it contains, and the report about it."""

    path: Path
    contents: Contents
    report: Report

    @property
    def name(self) -> str:
        """The name of the file without its ending. Pages are named after it, never after what it contains."""
        return self.path.stem

    @property
    def main(self) -> Leaderboard:
        """Its leaderboard; the first if it has several searches."""
        return self.report.boards[0]

    @property
    def suite(self) -> Suite | None:
        """The suite after which the file is named, None if there is none, or if it has other tasks or splits.

        What follows the suite's name after a `-` says which results they are: `-tuned`, `-part`, `-all`.
        """
        found = [name for name in suite_names() if f"{self.name}-".startswith(f"{name}-")]
        suite = load_suite(max(found, key=len)) if found else None
        return suite if suite and all(_is_of(record, suite) for record in self.contents.records) else None

    @property
    def dates(self) -> tuple[str, str]:
        """The days of its oldest and its newest trial; empty if they are not said."""
        found = self.contents.provenance
        first = min((each.first for each in found if each.first), default="")
        return first[:10], max((each.last for each in found), default="")[:10]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of fsbench of its records."""
        found = (record.versions.get("fsbench", "") for record in self.contents.records)
        return tuple(sorted(set(filter(None, found))))

    @property
    def reproduced(self) -> tuple[str, ...]:
        """A line for each person who ran some of its trials again."""
        keys = [record.key for record in self.contents.records]
        return tuple(filter(None, (each.said(keys) for each in self.contents.verified)))


def _is_of(record: Record, suite: Suite) -> bool:
    """Whether a record is of a task of a suite and, where the fingerprints are published, of its splits."""
    if record.task not in suite.tasks:
        return False
    known, print_ = suite.fingerprints.get(record.task, ()), record.split_fingerprint
    return not print_ or record.split_seed >= len(known) or print_.startswith(known[record.split_seed])


def boards_in(folder: Path) -> Sequence[Path]:
    """The published files of a folder, sorted by name; those of predictions are not among them.

    Raises StoreError for a name that could stand for another page, and for what is not a file.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == _ENDING]
    except OSError as error:
        raise StoreError(
            f"cannot read {folder}: {error.strerror}; name a folder of published files"
        ) from error
    found = [path for path in found if not path.name.endswith(PREDICTIONS)]
    found.sort(key=lambda path: natural(path.stem))
    for path in found:
        check_name(path)
        if not path.is_file():
            raise StoreError(f"{path} is not a file; expected published files in {folder}")
    return found


def read_board(path: Path, to_be: Path | None = None) -> Board:
    """Read a published file. Raises StoreError for a malformed or a too large one, which names the line.

    A draft is read as the file that it is `to_be`.
    """
    named = to_be or path
    check_name(named)
    if path.stat().st_size > LARGEST_BOARD:
        raise StoreError(f"{path} is larger than {LARGEST_BOARD >> 20} MB; publish it as several files")
    contents = read(path)
    columns = of_records(contents.records, metrics_of_a_report(DEFAULT_METRIC), contents.evidence)
    tasks = {(shared.task, shared.recipe) for shared in columns.shared}
    strategies = {shared.full_spec or shared.spec for shared in columns.shared}
    if len(tasks) * len(strategies) > MOST_CELLS:
        raise StoreError(
            f"{path} has {len(strategies)} strategies on {len(tasks)} tasks; expected at most {MOST_CELLS} "
            "pairs; publish it as several files"
        )
    return Board(named, contents, report_of(columns, name=named.stem))


def check_name(path: Path) -> None:
    """Raise StoreError for a published file after which no page can be named."""
    if not _NAME.fullmatch(path.stem) or path.stem.casefold() in _RESERVED:
        raise StoreError(
            f"{path.name!r} cannot name a page; expected letters, digits and ._+- in the name of a published "
            "file, and not README or index"
        )
