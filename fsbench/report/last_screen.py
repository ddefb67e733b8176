"""The last screen of a run: what to use, the main table, and what failed, in as many lines as fit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsbench.report import text
from fsbench.report.choice import recommended
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.problems import Problem
from fsbench.report.recommendation import by_topic
from fsbench.report.rows import Row
from fsbench.report.terminal import print_board, print_lines
from fsbench.report.terminal_tables import Layout, make_table
from fsbench.words import plural

_PROMPT = 2
"""Lines of a shell's prompt."""
_PROBLEMS = 3
_HEAD = 2
_FRAME = 2 + _HEAD
"""Lines of the title, the space above it, and the head of the table."""
# Which sentences of the recommendation are taken first where there is no room for all.
_FIRST = ("use", "chance", "fit", "helps", "hurts", "open", "baselines", "sources", "equivalent")
_SETTLED = ("helps", "hurts")


def print_boards(
    boards: Sequence[Leaderboard],
    console: Console,
    legend: bool = False,
    below: int = 0,
    again: str = "fsbench leaderboard",
) -> None:
    """Print leaderboards on a terminal so that its last screen holds the answer of each.

    Everything is printed; where that is more than a screen, a summary follows. `below` is the number of lines
    that will be printed after it, about failures; if there are any, the summary leaves failures to them.
    `again` is the command that prints all this again.
    """
    room = console.height - _PROMPT - below
    if not any(board.rows for board in boards) or _fits(boards, console, legend, room):
        _print_whole(boards, console, legend)
        return
    pointers = textwrap.wrap(_pointers(boards, len(boards[0].main), again), console.width)
    share = (room - len(pointers) - len(boards) + 1) // len(boards)
    answers = [_answer(board, share, console, bool(below)) for board in boards if board.rows]
    for answer in answers:
        print_board(answer.board, console, legend, answer.whole)
        console.print()
    for number, answer in enumerate(answers):
        if number:
            console.print()
        _print_answer(answer, console)
    hidden = sum(answer.hidden for answer in answers)
    print_lines(console, textwrap.wrap(_pointers(boards, hidden, again), console.width), "dim")


def _print_whole(boards: Sequence[Leaderboard], console: Console, legend: bool) -> None:
    for number, board in enumerate(boards):
        if number:
            console.print()
        print_board(board, console, legend)


def _fits(boards: Sequence[Leaderboard], console: Console, legend: bool, room: int) -> bool:
    """Whether all of it is at most so many lines."""
    if sum(len(board.rows) for board in boards) > room:
        return False
    with console.capture() as captured:
        _print_whole(boards, console, legend)
    return captured.get().count("\n") <= room


@dataclass(frozen=True)
class _Answer:
    """What the last screen says of a leaderboard, with lines `below` the table.

    `whole` names the parts of which nothing is left out.
    """

    board: Leaderboard
    sentences: list[str]
    table: Table
    hidden: int
    below: list[str]
    whole: frozenset[str]


