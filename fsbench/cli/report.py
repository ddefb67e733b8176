"""`fsbench report`: stored results as a page, a paper's tables, figures, or data."""

from __future__ import annotations

from pathlib import Path

import click

from fsbench.cli.boards import read_selected
from fsbench.cli.options import board_options, completing
from fsbench.cli.output import say, uncollected, working
from fsbench.report.formats import DEFAULT_FORMAT, FORMATS, format_of, get_format, main_text, write
from fsbench.words import plural

_MEANINGS = "; ".join(f"{each.name}: {each.meaning}" for each in FORMATS.values())
STDOUT = "-"


@click.command(short_help="Write a report: HTML, LaTeX, CSV, ...")
@board_options
@click.option(
    "--format",
    "style",
    metavar="|".join(FORMATS),
    callback=lambda ctx, param, value: None if value is None else get_format(value).name,
    shell_complete=completing(lambda: FORMATS),
    help=f"{_MEANINGS}.  [default: by the ending of --output, or {DEFAULT_FORMAT}]",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Where to write; figures and the like go beside it. - prints the main file.  "
    "[default: fsbench-report.*]",
)
def report(
    results: Path,
    suite: str | None,
    tasks: str | None,
    metric: str,
    baseline: str | None,
    margin: float | None,
    all_versions: bool,
    style: str | None,
    output: str | None,
) -> None:
    """Write a report of stored results: what to use, tables, figures, or data.

    The numbers are those of `fsbench leaderboard`, which shows them in the terminal.
    """
    from fsbench.report.contents import metrics_of_a_report, report_of

    style = style or format_of(output)
    with working("making the report"), uncollected():
        columns = read_selected(results, metrics_of_a_report(metric), suite, tasks)
        name = suite or (results.stem if results.is_file() else "")
        found = report_of(columns, metric, all_versions, baseline, margin, name=name)
        if output == STDOUT:
            text = main_text(found, style)
        else:
            first, *others = write(found, style, output)
    if output == STDOUT:
        click.echo(text, nl=False)
        return
    say(f"wrote {first}" + (f" and {plural(len(others), 'file')} beside it" if others else ""))
