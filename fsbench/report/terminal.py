"""A leaderboard on a terminal: green helps, red hurts, dim is not settled; plain without colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.rows import Row

# A narrow terminal leaves out columns, the last of these first.
_IMPORTANCE = (
    *("strategy", "score", "vs erm", "verdict", text.AGAINST),
    *("#", text.LABELS, "done", "uses", "cost", "sec", "train", text.SOURCE, "MB"),
)
_STYLES = {
    "helps": "green",
    "equivalent": "cyan",
    "hurts": "red",
    "failed": "red",
    "not settled": "dim",
    "skipped": "dim",
    "not run": "dim",
}
_NARROWEST = 8
_GAP = 2
_ALWAYS = 4
# Columns whose texts are continued on the next line after a comma or a colon, or before a parenthesis.
_FOLDED = frozenset({"uses", "verdict", "score", text.LABELS})
# Where a spec that is too long is broken: between terms, then arguments, then words.
_TERMS, _ARGUMENTS, _WORDS = r"(?<=[\w)])(?=\+[A-Za-z_])", r"(?<=\()|(?<=, )", r"(?<=[=_.-])"


def print_board(board: Leaderboard, console: Console | None = None, legend: bool = False) -> None:
    """Print each task's table, then the overall table, what has no result, and the recommendation.

    With `legend`, also print how to read the tables.
    """
    console = console or Console(highlight=False)
    if not board.rows:
        console.print(text.EMPTY)
        return
    if board.tuned:
        console.print(Text(text.tuned(board), style="bold"))
        console.print()
    # The overall table shows what each strategy uses.
    columns = [name for name in text.columns(board, text.TASK_COLUMNS) if name != "uses"]
    kept, layout = set[str](), _Layout.of(board)
    for label, rows in board.tasks:
        console.print(Text(text.heading(label, rows), style="bold"))
        if done := [row for row in rows if row.done]:
            kept |= _print_table(console, layout, done, columns)
        _print_lines(console, filter(None, [text.without_result(rows)]), "dim")
        console.print()
    console.print(Text("Overall: mean over tasks", style="bold"))
    console.print(Text(text.title(board)))
    kept |= _print_table(console, layout, board.overall, text.columns(board, text.OVERALL_COLUMNS))
    _print_lines(console, text.problem_lines(board.problems), "")
    _print_lines(console, board.warnings, "yellow")
    console.print()
    if board.trials and legend:
        _print_legend(console, board, kept)
        console.print()
    print_recommendation(board, console)


def print_recommendation(board: Leaderboard, console: Console) -> None:
    """Print what to use, in plain words."""
    _print_lines(console, recommendation(board), "")


@dataclass(frozen=True)
class _Layout:
    """What all tables of a leaderboard share, so that their columns are aligned.

    `headings` are those of the columns; `shown` has the texts of each row, by its `id`; `widths` those of
    whole entries; `pieces` is the width of the longest part of a spec that is not broken.
    """

    headings: dict[str, str]
    shown: dict[int, dict[str, str]]
    widths: dict[str, int]
    pieces: int

    @classmethod
    def of(cls, board: Leaderboard) -> _Layout:
        """The layout of a leaderboard with at least one row."""
        shown = {id(row): text.shown(row, board.metric) for row in board.rows}
        distinct = {
            name: {texts[name] for texts in shown.values()}
            for name in dict.fromkeys((*text.TASK_COLUMNS, *text.OVERALL_COLUMNS))
        }
        breaks = re.compile(f"{_TERMS}|{_ARGUMENTS}")
        parts = [len(part.rstrip()) for spec in distinct["strategy"] for part in breaks.split(spec)]
        headings = {name: text.column(name, board) for name in distinct}
        widths = {
            name: max(len(headings[name]), *(_width(name, value) for value in values))
            for name, values in distinct.items()
        }
        return cls(headings, shown, widths, max(_NARROWEST, *parts))


def _print_table(console: Console, layout: _Layout, rows: Sequence[Row], columns: Sequence[str]) -> set[str]:
    """Print a table of the columns that fit, and return those columns."""
    widths = {name: layout.widths[name] for name in columns}
    wanted, widths["strategy"] = widths["strategy"], layout.pieces
    kept = _fitting(widths, console.width)
    gap = _GAP if _total(widths, kept, _GAP) <= console.width else 1
    left = console.width - _total(widths, kept, gap)
    room = widths["strategy"] = max(_NARROWEST, min(wanted, widths["strategy"] + left))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False)
    for name in kept:
        justify: Literal["left", "right"] = "right" if name in text.RIGHT else "left"
        table.add_column(layout.headings[name], justify=justify, width=widths[name], overflow="fold")
    for row in rows:
        texts = layout.shown[id(row)]
        style = _STYLES.get(texts["verdict"].partition(",")[0], "")
        table.add_row(*(_text(name, texts[name], style, room) for name in kept))
    console.print(table)
    return {layout.headings[name] for name in kept}


def _fitting(widths: Mapping[str, int], room: int) -> list[str]:
    """The columns that fit, in their order; the least important ones are left out first."""
    kept = sorted(widths, key=_IMPORTANCE.index)
    while len(kept) > _ALWAYS and _total(widths, kept, 1) > room:
        kept.pop()
    return [name for name in widths if name in kept]


def _total(widths: Mapping[str, int], columns: Sequence[str], gap: int) -> int:
    return sum(widths[name] for name in columns) + gap * (len(columns) - 1)


def _width(name: str, value: str) -> int:
    return max(map(len, _folded(name, value).split("\n")))


def _folded(name: str, value: str) -> str:
    return re.sub(r"(?<=[,:]) | (?=\()", "\n", value) if name in _FOLDED else value


def _text(name: str, value: str, style: str, room: int) -> Text:
    if name == "strategy":
        value = "\n".join(_lines(value, room, (_TERMS, _ARGUMENTS, _WORDS)))
    return Text(_folded(name, value), style=style if name in {"vs erm", "verdict"} else "")


def _lines(value: str, room: int, breaks: Sequence[str]) -> list[str]:
    """A text in lines of at most `room` if possible, broken at the first kind of place that suffices."""
    if len(value) <= room or not breaks:
        return [value]
    lines: list[str] = []
    for piece in re.split(breaks[0], value):
        if lines and len(lines[-1]) + len(piece.rstrip()) <= room:
            lines[-1] += piece
        else:
            lines += _lines(piece, room, breaks[1:])
    return [line.rstrip() for line in lines]


def _print_legend(console: Console, board: Leaderboard, shown: set[str]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for term, meaning in text.legend(board).items():
        if term in shown:
            grid.add_row(Text(term), Text(meaning, style="dim"))
    console.print(grid)


def _print_lines(console: Console, lines: Iterable[str], style: str) -> None:
    for line in lines:
        console.print(Text(line, style=style))
