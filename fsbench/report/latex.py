"""A report for a paper: booktabs tables, and figures as PDF beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from fsbench.report import text
from fsbench.report.contents import Report
from fsbench.report.escape import latex as _escape
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.plots.figures import Figure
from fsbench.report.plots.files import figures_of
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row
from fsbench.words import capital

_PREAMBLE = r"""% The document needs these lines:
% \usepackage{array, booktabs, longtable, graphicx, textcomp}
% \usepackage[T1]{fontenc}
"""
_LEFT_OUT = ("train", text.SOURCE, "sec", "MB")
"""Columns for which a page has no room; CSV has them."""
_NAME = r">{\raggedright\arraybackslash}p{0.2\linewidth}"
_MINUS, _RANGE = re.compile(r"(?<!\w)-(?=\d)"), re.compile(r"(?<=\d)-(?=\d)")
_BREAK = re.compile(r"(\\_|[+(,=])")


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """Tables and figures to be included by `\\input`, and the figures in a folder."""
    folder = f"{stem}-figures"
    drawn = [(place, f"{folder}/{each.name}.pdf", each) for place, each in figures_of(report)]
    parts = [
        "\n".join(_lines(board, [(path, each) for at, path, each in drawn if at == place]))
        for place, board in enumerate(report.boards)
    ]
    yield f"{stem}.tex", (_PREAMBLE + "\n\n".join(parts) + "\n").encode()
    for _, path, each in drawn:
        yield path, each.save("pdf")


def _lines(board: Leaderboard, figures: Iterable[tuple[str, Figure]]) -> Iterator[str]:
    yield f"% {_escape(text.title(board))}"
    if board.tuned:
        yield f"{_escape(text.tuned(board))}."
    yield from (
        r"\begin{itemize}",
        *(rf"\item {_signs(line)}" for line in recommendation(board)),
        r"\end{itemize}",
    )
    if not board.rows:
        return
    about = f"{text.main_heading(board)}; {text.title(board)}."
    yield from _table(board, board.main, text.main_columns(board), about)
    for path, figure in figures:
        yield from (
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{path}}}",
            rf"\caption{{{_escape(figure.caption)}.}}",
            r"\end{figure}",
        )
    for label, rows in board.further:
        done = [row for row in rows if row.done]
        without = text.without_result(rows) if len(done) < len(rows) else ""
        about = f"{text.heading(label, rows)}." + (without and f" {capital(without)}.")
        yield from _table(board, done, text.TASK_COLUMNS, about)
    for line in (*text.problem_lines(board.problems), *board.warnings):
        yield rf"\par {_escape(line)}"


def _table(board: Leaderboard, rows: Sequence[Row], names: Sequence[str], caption: str) -> Iterator[str]:
    """A table in small type, whose head is repeated on every page."""
    texts = [text.shown(row, board.metric) for row in rows]
    whole = all(row.complete for row in rows)
    left_out = (*_LEFT_OUT, "done") if whole else _LEFT_OUT
    columns = [name for name in text.columns(board, names) if name not in left_out]
    kinds = "".join(_NAME if name == "strategy" else "r" if name in text.RIGHT else "l" for name in columns)
    head = (
        r"\toprule",
        " & ".join(_escape(text.column(name, board)) for name in columns) + r" \\",
        r"\midrule",
    )
    yield from (r"\begingroup", r"\scriptsize", r"\setlength{\tabcolsep}{2pt}")
    yield from (rf"\begin{{longtable}}{{@{{}}{kinds}@{{}}}}", rf"\caption{{{_escape(caption)}}}\\")
    yield from (*head, r"\endfirsthead", *head, r"\endhead")
    for shown in texts:
        yield " & ".join(_cell(name, shown[name]) for name in columns) + r" \\"
    yield from (r"\bottomrule", r"\end{longtable}", r"\endgroup")


def _cell(name: str, value: str) -> str:
    if name == "strategy":
        breakable = _BREAK.sub(r"\1\\allowbreak{}", _escape(value))
        return rf"\texttt{{{breakable}}}"
    if value == text.NOTHING:
        return "--"
    return _signs(value)


def _signs(value: str) -> str:
    """A text with the signs and ranges of its numbers as they are set."""
    signs = _MINUS.sub("$-$", _RANGE.sub("--", _escape(value)))
    return signs.replace("±", r"$\pm$")
