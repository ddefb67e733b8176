"""A leaderboard as a Markdown page in GitHub's dialect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row


def to_markdown(board: Leaderboard, name: str = "") -> str:
    """Recommendation, overall table, a table per task, trials without a result, and how to read it.

    `name` is that of the suite if the leaderboard is of a suite.
    """
    return "\n".join(_lines(board, name)) + "\n"


def _lines(board: Leaderboard, name: str) -> Iterator[str]:
    yield from (
        f"# Leaderboard: {name}" if name else "# Leaderboard",
        "",
        f"{_capital(text.title(board))}.",
        "",
    )
    if board.tuned:
        yield from (f"{text.tuned(board)}.", "")
    yield from _list(recommendation(board))
    if not board.rows:
        return
    yield from ("", "## Overall", "")
    yield from _table(board, board.overall, text.columns(board, text.OVERALL_COLUMNS))
    for label, rows in board.tasks:
        yield from ("", f"## {_code(label)}", "")
        if budget := text.labels_of(rows[0].task):
            yield from (f"{_capital(budget)}.", "")
        yield from _table(board, [row for row in rows if row.done], text.columns(board, text.TASK_COLUMNS))
        if any(not row.done for row in rows):
            yield from ("", f"{_escape(_capital(text.without_result(rows)))}.")
    if board.problems or board.warnings:
        yield from ("", "## Without a result, and warnings", "")
        yield from _list([*text.problem_lines(board.problems), *board.warnings])
    yield from ("", "## How to read the tables", "")
    for term, meaning in text.legend(board).items():
        yield f"- **{term}**: {_escape(meaning)}"
    if board.origin:
        yield from ("", f"{_escape(_capital(board.origin))}.")


def _table(board: Leaderboard, rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(text.column(name, board) for name in columns)} |"
    yield f"|{'|'.join('--:' if name in text.RIGHT else '---' for name in columns)}|"
    for row in rows:
        texts = text.shown(row, board.metric) | {"strategy": _code(row.strategy)}
        yield f"| {' | '.join(_escape(texts[name]) for name in columns)} |"


def _list(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"- {_escape(line)}"


def _code(name: str) -> str:
    return f"`{name}`"


def _escape(value: str) -> str:
    """Escape bars, stars and other characters that have a meaning in Markdown."""
    return value.replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]
