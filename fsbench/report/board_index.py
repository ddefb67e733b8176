"""The index of a folder of published files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fsbench.report import text
from fsbench.report.board import Board
from fsbench.report.choice import recommended
from fsbench.report.markdown import GITHUB, Dialect
from fsbench.report.recommendation import by_topic
from fsbench.words import capital

MARK = "<!-- The index of published files, by `fsbench publish`, which writes it anew. -->"
"""How an index begins."""
_COLUMNS = (
    "leaderboard",
    "tasks × split seeds",
    "strategies",
    "use",
    "best score",
    "made",
    "reproduced by",
)
_RIGHT = ("strategies",)


def index(boards: Iterable[Board], dialect: Dialect = GITHUB) -> str:
    """The index as Markdown: a table of the leaderboards, then what each is and what it recommends."""
    return "\n".join(_lines(list(boards), dialect)) + "\n"


def _lines(boards: Sequence[Board], dialect: Dialect) -> Iterator[str]:
    yield from (MARK, "", "# Leaderboards", "")
    yield (
        "Each is a published file of records, `NAME.jsonl`, with a page made from it. "
        "`fsbench leaderboard --results NAME.jsonl` shows it, `fsbench report --results NAME.jsonl` makes an "
        "interactive page, and `fsbench verify NAME.jsonl` runs a sample of its trials again."
    )
    yield from ("", f"| {' | '.join(_COLUMNS)} |")
    yield f"|{'|'.join('--:' if name in _RIGHT else '---' for name in _COLUMNS)}|"
    for board in boards:
        yield f"| {' | '.join(_cells(board, dialect))} |"
    for board in boards:
        yield from ("", f"## {dialect.text(board.name)}", "", f"{dialect.text(about(board))}", "")
        for line in by_topic(board.main).get("use", []):
            yield f"- {dialect.text(line)}"
        for line in board.reproduced:
            yield f"- {dialect.text(capital(line))}."
        yield from ("", f"[Tables and figures]({board.name}.md)")


def about(board: Board) -> str:
    """What a leaderboard is about, in one or two sentences."""
    suite, title, done = board.suite, text.title(board.main), len(board.main.tasks)
    described = f"{suite.description} " if suite else ""
    if suite and done < len(suite.tasks):
        described = f"A part of {suite.name}, {done} of its {len(suite.tasks)} tasks. {described}"
    return f"{described}{capital(title)}."


def _cells(board: Board, dialect: Dialect) -> Iterator[str]:
    main = board.main
    low, high = main.split_seeds
    yield f"[{dialect.text(board.name)}]({board.name}.md)"
    yield f"{len(main.tasks)} × {low}" + ("" if low == high else f" to {high}")
    yield str(len(main.overall))
    use, first = recommended(main), next((row for row in main.overall if row.rank), None)
    yield dialect.code(use.strategy) if use else text.NOTHING
    yield (
        f"{dialect.code(first.strategy)} {text.interval(first.score, main.metric)}" if first else text.NOTHING
    )
    yield dialect.text(made(board))
    keys = [record.key for record in board.contents.records]
    by = dict.fromkeys(each.by for each in board.contents.verified if each.agrees(keys))
    yield dialect.text(", ".join(by) or text.NOTHING)


def made(board: Board) -> str:
    """Who made a leaderboard, when, and with what version, as far as the file says it."""
    first, last = board.dates
    facts = [
        f"by {' and '.join(board.contents.publishers)}" if board.contents.publishers else "",
        last if first == last else f"{first} to {last}",
        f"with fsbench {' and '.join(board.versions)}" if board.versions else "",
    ]
    return ", ".join(filter(None, facts)) or text.NOTHING