def _answer(board: Leaderboard, room: int, console: Console, failures_follow: bool) -> _Answer:
    """The answer of a leaderboard in a number of lines, if that is not too small."""
    width = console.width
    layout, columns = Layout.of(board, board.main, folds=False), text.main_columns(board)
    information = text.information(board.main, make_table(layout, [], columns, width)[1])
    below = [shortened(line, width) for line in information] + _problems(board, width, failures_follow)
    left = room - _FRAME - len(below)
    sentences, whole_text = _sentences(board, width, max(left - len(board.main), left * 2 // 5))
    room_of_rows = max(1, left - len(sentences))
    for rows in range(min(len(board.main), room_of_rows), 0, -1):
        chosen = _chosen(board, rows)
        table, _ = make_table(layout, chosen, columns, width)
        if len(console.render_lines(table)) - _HEAD <= room_of_rows:
            break
    hidden = len(board.main) - len(chosen)
    whole = frozenset(["recommendation"] * whole_text + ["main"] * (not hidden))
    return _Answer(board, sentences, table, hidden, below, whole)


def _sentences(board: Leaderboard, width: int, most: int) -> tuple[list[str], bool]:
    """Sentences of the recommendation in at most so many lines, and whether nothing is left out.

    Of a sentence that is too long, the part before a semicolon may fit. The first one is always there.
    """
    topics = by_topic(board)
    taken: dict[str, list[str]] = {}
    whole = True
    for line in (line for topic in _FIRST for line in topics.get(topic, ())):
        clause = f"{line.partition('; ')[0].rstrip('.')}."
        options = [textwrap.wrap(part, width) for part in (line, clause)]
        fitting = next((each for each in options if not taken or len(each) <= most), None)
        whole &= fitting is options[0]
        if fitting is not None:
            taken[line] = fitting
            most -= len(fitting)
    everything = [line for lines in topics.values() for line in lines]
    return [part for line in everything for part in taken.get(line, ())], whole


def _chosen(board: Leaderboard, most: int) -> list[Row]:
    """At most so many rows of the main table, in its order.

    Plain training and the recommended strategy come first, then what is settled and the best, then the worst.
    """
    if most >= len(board.main):
        return list(board.main)
    best = recommended(board)
    wanted = {board.baseline, best.strategy if best else board.baseline}
    first = [row for row in board.main if row.strategy in wanted]
    taken = {id(row) for row in (*first, *_by_interest(board.main, most - len(first)))}
    rest = [row for row in board.main if id(row) not in taken][: max(0, most - len(taken))]
    return [row for row in board.main if id(row) in taken or any(row is each for each in rest)]


def _by_interest(rows: Sequence[Row], most: int) -> list[Row]:
    """Of a few rows, about half that help, a quarter that hurt most, and otherwise the best."""
    settled = {word: [row for row in rows if row.verdict == word and row.difference] for word in _SETTLED}
    helping, hurting = settled["helps"][: max(1, most // 2)], settled["hurts"][-max(1, most // 4) :]
    return [*helping, *hurting][: max(0, most)]


def _problems(board: Leaderboard, width: int, failures_follow: bool) -> list[str]:
    """What failed and was skipped: with reasons if these fit into a few lines, otherwise names only."""
    problems = [each for each in board.problems if not (failures_follow and each.kind == "failed")]
    lines = [part for line in text.problem_lines(problems) for part in textwrap.wrap(line, width)]
    if len(lines) <= _PROBLEMS:
        return lines
    return [shortened(line, width) for line in _names(problems)]


def _names(problems: Sequence[Problem]) -> Iterator[str]:
    for kind, where in (("failed", ""), ("skipped", " on some tasks"), ("not run", " on some tasks")):
        names = dict.fromkeys(each.strategy for each in problems if each.kind == kind)
        if names:
            yield f"{kind}{where} (reasons above): {', '.join(names)}"


def shortened(line: str, width: int) -> str:
    """A line that is cut to a width."""
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _print_answer(answer: _Answer, console: Console) -> None:
    board = answer.board
    print_lines(console, answer.sentences)
    console.print()
    title = text.title(board) if board.further else f"{text.main_heading(board)}; {text.title(board)}"
    console.print(Text(shortened(title, console.width), style="bold"))
    console.print(answer.table)
    print_lines(console, answer.below)


def _pointers(boards: Sequence[Leaderboard], hidden: int, again: str) -> str:
    """What stands above the last screen, and where it can be seen again."""
    tasks = max(len(board.further) for board in boards)
    notes = sum(len(board.warnings) for board in boards)
    above = [
        plural(hidden, "more strategy") if hidden else "",
        f"the tables of {plural(tasks, 'task')}" if tasks else "",
        plural(notes, "note") if notes else "",
    ]
    found = ", ".join(filter(None, above))
    page = "`fsbench report`" if again.endswith(" leaderboard") else "`report` instead of `leaderboard`"
    return f"{f'Above: {found}. ' if found else ''}To see it again: `{again}`; as a page: {page}."
