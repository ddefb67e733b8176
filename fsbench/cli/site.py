"""`fsbench site`: leaderboards, strategies, guides and reference as a static site."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fsbench.cli.options import PATH, GivenPath, not_published
from fsbench.cli.output import say, working
from fsbench.errors import UsageError
from fsbench.store_file import FILE_NAME

_folder = GivenPath(exists=True, file_okay=False)


@click.command(short_help="Make a static site of published files.")
@click.argument("folder", type=_folder)
@click.argument("out", type=PATH)
@click.option(
    "--checkout",
    type=_folder,
    metavar="FOLDER",
    help="The checkout of fsbench whose guides the site has.  [default: the one that FOLDER is in]",
)
def site(folder: Path, out: Path, checkout: Path | None) -> None:
    """Make a static site of the published files in FOLDER, in the folder OUT.

    It has a page for each leaderboard, with its interactive report, and for each installed strategy, the
    reference of the public interface, and the guides. It needs no network, and every link in it is checked.
    Install what it needs with pip install 'fsbench[site]'.
    """
    from fsbench.cli import cli
    from fsbench.site.build import build

    if (folder / FILE_NAME).exists():
        command = f"fsbench site DIR {shlex.quote(str(out))}"
        raise UsageError(f"{not_published(folder)}, and `{command}` makes the site")
    with working("making the site", plainly=True):
        complete = build(folder, out, cli, checkout)
    if not complete:
        say("the site has no guides, which are in a checkout of fsbench only; --checkout names one")
    say(f"wrote {out}; open {out / 'index.html'}")
