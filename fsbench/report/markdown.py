"""A report as a Markdown page in GitHub's dialect, with its figures beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fsbench.report import escape, text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row
from fsbench.tasks.expressions import task_labels
from fsbench.words import capital

if TYPE_CHECKING:
    from fsbench.report.contents import Report
    from fsbench.report.plots.figures import Figure

TITLE = "# Leaderboard: "
"""How a page with a name begins."""


@dataclass(frozen=True)
class Dialect:
    """How names, reasons and notes stay text: in sentences and table cells, and as code."""

    text: Callable[[str], str]
    code: Callable[[str], str]


GITHUB = Dialect(escape.markdown, escape.markdown_code)
SITE = Dialect(escape.entities, escape.entities_code)
"""For Python-Markdown, which knows fewer escapes: all punctuation is written as HTML entities."""


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """The page, and its figures in a folder."""
    from fsbench.report.plots.files import figures_of

    return with_figures(report, stem, list(figures_of(report)))


def with_figures(
    report: Report, stem: str, figures: Sequence[tuple[int, Figure]], dialect: Dialect = GITHUB
) -> Iterator[tuple[str, bytes]]:
    """The page and some of its figures, each with the place of its leaderboard."""
    folder = f"{stem}-figures"
    named = [(place, f"{folder}/{each.name}.svg", each) for place, each in figures]
    pages = [
        to_markdown(
            board, report.name, [(path, each.caption) for at, path, each in named if at == place], dialect
        )
        for place, board in enumerate(report.boards)
    ]
    yield f"{stem}.md", "\n".join(pages).encode()
    for _, path, each in named:
        yield path, each.save("svg")


def to_markdown(
    board: Leaderboard, name: str = "", figures: Sequence[tuple[str, str]] = (), dialect: Dialect = GITHUB
) -> str:
    """Recommendation, main table, figures, a table per task, trials without a result, and how to read it.

    `name` is that of the suite if the leaderboard is of a suite. `figures` are the path and the caption of
    each.
    """
    return "\n".join(_lines(board, name, figures, dialect)) + "\n"


def _lines(
    board: Leaderboard, name: str, figures: Sequence[tuple[str, str]], dialect: Dialect
) -> Iterator[str]:
    said = dialect.text
    yield from (
        f"{TITLE}{said(name)}" if name else "# Leaderboard",
        "",
        f"{capital(text.title(board))}.",
        "",
    )
    if board.tuned:
        yield from (f"{text.tuned(board)}.", "")
    yield from _list(dialect, recommendation(board))
    if not board.rows:
        return
    yield from ("", "## Overall", "") if board.further else _heading(dialect, *board.tasks[0])
    yield from _table(dialect, board, board.main, text.main_columns(board))
    for path, caption in figures:
        yield from ("", f"![{said(caption)}]({quote(path)})")
    for label, rows in board.further:
        yield from _heading(dialect, label, rows)
        yield from _table(
            dialect, board, [row for row in rows if row.done], text.columns(board, text.TASK_COLUMNS)
        )
        if any(not row.done for row in rows):
            yield from ("", f"{said(capital(text.without_result(rows)))}.")
    if board.problems or board.warnings:
        yield from ("", "## Without a result, and warnings", "")
        yield from _list(dialect, [*text.problem_lines(board.problems), *board.warnings])
    yield from ("", "## How to read the tables", "")
    for term, meaning in text.legend(board).items():
        yield f"- **{said(term)}**: {said(meaning)}"
    if board.origin:
        yield from ("", f"{said(capital(board.origin))}.")


def _heading(dialect: Dialect, label: str, rows: Sequence[Row]) -> Iterator[str]:
    """The heading of a task's table and, if the task says so, its labels in all."""
    yield from ("", f"## {dialect.code(label)}", "")
    if budget := task_labels(rows[0].task):
        yield from (f"{capital(budget)}.", "")


def _table(
    dialect: Dialect, board: Leaderboard, rows: Sequence[Row], columns: Sequence[str]
) -> Iterator[str]:
    yield f"| {' | '.join(dialect.text(text.column(name, board)) for name in columns)} |"
    yield f"|{'|'.join('--:' if name in text.RIGHT else '---' for name in columns)}|"
    for row in rows:
        shown = text.shown(row, board.metric)
        texts = (
            dialect.code(shown[name]) if name == "strategy" else dialect.text(shown[name]) for name in columns
        )
        yield f"| {' | '.join(texts)} |"


def _list(dialect: Dialect, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"- {dialect.text(line)}"
