"""A sheet: a few sentences, tables and lists, in Markdown for a pull request, as CSV and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fsbench.report.escape import markdown as _escape
from fsbench.report.escape import markdown_code as _code
from fsbench.report.long_tables import to_csv


@dataclass(frozen=True)
class Section:
    """A part of a sheet: a title, then lines of a list, then a table if there are `rows`.

    Columns in `right` are aligned right, those in `names` have names, which Markdown shows as code. A
    `folded` section is closed in Markdown until a reader opens it.
    """

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    right: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    folded: bool = False


@dataclass(frozen=True)
class Sheet:
    """The title, the sentences that say what was found, and the sections.

    `rows` are the same numbers for CSV, and `data` is everything for JSON, in the units of the records.
    """

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)

    def markdown(self) -> str:
        """In GitHub's dialect; the first sentence is bold."""
        return "\n".join(_markdown(self)) + "\n"

    def csv(self) -> str:
        """Comma-separated values; there is a line with the names of the columns."""
        names = list(self.rows[0]) if self.rows else []
        return to_csv({name: [row[name] for row in self.rows] for name in names})

    def json(self) -> str:
        """Everything, for programs."""
        return json.dumps(self.data, indent=2, ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Callable[[Sheet], str]] = {
    "markdown": Sheet.markdown,
    "csv": Sheet.csv,
    "json": Sheet.json,
}
"""The texts that a sheet can be written as, by the names of their formats."""


def _markdown(sheet: Sheet) -> Iterator[str]:
    first, *others = sheet.lines
    yield from (f"## {_escape(sheet.title)}", "", f"**{_escape(first)}**")
    for line in others:
        yield from ("", _escape(line))
    for section in sheet.sections:
        yield ""
        if section.folded:
            yield from ("<details>", f"<summary>{_escape(section.title)}</summary>", "")
        else:
            yield from (f"### {_escape(section.title)}", "")
        yield from _body(section)
        if section.folded:
            yield from ("", "</details>")


def _body(section: Section) -> Iterator[str]:
    """The list and the table of a section."""
    for line in section.lines:
        yield f"- {_escape(line)}"
    if section.lines and section.rows:
        yield ""
    if section.rows:
        yield f"| {' | '.join(map(_escape, section.columns))} |"
        yield f"|{'|'.join('--:' if name in section.right else '---' for name in section.columns)}|"
    for row in section.rows:
        cells = zip(section.columns, row, strict=True)
        texts = (_code(text) if name in section.names else _escape(text) for name, text in cells)
        yield f"| {' | '.join(texts)} |"
