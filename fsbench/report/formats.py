"""The formats of reports: one registry, which commands, Python and tests read."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.errors import UnknownName, UsageError
from fsbench.files import as_path, replacing
from fsbench.progress.log import FILE_NAME as LOG

if TYPE_CHECKING:
    from fsbench.report.contents import Report


@dataclass(frozen=True)
class Format:
    """A format of reports: its name, what it is good for, and how its main file ends.

    `module` is that of `files(report, stem)`, which yields the name and the content of each file, the main
    file first. Names are relative to the folder of the main file and begin with `stem`. The module is
    imported when a report is written, so that nobody waits for libraries of other formats.
    """

    name: str
    meaning: str
    suffix: str
    module: str

    def files(self, report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
        """The files of a report, each with its name; they are made one by one."""
        found: Iterator[tuple[str, bytes]] = importlib.import_module(self.module).files(report, stem)
        return found


FORMATS = {
    each.name: each
    for each in (
        Format("html", "one page with everything, for a browser", ".html", "fsbench.report.html.page"),
        Format("markdown", "a page that GitHub renders, with its figures", ".md", "fsbench.report.markdown"),
        Format("latex", "booktabs tables and figures for a paper", ".tex", "fsbench.report.latex"),
        Format(
            "csv",
            "two tables: one row per strategy and task, and one row per trial",
            ".csv",
            "fsbench.report.long_tables",
        ),
        Format("json", "everything, for programs", ".json", "fsbench.report.as_json"),
        Format("svg", "the figures alone, in a folder", "", "fsbench.report.plots.files"),
    )
}
DEFAULT_FORMAT = "html"
DEFAULT_STEM = "fsbench-report"
_OF_RESULTS = (".sqlite", ".jsonl")


def format_of(output: str | Path | None) -> str:
    """The name of the format with the ending of a path; the default one without. Raises UsageError."""
    ending = Path(output).suffix.lower() if output is not None else ""
    known = {each.suffix: each.name for each in FORMATS.values() if each.suffix} | {"": DEFAULT_FORMAT}
    if ending not in known:
        endings = ", ".join(filter(None, known))
        raise UsageError(f"{output}: no report ends in {ending}; expected {endings}, or a format by name")
    return known[ending]


def get_format(name: str) -> Format:
    """The format of a name. Raises UnknownName."""
    if name not in FORMATS:
        raise UnknownName("format", name, tuple(FORMATS))
    return FORMATS[name]


def write(report: Report, format: str, output: str | Path | None = None) -> tuple[Path, ...]:
    """Write a report in a format; returns the paths of its files, the main one first.

    `output` is the path of the main file, by default `fsbench-report` with the format's ending in the current
    folder. Other files, such as figures, are beside it and begin with its name. Raises UnknownName for
    another format, UsageError if a file cannot be written, has the name of one of results, or there is
    nothing to draw.
    """
    chosen = get_format(format)
    main = Path(DEFAULT_STEM + chosen.suffix) if output is None else as_path("output", output)
    if main.suffix.lower() in _OF_RESULTS or main.name == LOG:
        raise UsageError(f"{main} has the name of a file of results; name another file for the report")
    stem = main.stem if chosen.suffix else main.name
    written = []
    for number, (name, content) in enumerate(chosen.files(report, stem)):
        path = main if chosen.suffix and not number else main.parent / name
        write_file(path, content)
        written.append(path)
    return tuple(written)


def main_text(report: Report, format: str) -> str:
    """The main file of a report as text, for standard output. Raises UnknownName, UsageError without one."""
    chosen = get_format(format)
    if not chosen.suffix:
        raise UsageError(f"{format} has no main file to print; give --output FOLDER")
    _, content = next(chosen.files(report, DEFAULT_STEM))
    return content.decode()


def write_file(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another place") from None
