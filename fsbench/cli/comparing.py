"""`fsbench compare`: what changed between two folders, two strategies, or two versions of a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.boards import read_selected
from fsbench.cli.options import margin_option, metric_option, results_option, suite_option, tasks_option
from fsbench.cli.output import say
from fsbench.cli.sheets import TERMINAL, format_option, show_sheet
from fsbench.errors import UsageError

if TYPE_CHECKING:
    from fsbench.report.sides import Side


@click.command(short_help="Say what changed between two results.")
@click.argument("a")
@click.argument("b")
@results_option("PATH", "Where A and B are, if they are strategies or versions.")
@click.option("--plugins", metavar="SPECS", help="Only these strategies, separated by commas.")
@suite_option
@tasks_option
@metric_option
@margin_option
@format_option(("markdown", TERMINAL, "csv", "json"), "markdown")
@click.option(
    "--fail-if-worse",
    is_flag=True,
    help="Exit status 1 if B is settled to be worse, over tasks or on one, or if trials failed in B only.",
)
def compare(
    a: str,
    b: str,
    results: Path,
    plugins: str | None,
    suite: str | None,
    tasks: str | None,
    metric: str,
    margin: float | None,
    style: str,
    fail_if_worse: bool,
) -> int:
    """Say what changed from A to B beyond noise, in Markdown for a pull request.

    A and B are two results folders or published .jsonl files; or, within --results, two strategies (erm,
    focal), two versions of one (mine#code+1a2b3c4d, mine), or two versions of all strategies of a plugin
    (code+1a2b3c4d, code+5e6f7a8b). Only trials of both on the same splits count.
    """
    from fsbench.report.changes import compare_sides
    from fsbench.report.changes_sheet import sheet_of
    from fsbench.report.sides import side, with_strategies
    from fsbench.report.stored import read_columns

    def one(text: str, place: Path, named: str | None) -> Side:
        found = side(text, read_selected(place, [metric], suite, tasks), metric, named)
        return with_strategies(found, plugins) if plugins else found

    if _are_places(a, b):
        sides = one(a, Path(a), None), one(b, Path(b), None)
    elif not (results.exists() and len(read_columns(results, []))):
        raise UsageError(
            f"neither {a!r} nor {b!r} is a folder or a file, and there are no results in {results} in which "
            "they could be strategies; give two folders or files, or name the results by --results"
        )
    else:
        sides = one(a, results, a), one(b, results, b)
    found = compare_sides(*sides, metric, margin)
    show_sheet(sheet_of(found), style)
    if fail_if_worse and found.is_worse:
        say(f"{b} is worse than {a}")
        return 1
    return 0


def _are_places(a: str, b: str) -> bool:
    """Whether two texts are folders or files. Raises UsageError if only one is."""
    there = [Path(text).exists() for text in (a, b)]
    if there[0] != there[1]:
        place, other = (a, b) if there[0] else (b, a)
        raise UsageError(
            f"{place} is a folder or a file, and there is none named {other}; give two of them, or two "
            "strategies"
        )
    return there[0]
