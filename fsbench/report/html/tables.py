"""The leaderboards of the page: tables that a reader can sort and filter, for every metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsbench.report import text
from fsbench.report.labels import family
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.tasks.expressions import task_arguments, task_labels
from fsbench.words import capital, printable

ByMetric = Mapping[str, Leaderboard]
"""The leaderboards of the same records by each metric, the one that the page is about first."""
_FIXED = ("strategy", "uses")


@dataclass(frozen=True)
class Heading:
    """A column: its name in the rows, its title, what it means, and whether it is aligned right."""

    name: str
    title: str
    meaning: str
    right: bool


@dataclass(frozen=True)
class TableRow:
    """A row: the strategy, what it uses (names with spaces between), and its texts by column."""

    strategy: str
    uses: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """The table of a task, or of all tasks. Task arguments are "" where a task has none of the kind.

    The main table is `open` at first.
    """

    label: str
    note: str
    columns: tuple[Heading, ...]
    rows: tuple[TableRow, ...]
    overall: bool = False
    open: bool = False
    protocol: str = ""
    dataset: str = ""
    k: str = ""


@dataclass(frozen=True)
class Board:
    """The tables of a leaderboard, and the texts of their cells for every metric."""

    number: int
    title: str
    about: str
    tables: tuple[Table, ...]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """A filter: its name in the script, its label, and the values with their texts."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Boards:
    """Everything of the section: the leaderboards, the filters, and how to read the columns."""

    boards: tuple[Board, ...]
    choices: tuple[Choice, ...]
    legend: tuple[tuple[str, str], ...]


def tables(found: Sequence[ByMetric]) -> Boards:
    """The leaderboards of untuned and of tuned results."""
    boards = tuple(_board(number, by_metric) for number, by_metric in enumerate(found))
    main = _main(found[0])
    return Boards(boards, tuple(_choices(found, boards)), tuple(text.legend(main).items()))


def _main(by_metric: ByMetric) -> Leaderboard:
    return next(iter(by_metric.values()))


def _board(number: int, by_metric: ByMetric) -> Board:
    main = _main(by_metric)
    return Board(
        number=number,
        title=text.tuned(main) if main.tuned else "Default settings",
        about=capital(text.title(main)),
        tables=tuple(_tables(main)),
        metrics=_metrics(by_metric, [name for name in text.ONLY_COLUMNS if name not in _FIXED]),
    )


def _tables(board: Leaderboard) -> Iterable[Table]:
    main, on_task = _headings(board, text.main_columns(board)), _headings(board, text.TASK_COLUMNS)
    if board.further:
        yield Table("Mean over all tasks", "", main, _rows(board.main, board), overall=True, open=True)
    for label, rows in board.tasks:
        arguments = task_arguments(rows[0].task)
        number = family(rows[0].task)
        yield Table(
            label=label,
            note=task_labels(rows[0].task),
            columns=on_task if board.further else main,
            rows=_rows(rows, board),
            protocol=str(arguments["protocol"]),
            dataset=str(arguments.get("dataset", "")),
            k=str(number[2]) if number else "",
            open=not board.further,
        )


def _headings(board: Leaderboard, names: Sequence[str]) -> tuple[Heading, ...]:
    meanings = text.legend(board)
    titles = {name: text.column(name, board) for name in text.columns(board, names)}
    return tuple(
        Heading(name, title, meanings.get(title, title), name in text.RIGHT) for name, title in titles.items()
    )


def _rows(rows: Iterable[Row], board: Leaderboard) -> tuple[TableRow, ...]:
    return tuple(TableRow(printable(row.strategy), " ".join(row.uses), _shown(row, board)) for row in rows)


def _metrics(by_metric: ByMetric, names: Sequence[str]) -> dict[str, Any]:
    """The texts of the columns `names` by metric, table and row; `tables` are in the order of the page."""
    return {
        "columns": list(names),
        "values": {
            metric: {
                "about": capital(text.title(board)),
                "legend": text.legend(board),
                "tables": [
                    _texts(rows, board, names) for rows in (board.main, *(r for _, r in board.further))
                ],
            }
            for metric, board in by_metric.items()
        },
    }


def _texts(rows: Iterable[Row], board: Leaderboard, names: Sequence[str]) -> list[list[Any]]:
    shown = [(printable(row.strategy), _shown(row, board)) for row in rows]
    return [[strategy, [texts[name] for name in names]] for strategy, texts in shown]


def _shown(row: Row, board: Leaderboard) -> dict[str, str]:
    """The texts of a row. Scripts compare them with those on the page, where all texts are printable."""
    return {name: printable(value) for name, value in text.shown(row, board.metric).items()}


def _choices(found: Sequence[ByMetric], boards: Sequence[Board]) -> Iterable[Choice]:
    every = [table for board in boards for table in board.tables if not table.overall]
    if len(boards) > 1:
        options = [(str(board.number), board.title.partition(":")[0]) for board in boards]
        yield Choice("board", "Results", (("", "all"), *options))
    yield Choice("metric", "Metric", tuple((name, each.metric.title) for name, each in found[0].items()))
    for name, label in (("protocol", "Protocol"), ("dataset", "Dataset"), ("k", "Training labels per class")):
        values = sorted({getattr(table, name) for table in every} - {""}, key=_natural)
        if len(values) > 1:
            yield Choice(name, label, (("", "all"), *((value, value) for value in values)))
    used = sorted({use for table in every for row in table.rows for use in row.uses.split()})
    if used:
        more = tuple((use, use.replace("_", " ")) for use in used)
        yield Choice("uses", "Uses", (("", "anything"), ("-", "only the labels"), *more))


def _natural(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdigit() else (0, value)
