"""Sheets on a terminal, and the option that chooses how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from fsbench.cli.options import completing
from fsbench.cli.output import show
from fsbench.errors import UnknownName

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fsbench.report.sheets import Section, Sheet

_Command = TypeVar("_Command", bound=Callable[..., Any])
TERMINAL = "terminal"


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
    """A table whose longest names are in the last column, where they are folded."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    last = max(place for place, name in enumerate(section.columns) if name in section.names)
    order = [*(place for place in range(len(section.columns)) if place != last), last]
    found = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place in order:
        name = section.columns[place]
        side: Literal["left", "right"] = "right" if name in section.right else "left"
        found.add_column(name, justify=side, no_wrap=name not in section.names, overflow="fold")
    for row in section.rows:
        found.add_row(*(Text(row[place]) for place in order))
    return found
