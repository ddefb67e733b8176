"""A leaderboard on a terminal. Green helps, red hurts, dim is not settled; plain where there is no colour."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard, Row

# What each strategy uses stands in the overall table; narrow terminals do without more.
_LEFT_OUT = {"uses"}
_WIDE = 100
_ONLY_WIDE = {"train", "MB"}
_STYLES = {
    "helps": "green",
    "hurts": "red",
    "failed": "red",
    "not settled": "dim",
    "skipped": "dim",
    "not run": "dim",
}
_NARROWEST = 8
_GAP = 2
_COMMA = ", "
_PLUS = re.compile(r"(?<=[\w)])\+(?=[A-Za-z_])")


def print_board(board: Leaderboard, console: Console | None = None) -> None:
    """Print each task's table, then the overall table, what has no result, how to read it, the summary."""
    console = console or Console(highlight=False)
    if not board.rows:
        console.print(text.EMPTY)
        return
    left_out = _LEFT_OUT if console.width >= _WIDE else _LEFT_OUT | _ONLY_WIDE
    columns = [name for name in text.TASK_COLUMNS if name not in left_out]
    for label, rows in board.tasks:
        console.print(Text(label, style="bold"))
        _print_table(console, board, [row for row in rows if row.done], columns)
        _print_lines(console, filter(None, [text.without_result(rows)]), "dim")
        console.print()
    console.print(Text("Overall: mean over tasks", style="bold"))
    console.print(Text(text.title(board)))
    _print_table(console, board, board.overall, text.OVERALL_COLUMNS)
    _print_lines(console, text.problem_lines(board.problems), "")
    _print_lines(console, board.warnings, "yellow")
    console.print()
    _print_legend(console, board, {*columns, *text.OVERALL_COLUMNS})
    console.print()
    _print_lines(console, text.summary(board), "")


def to_terminal(board: Leaderboard, width: int) -> str:
    """The same as plain text at a width."""
    buffer = io.StringIO()
    print_board(board, Console(file=buffer, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _print_table(console: Console, board: Leaderboard, rows: Sequence[Row], columns: Sequence[str]) -> None:
    # Widths over all rows of the board: the same in every table, so that the eye can run down.
    shown = [text.shown(row, board.metric) for row in board.rows]
    widths = {name: max(len(name), *(_width(texts[name]) for texts in shown)) for name in columns}
    total, gaps = sum(widths.values()), len(widths) - 1
    gap = _GAP if total + _GAP * gaps <= console.width else 1
    left = console.width - (total - widths["strategy"]) - gap * gaps
    room = widths["strategy"] = max(_NARROWEST, min(widths["strategy"], left))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False)
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if name in text.RIGHT else "left"
        table.add_column(name, justify=justify, width=width, overflow="fold")
    for row in rows:
        texts = text.shown(row, board.metric)
        style = _STYLES.get(texts["verdict"], "")
        table.add_row(*(_text(name, texts[name], style, room) for name in columns))
    console.print(table)


def _width(value: str) -> int:
    return max(map(len, value.split(_COMMA)))


def _text(name: str, value: str, style: str, room: int) -> Text:
    if name == "strategy" and len(value) > room:
        value = _PLUS.sub("\n+", value)
    if name == "uses":
        value = value.replace(_COMMA, ",\n")
    return Text(value, style=style if name in {"vs erm", "verdict"} else "")


def _print_legend(console: Console, board: Leaderboard, shown: set[str]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for term, meaning in text.legend(board).items():
        if term in shown:
            grid.add_row(Text(term), Text(meaning, style="dim"))
    console.print(grid)


def _print_lines(console: Console, lines: Iterable[str], style: str) -> None:
    for line in lines:
        console.print(Text(line, style=style))
