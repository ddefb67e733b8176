"""Reports: everything that a user sees, computed from records. `render` writes a leaderboard as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.errors import UnknownName

if TYPE_CHECKING:
    from rich.console import Console

    from fsbench.report.leaderboard import Leaderboard

FORMATS = ("terminal", "markdown", "csv", "json")


def render(board: Leaderboard, format: str = "terminal", width: int = 100) -> str:
    """A leaderboard as text that ends in a newline: plain at `width` columns, Markdown, CSV or JSON.

    Raises UnknownName for another format.
    """
    if format == "terminal":
        from fsbench.report.terminal import to_terminal

        return to_terminal(board, width)
    if format == "markdown":
        from fsbench.report.markdown import to_markdown

        return to_markdown(board)
    if format in FORMATS:
        from fsbench.report import exported

        return exported.to_csv(board) if format == "csv" else exported.to_json(board)
    raise UnknownName("format", format, FORMATS)


def print_leaderboard(board: Leaderboard, console: Console | None = None, legend: bool = False) -> None:
    """Print a leaderboard on a rich console: in colour on a terminal, plain elsewhere.

    With `legend`, also print how to read the tables.
    """
    from fsbench.report.terminal import print_board

    print_board(board, console, legend)
