"""A leaderboard on a terminal or in a file of plain text: its tables, its remarks and the recommendation."""

from __future__ import annotations

from collections.abc import Container, Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.terminal_tables import Layout, make_table


def print_board(
    board: Leaderboard,
    console: Console | None = None,
    legend: bool = False,
    leave_out: Container[str] = (),
) -> None:
    """Print each task's table, then the overall table, what has no result, and the recommendation.

    The only task has one table, the main one. With `legend`, also print how to read the tables. `leave_out`
    may name the "main" table and the "recommendation".
    """
    console = console or Console(highlight=False)
    if not board.rows:
        console.print(text.EMPTY)
        return
    if board.tuned:
        console.print(Text(text.tuned(board), style="bold"))
        console.print()
    layout = Layout.of(board, board.rows)
    shown = _print_tasks(board, layout, console)
    if "main" not in leave_out:
        console.print(Text(text.main_heading(board), style="bold"))
        console.print(Text(text.title(board)))
        table, more = make_table(layout, board.main, text.main_columns(board), console.width)
        console.print(table)
        print_lines(console, text.information(board.main, more))
        shown |= more
    print_lines(console, text.problem_lines(board.problems))
    print_lines(console, board.warnings, "yellow")
    console.print()
    if board.trials and legend:
        _print_legend(console, board, shown)
        console.print()
    if "recommendation" not in leave_out:
        print_recommendation(board, console)


def print_recommendation(board: Leaderboard, console: Console) -> None:
    """Print what to use, in plain words."""
    print_lines(console, recommendation(board))


def print_lines(console: Console, lines: Iterable[str], style: str = "") -> None:
    """Print lines of text, each as it is."""
    for line in lines:
        console.print(Text(line, style=style))


def _print_tasks(board: Leaderboard, layout: Layout, console: Console) -> set[str]:
    """Print the table of each task; returns the headings of their columns."""
    # The overall table shows what each strategy uses.
    columns = [name for name in text.columns(board, text.TASK_COLUMNS) if name != "uses"]
    shown: set[str] = set()
    for label, rows in board.further:
        console.print(Text(text.heading(label, rows), style="bold"))
        if done := [row for row in rows if row.done]:
            table, more = make_table(layout, done, columns, console.width)
            console.print(table)
            shown |= more
        print_lines(console, filter(None, [text.without_result(rows)]), "dim")
        console.print()
    return shown


def _print_legend(console: Console, board: Leaderboard, shown: set[str]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for term, meaning in text.legend(board).items():
        if term in shown:
            grid.add_row(Text(term), Text(meaning, style="dim"))
    console.print(grid)
