"""What helped and what hurt, by family, on published leaderboards: the tables of docs/what-helped.md.

    python -m benchmarks.what_helped leaderboards/*.jsonl

Prints Markdown. A verdict is that of the leaderboard, corrected for all of its comparisons. Only strategies
with their default arguments count, alone or in a `tuned(...)` row.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fsbench.families import FAMILIES, title
from fsbench.registry import get_registry
from fsbench.report import text
from fsbench.report.board import Board, read_board
from fsbench.report.rows import OVERALL, Row
from fsbench.spec import format_value, parse_call
from fsbench.words import plural

MOST = 3
"""The number of tasks that are named for a strategy and a verdict."""


def what_helped(boards: Sequence[Board]) -> Iterator[str]:
    """The lines of a section for each family that has a row in one of the leaderboards."""
    families: dict[str, set[str]] = defaultdict(set)
    for name, cls in get_registry().strategies.items():
        families[cls.family].add(name)
    for family, about in FAMILIES.items():
        rows = {board.name: _rows(board, families[family]) for board in boards}
        known = {board: found for board, found in rows.items() if any(r.done for r in _flat(found))}
        if known:
            yield from (f"## {title(family)}", "", f"{about.capitalize()}.", "")
            yield from _table(known)
            yield ""
            yield from _settled(known)
            yield ""


def _rows(board: Board, names: set[str]) -> dict[str, list[Row]]:
    """The rows of some strategies by strategy: the overall row, then a row for each task."""
    found: dict[str, list[Row]] = {}
    for overall in board.main.overall:
        name = _untuned(overall.strategy)
        if name in names and overall.strategy != board.main.baseline:
            mine = (row for row in board.main.rows if row.strategy == overall.strategy)
            found[name] = [overall, *(row for row in mine if row.task != OVERALL)]
    return found


def _flat(found: dict[str, list[Row]]) -> Iterable[Row]:
    return (row for rows in found.values() for row in rows)


def _untuned(strategy: str) -> str:
    """`erm` of `tuned(erm, n=4)`."""
    call = parse_call(strategy) if strategy.startswith("tuned(") else None
    return format_value(call.args[0]) if call else strategy


def _table(known: dict[str, dict[str, list[Row]]]) -> Iterator[str]:
    """The mean differences of each strategy on each leaderboard, by verdict."""
    yield from ("| strategy | helped | hurt | not settled |", "|---|---|---|---|")
    for name in sorted({name for found in known.values() for name in found}):
        said: dict[str, list[str]] = {"helps": [], "hurts": [], "": []}
        for board, found in known.items():
            for row, tasks in _means(found.get(name, [])):
                said[row.verdict if row.verdict in said else ""].append(_mean(row, board, tasks))
        if any(said.values()):
            yield f"| `{name}` | {' | '.join('<br>'.join(each) or text.NOTHING for each in said.values())} |"


def _means(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """The row of a mean over tasks and the number of tasks, if there is a mean."""
    done = sum(row.done > 0 for row in rows[1:])
    if done and rows[0].difference is not None:
        yield rows[0], done


def _mean(row: Row, board: str, tasks: int) -> str:
    assert row.difference is not None
    points = f"{100 * row.difference.mean:+.1f} ± {100 * (row.difference.high - row.difference.mean):.1f}"
    verdict = "" if row.verdict in ("helps", "hurts", "not settled") else f", {row.verdict}"
    return f"{points} ({board}, {plural(tasks, 'task')}{verdict})"


def _settled(known: dict[str, dict[str, list[Row]]]) -> Iterator[str]:
    """What is settled on single tasks, a row for each strategy, and how much is not."""
    rows = [
        (b, name, row) for b, found in known.items() for name, every in found.items() for row in every[1:]
    ]
    settled: dict[str, dict[str, dict[str, _Settled]]] = defaultdict(lambda: {"helps": {}, "hurts": {}})
    for board, name, row in rows:
        if row.verdict in ("helps", "hurts") and row.difference is not None:
            # Of leaderboards with the same task, the first counts.
            found = settled[name][row.verdict]
            found.setdefault(row.task, _Settled(100 * row.difference.mean, board))
    if settled:
        yield from ("| strategy | helped on | hurt on |", "|---|---|---|")
        for name, found_by in sorted(settled.items()):
            yield f"| `{name}` | {' | '.join(_largest(found) for found in found_by.values())} |"
        yield ""
    compared = [row for _, _, row in rows if row.verdict in ("helps", "hurts", "equivalent", "not settled")]
    unsettled = sum(row.verdict == "not settled" for row in compared)
    yield f"Not settled: {unsettled} of {plural(len(compared), 'comparison')} on single tasks."


class _Settled(NamedTuple):
    """A settled difference on a task in points, and the leaderboard that says so."""

    points: float
    board: str


def _largest(found: dict[str, _Settled]) -> str:
    """The largest differences of a strategy by task, and how many others there are."""
    in_order = sorted(found.items(), key=lambda each: (-abs(each[1].points), each[0]))
    shown = [f"`{task}` {each.points:+.1f} ({each.board})" for task, each in in_order[:MOST]]
    others = [f"{len(in_order) - MOST} more"] if len(in_order) > MOST else []
    return ", ".join(shown + others) or text.NOTHING


def main() -> None:
    """Print the sections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="published files")
    print("\n".join(what_helped([read_board(path) for path in parser.parse_args().files])).strip())


if __name__ == "__main__":
    main()
