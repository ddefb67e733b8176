"""A report for a paper: booktabs tables, and figures as PDF beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fsbench.report import text
from fsbench.report.contents import Report
from fsbench.report.escape import latex as _escape
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.plots.figures import Figure
from fsbench.report.plots.files import figures_of
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row

_PREAMBLE = r"""% The document needs these lines:
% \usepackage{booktabs, longtable, graphicx, textcomp}
% \usepackage[T1]{fontenc}
"""


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
        *(rf"\item {_escape(line)}" for line in recommendation(board)),
        r"\end{itemize}",
    )
    if not board.rows:
        return
    about = f"{text.title(board)}; mean over tasks."
    yield from _table(board, board.overall, text.columns(board, text.OVERALL_COLUMNS), about)
    for path, figure in figures:
        yield from (
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{path}}}",
            rf"\caption{{{_escape(figure.caption)}.}}",
            r"\end{figure}",
        )
    for label, rows in board.tasks:
        done = [row for row in rows if row.done]
        without = f" {text.without_result(rows)}." if len(done) < len(rows) else ""
        about = f"{text.heading(label, rows)}.{without}"
        yield from _table(board, done, text.columns(board, text.TASK_COLUMNS), about)
    for line in (*text.problem_lines(board.problems), *board.warnings):
        yield rf"\par {_escape(line)}"


def _table(board: Leaderboard, rows: Sequence[Row], columns: Sequence[str], caption: str) -> Iterator[str]:
    kinds = "".join("r" if name in text.RIGHT else "l" for name in columns)
    head = " & ".join(_escape(text.column(name, board)) for name in columns)
    yield from (rf"\begin{{longtable}}{{{kinds}}}", rf"\caption{{{_escape(caption)}}}\\", r"\toprule")
    yield from (rf"{head} \\", r"\midrule", r"\endhead")
    for row in rows:
        shown = text.shown(row, board.metric)
        yield " & ".join(_cell(name, shown[name]) for name in columns) + r" \\"
    yield from (r"\bottomrule", r"\end{longtable}")


def _cell(name: str, value: str) -> str:
    if name == "strategy":
        return rf"\texttt{{{_escape(value)}}}"
    return _escape(value).replace("±", r"$\pm$")
