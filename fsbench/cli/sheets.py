"""Sheets on a terminal, and the option that chooses how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from fsbench.cli.options import completing
from fsbench.cli.output import console, show
from fsbench.errors import UnknownName

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fsbench.report.sheets import Section, Sheet

_Command = TypeVar("_Command", bound=Callable[..., Any])
TERMINAL = "terminal"
_NARROWEST = 16
"""The least width that is left to names; longer ones are folded."""
_ALWAYS, _GAP = 3, 2


def format_option(names: Sequence[str], default: str) -> Callable[[_Command], _Command]:
    """The option --format, which takes one of some names."""

    def check(ctx: click.Context, param: click.Parameter, value: str) -> str:
        if value not in names:
            raise UnknownName("format", value, names)
        return value

    return click.option(
        "--format",
        "style",
        default=default,
        show_default=True,
        metavar="|".join(names),
        callback=check,
        shell_complete=completing(lambda: names),
        help="How to print it.",
    )


def show_sheet(sheet: Sheet, style: str) -> None:
    """Print a sheet on stdout in a format."""
    from fsbench.report.sheets import WRITERS

    if style == TERMINAL:
        _show(sheet)
    else:
        click.echo(WRITERS[style](sheet), nl=False)


def _show(sheet: Sheet) -> None:
    """Print the tables and lists, and last what was found."""
    from rich.text import Text

    for section in sheet.sections:
        if section.rows or not section.folded:
            show(Text(section.title, style="bold"))
            show(*(Text(line) for line in section.lines))
            show(*_tables(section))
    first, *others = sheet.lines
    show(Text(f"{sheet.title}: {first}", style="bold"), *map(Text, others))


def _tables(section: Section) -> Iterator[RenderableType]:
    """The table of a section; one for each task, below its name, if rows name a task and something else."""
    from rich.text import Text

    if section.rows and "task" in section.columns and len(section.names & {*section.columns}) > 1:
        place = section.columns.index("task")
        columns = _without(section.columns, place)
        for task in dict.fromkeys(row[place] for row in section.rows):
            rows = tuple(_without(row, place) for row in section.rows if row[place] == task)
            yield Text(task, style="bold")
            yield from (_table(replace(section, columns=columns, rows=rows)), Text())
    elif section.rows:
        yield from (_table(section), Text())
    else:
        yield Text()


def _without(row: tuple[str, ...], place: int) -> tuple[str, ...]:
    return row[:place] + row[place + 1 :]


def _table(section: Section) -> Table:
    """A table whose longest names are in the last column, where they are folded.

    A narrow terminal leaves out columns before it, the last of these first.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    last = max(place for place, name in enumerate(section.columns) if name in section.names)
    others = [place for place in range(len(section.columns)) if place != last]
    texts = {place: [row[place].replace(", ", ",\n") for row in section.rows] for place in others}
    widths = {
        place: max(len(line) for each in (section.columns[place], *texts[place]) for line in each.split("\n"))
        for place in others
    }
    names = max(len(each) for each in (section.columns[last], *(row[last] for row in section.rows)))
    room = console().width - min(names, _NARROWEST)
    while len(others) > _ALWAYS and sum(widths[place] + _GAP for place in others) > room:
        others.pop()
    found = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for place in others:
        name = section.columns[place]
        side: Literal["left", "right"] = "right" if name in section.right else "left"
        found.add_column(name, justify=side, width=widths[place], overflow="fold")
    found.add_column(section.columns[last], overflow="fold")
    for number, row in enumerate(section.rows):
        found.add_row(*(Text(texts[place][number]) for place in others), Text(row[last]))
    return found
