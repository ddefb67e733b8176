"""Builds the site: gathers the pages, lets MkDocs make HTML of them, and checks every link."""

from __future__ import annotations

import importlib.util
import logging
import os
import shlex
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from fsbench import __version__
from fsbench.errors import UsageError
from fsbench.registry import get_registry
from fsbench.report.board import boards_in, read_board
from fsbench.site import boards, config, gallery, guides, reference
from fsbench.site.findings import Findings
from fsbench.site.links import faults
from fsbench.site.pages import Page, page, repository
from fsbench.words import to_install

MARK = ".fsbench-site"
"""A file that says that a folder is a site, which may be replaced."""
_ASSETS = Path(__file__).parent / "assets"
_SHOWN = 5


def build(folder: Path, out: Path, commands: click.Group, checkout: Path | None = None) -> bool:
    """Make a site of the published files in `folder` in the folder `out`, which it replaces as a whole.

    `commands` are those that the reference describes. Returns whether the site has the guides, which are in
    a checkout only. Raises UsageError if `out` is something else than a site, if MkDocs is not installed, or
    if a page has a fault, StoreError for a file that is not a published one.
    """
    if importlib.util.find_spec("material") is None or importlib.util.find_spec("mkdocstrings") is None:
        raise UsageError(f"a site {to_install('fsbench[site]', 'MkDocs')}")
    out = Path(os.path.abspath(out))
    _check_replaceable(out)
    place = guides.find_checkout(checkout, folder)
    pages = _pages(folder, commands, place)
    with tempfile.TemporaryDirectory() as temporary:
        docs, site = Path(temporary).resolve() / "docs", Path(temporary).resolve() / "site"
        _write(pages, docs)
        _make(config.options(pages, docs, site, repository()))
        # It would stand for any address of a server, which the site does not know.
        (site / "404.html").unlink(missing_ok=True)
        _refuse(faults(site), "dead link or file")
        (site / MARK).write_text(f"{__version__}\n")
        _replace(site, out)
    return place is not None


def _pages(folder: Path, commands: click.Group, checkout: Path | None) -> list[Page]:
    """All pages of the site."""
    found = [read_board(path) for path in boards_in(folder)]
    if not found:
        command = f"fsbench publish RESULTS {shlex.quote(str(folder))}"
        raise UsageError(f"{folder} has no published file; `{command}` writes one")
    pages = [
        *boards.pages(found),
        *gallery.pages(get_registry(), Findings(found)),
        *reference.pages(commands),
        *(Page(f"assets/{path.name}", path.read_bytes()) for path in sorted(_ASSETS.iterdir())),
    ]
    if checkout is None:
        return [page("README.md", _home(), "Home"), *pages]
    return [*guides.pages(checkout, {each.path for each in pages}, repository()), *pages]


def _home() -> Sequence[str]:
    """The first page of a site without guides."""
    return (
        "# fsbench",
        "",
        "Which strategy for learning from little data helps, by how much, and how certain is that?",
        "",
        "- [Leaderboards](leaderboards/README.md)",
        "- [Strategies](strategies.md)",
        "- [Public interface](reference/index.md) and [commands](reference/commands.md)",
    )


def _write(pages: Iterable[Page], docs: Path) -> None:
    for each in pages:
        place = docs / each.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(each.content)


def _make(options: dict[str, Any]) -> None:
    """Let MkDocs build, and refuse what it warns of."""
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    said: list[str] = []
    handler = _Collecting(said)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            build_site(load_config(**options))
    except (MkDocsException, SystemExit) as error:
        said.append(str(error))
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    _refuse(said, "fault")


class _Collecting(logging.Handler):
    """Keeps the texts of warnings and errors."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.said.append(" ".join(record.getMessage().split()))


def _refuse(found: Sequence[str], noun: str) -> None:
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(f"the site has {len(found)} {noun}(s): {'; '.join(found[:_SHOWN])}{more}")


def _check_replaceable(out: Path) -> None:
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARK).is_file())):
        raise UsageError(f"{out} is not a site, so it is not replaced; name a new or an empty folder")


def _replace(site: Path, out: Path) -> None:
    try:
        if out.exists():
            shutil.rmtree(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(site, out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}; name another folder") from error
