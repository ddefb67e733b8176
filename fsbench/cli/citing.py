"""`fsbench cite`: what to cite for what was used."""

from __future__ import annotations

import click


@click.command(short_help="Print what to cite.")
@click.argument("names", required=False, default="", metavar="[NAMES]")
def cite(names: str) -> None:
    """Print the citations of strategies, datasets and everything else in plugins, and of fsbench.

    NAMES are specs, tasks, suites, or names of datasets, backbones or metrics, separated by commas:
    "transfer+focal, starter-v1". Without NAMES, everything that is installed is cited.
    """
    from fsbench.report.citations import FSBENCH, NOTHING, citations, named

    known = citations()
    wanted = named(names, known) if names.strip() else [name for name, text in known.items() if text]
    for name, text in [("fsbench", FSBENCH), *((name, known[name]) for name in dict.fromkeys(wanted))]:
        click.echo(click.style(name, bold=True))
        click.echo(click.wrap_text(text or NOTHING, 78, "    ", "    "))
