"""Tables on a terminal: green helps, red hurts, dim is not settled; plain without colour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from fsbench.report import text
from fsbench.report.leaderboard import Leaderboard
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
_LONG = 36
_GAP = 2
_ALWAYS = 4
# Columns whose texts are continued on the next line after a comma or a colon, or before a parenthesis.
_FOLDED = frozenset({"uses", "verdict", "score", text.LABELS})
# Where a spec that is too long is broken: between terms, then arguments, then words.
_TERMS, _ARGUMENTS, _WORDS = r"(?<=[\w)])(?=\+[A-Za-z_])", r"(?<=\()|(?<=, )", r"(?<=[=_.-])"


@dataclass(frozen=True)
class Layout:
    """What all tables of a leaderboard share, so that their columns are aligned.

    `headings` are those of the columns; `shown` has the texts of each row, by its `id`; `widths` those of
    whole entries; `pieces` is the width of the longest part of a spec that is not broken. With `folds`, long
    entries continue on further lines.
    """

    headings: dict[str, str]
    shown: dict[int, dict[str, str]]
    widths: dict[str, int]
    pieces: int
    folds: bool

    @classmethod
    def of(cls, board: Leaderboard, rows: Sequence[Row], folds: bool = True) -> Layout:
        """The layout of some rows of a leaderboard, at least one."""
        shown = {id(row): text.shown(row, board.metric) for row in rows}
        distinct = {name: {texts[name] for texts in shown.values()} for name in text.ONLY_COLUMNS}
        breaks = re.compile(f"{_TERMS}|{_ARGUMENTS}")
        parts = [len(part.rstrip()) for spec in distinct["strategy"] for part in breaks.split(spec)]
        headings = {name: text.column(name, board) for name in distinct}
        widths = {
            name: max(len(headings[name]), *(_width(name, value, folds) for value in values))
            for name, values in distinct.items()
        }
        return cls(headings, shown, widths, max(_NARROWEST, *parts), folds)


def make_table(
    layout: Layout, rows: Sequence[Row], columns: Sequence[str], width: int
) -> tuple[Table, set[str]]:
    """A table of the columns that fit into a width, and the headings of those columns."""
    widths = {name: layout.widths[name] for name in columns}
    wanted = widths["strategy"]
    widths["strategy"] = layout.pieces if layout.folds else max(layout.pieces, min(wanted, _LONG))
    kept = _fitting(widths, width, layout.folds)
    gap = _GAP if _total(widths, kept, _GAP) <= width else 1
    left = width - _total(widths, kept, gap)
    room = widths["strategy"] = max(_NARROWEST, min(wanted, widths["strategy"] + left))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False)
    for name in kept:
        justify: Literal["left", "right"] = "right" if name in text.RIGHT else "left"
        table.add_column(layout.headings[name], justify=justify, width=widths[name], overflow="fold")
    for row in rows:
        texts = layout.shown[id(row)]
        style = _STYLES.get(texts["verdict"].partition(",")[0], "")
        table.add_row(*(_text(name, texts[name], style, room, layout.folds) for name in kept))
    return table, {layout.headings[name] for name in kept}


def _fitting(widths: Mapping[str, int], room: int, folds: bool) -> list[str]:
    """The columns that fit, in their order; the least important ones are left out first.

    Where entries do not fold, a wide column is left out before the narrow ones after it.
    """
    kept: list[str] = []
    for name in sorted(widths, key=_IMPORTANCE.index):
        if len(kept) < _ALWAYS or _total(widths, [*kept, name], 1) <= room:
            kept.append(name)
        elif folds:
            break
    return [name for name in widths if name in kept]


def _total(widths: Mapping[str, int], columns: Sequence[str], gap: int) -> int:
    return sum(widths[name] for name in columns) + gap * (len(columns) - 1)


def _width(name: str, value: str, folds: bool) -> int:
    return max(map(len, (_folded(name, value) if folds else value).split("\n")))


def _folded(name: str, value: str) -> str:
    return re.sub(r"(?<=[,:]) | (?=\()", "\n", value) if name in _FOLDED else value


def _text(name: str, value: str, style: str, room: int, folds: bool) -> Text:
    if name == "strategy":
        value = "\n".join(_lines(value, room, (_TERMS, _ARGUMENTS, _WORDS)))
    return Text(
        _folded(name, value) if folds else value, style=style if name in {"vs erm", "verdict"} else ""
    )


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
