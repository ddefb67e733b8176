"""What all parts of the site share: pages, and Markdown in which names stay names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from fsbench.report.escape import entities, entities_code
from fsbench.sorts import HOUSE

_REPOSITORY = ("repository", "source", "source code", "code", "github")

text = entities
code = entities_code


@dataclass(frozen=True)
class Page:
    """A file of the site: its path below the site, its content, and the titles that lead to it.

    The last title is its own, those before it are of parts of the navigation, which has no file without one.
    """

    path: str
    content: bytes
    titles: tuple[str, ...] = ()


def page(path: str, lines: Iterable[str], *titles: str) -> Page:
    """A page of Markdown."""
    return Page(path, ("\n".join(lines) + "\n").encode(), titles)


def sentence(line: str) -> str:
    """A sentence of a docstring, in which what stands between backticks is code."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return text(line)
    return "".join(code(part) if place % 2 else text(part) for place, part in enumerate(parts))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of Markdown; cells are Markdown already."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def repository(distribution: str = HOUSE) -> str:
    """The address of a distribution's repository as its metadata gives it; "" if it gives none."""
    try:
        given = metadata.metadata(distribution).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    urls = dict(each.split(", ", 1) for each in given if ", " in each)
    by_label = {label.casefold(): url.rstrip("/") for label, url in urls.items()}
    found = next((by_label[label] for label in _REPOSITORY if label in by_label), "")
    return found if found.startswith("https://") else ""
