"""`fsbench data`: which datasets are on this machine, and fetching the others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.options import PATH, data_dir_option
from fsbench.cli.output import say, show, table
from fsbench.cli.suggest import SuggestingGroup
from fsbench.datasets.about import image_sets
from fsbench.datasets.files import data_dir
from fsbench.datasets.image_files import find_file
from fsbench.datasets.text_files import find_files, text_sets
from fsbench.errors import UsageError

if TYPE_CHECKING:
    from fsbench.acquire.originals import Tell


@click.group(
    cls=SuggestingGroup, no_args_is_help=False, short_help="Fetch datasets, and see which there are."
)
def data() -> None:
    """Fetch datasets, and see which are on this machine."""


@data.command("list", short_help="List the datasets that are kept as files.")
@data_dir_option
def list_() -> None:
    """List the datasets that are kept as files, with the sizes of the files and of the downloads."""
    found = {name: [file] if (file := find_file(name)) else [] for name in image_sets()}
    found |= {name: list(find_files(name)) for name in text_sets()}
    rows = []
    for name, about in sorted((image_sets() | text_sets()).items()):
        size = sum(file.stat().st_size for file in found[name]) / 1e6
        here = ("-", "-") if not found[name] else (found[name][0].name, f"{size:.0f}")
        rows.append((name, *here, "-" if about.download is None else about.download, about.licence))
    click.echo(f"data folder: {data_dir()}\n")
    columns = ("dataset", "file", "MB here", "MB to download", "licence")
    show(table(columns, rows, right={"MB here", "MB to download"}))


@data.command(short_help="Download datasets into the data folder.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--from",
    "originals",
    type=PATH,
    metavar="FOLDER",
    help="Use the original files in this folder instead of downloading (for one NAME).",
)
@data_dir_option
def fetch(names: tuple[str, ...], originals: Path | None) -> None:
    """Download datasets; convert each to one checked file, NAME.npz, in the data folder.

    Existing files are kept; an interrupted fetch leaves nothing behind.
    """
    from fsbench.acquire.fetching import downloadable
    from fsbench.acquire.fetching import fetch as fetch_one

    if originals is not None and len(names) > 1:
        raise UsageError(f"--from is for one dataset, got {len(names)}; fetch them one by one")
    for name, known in [(name, downloadable(name)) for name in names]:
        if originals is None:
            say(f"fetching {name} (about {known.download} MB to download; licence: {known.licence})")
        click.echo(fetch_one(name, originals, _progress(name)))


def _progress(name: str) -> Tell:
    """A line on stderr that counts the converted images, if stderr is a terminal."""
    terminal = sys.stderr.isatty()

    def tell(done: int, total: int) -> None:
        if terminal and (done % 100 == 0 or done == total):
            end = "\n" if done == total else ""
            print(f"\rfsbench: {name}: {done} of {total} images converted", end=end, file=sys.stderr)

    return tell
