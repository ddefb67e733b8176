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
% A longtable needs a page of one column: in a document of two, put \onecolumn before the \input of this file,
% and \twocolumn behind it.
"""
_LEFT_OUT = ("train", text.SOURCE, "sec", "MB")
"""Columns for which a page has no room; CSV has them."""
_NAME = r">{\raggedright\arraybackslash}p{0.2\linewidth}"
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
# Two numbers that stand alone, no part of a name.
_RANGE = re.compile(r"(?<![\w.-])([\d.]+)-(?=[\d.]+(?![\w-]))")
_BREAK = re.compile(r"(\\_|[+(,=])")
_NO_LABEL = re.compile(r"[^A-Za-z0-9-]+")


def files(report: Report, stem: str) -> Iterator[tuple[str, bytes]]:
    """Tables and figures to be included by `\\input`, and the figures in a folder."""
    folder = f"{stem}-figures"
    drawn = [(place, f"{folder}/{each.name}.pdf", each) for place, each in figures_of(report)]
    parts = [
        "\n".join(_lines(board, stem, place, [(path, each) for at, path, each in drawn if at == place]))
        for place, board in enumerate(report.boards)
    ]
    yield f"{stem}.tex", (_PREAMBLE + "\n\n".join(parts) + "\n").encode()
    for _, path, each in drawn:
        yield path, each.save("pdf")


def _lines(board: Leaderboard, stem: str, place: int, figures: Iterable[tuple[str, Figure]]) -> Iterator[str]:
    """The leaderboard at a place of the report; `stem` is the file's, with which labels begin."""
    own = f"{stem}-{place + 1}" if place else stem
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
    yield from _table(board, board.main, text.main_columns(board), about, f"{own}-overall")
    yield _notes(board)
    for path, figure in figures:
        yield from (
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{path}}}",
            rf"\caption{{{_escape(figure.caption)}.}}{_label('fig', f'{stem}-{figure.name}')}",
            r"\end{figure}",
        )
    for number, (label, rows) in enumerate(board.further, 1):
        done = [row for row in rows if row.done]
        without = text.without_result(rows) if len(done) < len(rows) else ""
        about = f"{text.heading(label, rows)}." + (without and f" {capital(without)}.")
        yield from _table(board, done, text.TASK_COLUMNS, about, f"{own}-task-{number}")
    for line in (*text.problem_lines(board.problems), *board.warnings):
        yield rf"\par {_escape(line)}"


def _notes(board: Leaderboard) -> str:
    """A paragraph that says how to read the columns of the tables."""
    left_out = {text.column(name, board) for name in _LEFT_OUT}
    notes = (
        rf"\textbf{{{_escape(term)}}}: {_signs(meaning)}."
        for term, meaning in text.legend(board).items()
        if term not in left_out
    )
    return rf"\par {{\footnotesize {' '.join(notes)}\par}}"


def _table(
    board: Leaderboard, rows: Sequence[Row], names: Sequence[str], caption: str, name: str
) -> Iterator[str]:
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
    yield rf"\begin{{longtable}}{{@{{}}{kinds}@{{}}}}"
    yield rf"\caption{{{_escape(caption)}}}{_label('tab', name)}\\"
    yield from (*head, r"\endfirsthead", *head, r"\endhead")
    for shown in texts:
        yield " & ".join(_cell(name, shown[name]) for name in columns) + r" \\"
    yield from (r"\bottomrule", r"\end{longtable}", r"\endgroup")


def _label(kind: str, name: str) -> str:
    return rf"\label{{{kind}:{_NO_LABEL.sub('-', name)}}}"


def _cell(name: str, value: str) -> str:
    if name == "strategy":
        breakable = _BREAK.sub(r"\1\\allowbreak{}", _escape(value))
        return rf"\texttt{{{breakable}}}"
    if value == text.NOTHING:
        return "--"
    return _signs(value)


def _signs(value: str) -> str:
    """A text with the signs and ranges of its numbers as they are set."""
    signs = _MINUS.sub("$-$", _RANGE.sub(r"\1--", _escape(value)))
    return signs.replace("±", r"$\pm$")
