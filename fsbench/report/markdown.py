"""A report as a Markdown page in GitHub's dialect, with its figures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from fsbench.report import text
from fsbench.report.escape import markdown as _escape
from fsbench.report.escape import markdown_code as _code
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row

if TYPE_CHECKING:
    from fsbench.report.contents import Report


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """The page, and its figures in a folder."""
    from fsbench.report.plots.files import figures_of

    folder = f"{stem}-figures"
    figures = [(place, f"{folder}/{each.name}.svg", each) for place, each in figures_of(report)]
    pages = [
        to_markdown(board, report.name, [(path, each.caption) for at, path, each in figures if at == place])
        for place, board in enumerate(report.boards)
    ]
    yield f"{stem}.md", "\n".join(pages).encode()
    for _, path, each in figures:
        yield path, each.save("svg")


def to_markdown(board: Leaderboard, name: str = "", figures: Sequence[tuple[str, str]] = ()) -> str:
    """Recommendation, overall table, figures, a table per task, trials without a result, and how to read it.

    `name` is that of the suite if the leaderboard is of a suite. `figures` are the path and the caption of
    each.
    """
    return "\n".join(_lines(board, name, figures)) + "\n"


def _lines(board: Leaderboard, name: str, figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (
        f"# Leaderboard: {_escape(name)}" if name else "# Leaderboard",
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
    for path, caption in figures:
        yield from ("", f"![{_escape(caption)}]({quote(path)})")
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
        yield f"- **{_escape(term)}**: {_escape(meaning)}"
    if board.origin:
        yield from ("", f"{_escape(_capital(board.origin))}.")


def _table(board: Leaderboard, rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(_escape(text.column(name, board)) for name in columns)} |"
    yield f"|{'|'.join('--:' if name in text.RIGHT else '---' for name in columns)}|"
    for row in rows:
        shown = text.shown(row, board.metric)
        texts = (_code(shown[name]) if name == "strategy" else _escape(shown[name]) for name in columns)
        yield f"| {' | '.join(texts)} |"


def _list(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"- {_escape(line)}"


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]
