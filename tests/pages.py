"""Leaderboards as the text of one file, for tests."""

from __future__ import annotations

import io
import json
import re

from rich.console import Console

from fsbench.report.as_json import board_content
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.long_tables import row_table, to_csv
from fsbench.report.markdown import to_markdown
from fsbench.report.terminal import print_board


def terminal(board: Leaderboard, width: int = 100) -> str:
    """What a terminal of a width shows, with the legend and without colours."""
    buffer = io.StringIO()
    print_board(board, Console(file=buffer, width=width, color_system=None, highlight=False), legend=True)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


FORMATS = {
    "terminal": terminal,
    "markdown": to_markdown,
    "csv": lambda board: to_csv(row_table(board.rows)),
    "json": lambda board: json.dumps(board_content(board), indent=1, sort_keys=True, allow_nan=False) + "\n",
}


def render(board: Leaderboard, format: str = "terminal", width: int = 100) -> str:
    """A leaderboard in one of the formats."""
    return terminal(board, width) if format == "terminal" else FORMATS[format](board)


def without_figures(page: str) -> str:
    """A Markdown page without its figures."""
    return re.sub(r"!\[[^\n]*\n\n?", "", page)
