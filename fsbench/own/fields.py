"""How the text of a CSV file is divided into fields: its delimiter, its quotes, the widths of its rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TextIO

from fsbench.errors import DataError
from fsbench.own.accents import one_form
from fsbench.own.samples import some
from fsbench.words import plural

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BLOCK = 16


def header(path: Path) -> tuple[str, list[str]]:
    """The most frequent delimiter of the first record, outside quotes, and the fields between.

    Raises DataError for a file that is not text.
    """
    try:
        with path.open("rb") as file:
            if b"\0" in file.read(2**16):
                raise DataError(f"{path} is not a text file in UTF-8; save it as CSV in UTF-8")
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            first = text.readline().rstrip("\r\n")
            if re.fullmatch(r"sep=.", first):
                raise DataError(
                    f"{path}: its first line is {first}, which is for Excel only; remove that line"
                )
            found = _first_records(text, len(first))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except csv.Error as error:
        raise DataError(f"{path}: its first line cannot be read ({error}); close the quotes in it") from None
    delimiter = max(found, key=lambda each: len(found[each]))
    return delimiter, [plain_name(name) for name in found[delimiter]]


def plain_name(written: object) -> str:
    """The name of a column as it is written in the first line."""
    return one_form(str(written).strip())


def _first_records(file: TextIO, length: int) -> dict[str, list[str]]:
    """The first record by delimiter; a delimiter that is not that of the file may make it one long field.

    Raises csv.Error for a field that is longer than allowed, and than the `length` of the first line.
    """
    found, allowed = {}, csv.field_size_limit()
    csv.field_size_limit(max(allowed, length))
    try:
        for delimiter in DELIMITERS:
            file.seek(0)
            found[delimiter] = next(csv.reader(file, delimiter=delimiter, skipinitialspace=True), [])
    finally:
        csv.field_size_limit(allowed)
    return found


def quoting(path: Path, delimiter: str) -> Literal[0, 3]:
    """How quotes are read: as characters (csv.QUOTE_NONE) if one does not end, and each line is a whole row.

    Files with tabs often have texts with such quotes. Raises DataError if a quote that does not end hides
    rows, and if lines in quotes are whole rows too.
    """
    if not _has_quotes(path):
        return csv.QUOTE_MINIMAL
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        try:
            lines, width = _count_alike(csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE))
            text.seek(0)
            rows, first, last, open_ = _read_strictly(text, delimiter)
        except csv.Error:  # a field of more than 128 KB
            return csv.QUOTE_MINIMAL
    if open_ and lines:
        return csv.QUOTE_NONE
    if open_:
        one_row = f"lines {first} to {last} are one row, because " if last > first else ""
        raise DataError(
            f'{path}: {one_row}a quote in line {first} does not end there; close it, or write "" for each '
            "quote within a quoted text"
        )
    if width > 1 and rows < lines:
        raise DataError(
            f"{path}: lines {first} to {last} are one row in quotes, and each is a row without them; write "
            'each row in one line, or "" for each quote within a quoted text'
        )
    return csv.QUOTE_MINIMAL


def _read_strictly(text: TextIO, delimiter: str) -> tuple[int, int, int, bool]:
    """The number of rows that are not empty, the first and last line of a row of several, and if it is open.

    It is the first row with a quote that does not end as a value does or, without one, the first of several
    lines. Raises csv.Error for a field that is too long.
    """
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows, several = 0, (0, 0)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            if "limit" in str(error):
                raise
            if reader.line_num > first or "end of data" in str(error):
                return rows, first, reader.line_num, True
            row = [""]
        if row is None:
            return rows, *several, False
        rows += bool(row)
        if reader.line_num > first and several == (0, 0):
            several = first, reader.line_num


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b'"' in block for block in iter(lambda: file.read(2**20), b""))


def _count_alike(rows: Iterable[list[str]]) -> tuple[int, int]:
    """The number of rows that are not empty, and their width; 0 and 0 if they differ in width."""
    width, count = 0, 0
    for row in filter(None, rows):
        if len(row) != (width or len(row)):
            return 0, 0
        width, count = len(row), count + 1
    return count, width


def check_widths(path: Path, delimiter: str, width: int) -> None:
    """Raise DataError if rows have fewer fields than `width`, so that some may be in the wrong column.

    Blocks of 16 rows with equally many fields are allowed: Excel leaves out the last delimiters of such a
    block if all its cells there are empty.
    """
    widths, lines, last = [], [], 0
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(
            file, delimiter=delimiter, quoting=quoting(path, delimiter), skipinitialspace=True
        )
        try:
            for row in reader:
                widths.append(len(row) if len(row) > 1 or "".join(row).strip() else 0)
                lines.append(last + 1)
                last = reader.line_num
        except csv.Error:  # a field of more than 128 KB
            return
    blocks = [set(widths[start : start + _BLOCK]) - {0} for start in range(0, len(widths), _BLOCK)]
    short = [place for place, found in enumerate(widths) if 0 < found < width]
    if any(len(blocks[place // _BLOCK]) > 1 for place in short):
        shown = some([f"line {lines[place]} has {widths[place]}" for place in short])
        raise DataError(
            f"{path}: {plural(len(short), 'row')} with fewer values than the {width} names of the first line "
            f"({shown}); write all {DELIMITERS[delimiter]}s of a row, also where it has no value"
        )
