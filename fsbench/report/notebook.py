"""Results in a notebook: what to use, and the overall table, as a fragment of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.words import printable


def to_html(boards: tuple[Leaderboard, ...]) -> str:
    """The recommendation and the overall table of each leaderboard."""
    return "\n".join(line for board in boards for line in _lines(board))


def _lines(board: Leaderboard) -> Iterator[str]:
    yield f"<p>{_text(text.title(board))}</p>"
    yield f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in recommendation(board))}</ul>"
    if not board.rows:
        return
    names = text.columns(board, text.OVERALL_COLUMNS)
    yield f"<table>{_row('th', [text.column(name, board) for name in names])}"
    for row in board.overall:
        shown = text.shown(row, board.metric)
        yield _row("td", [shown[name] for name in names])
    yield "</table>"


def _row(tag: str, values: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(value)}</{tag}>' for value in values)}</tr>"


def _text(value: str) -> str:
    return escape(printable(value))
