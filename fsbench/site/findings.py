"""What leaderboards say about each strategy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fsbench.report import text
from fsbench.report.board import Board
from fsbench.report.names import identity
from fsbench.report.rows import Row
from fsbench.spec import parse_list
from fsbench.words import plural


@dataclass(frozen=True, eq=False)
class Finding:
    """A row of a leaderboard in which a strategy takes part, with its rows by task.

    `alone` says whether it is the strategy with its default arguments, untuned, and no other one.
    """

    board: Board
    strategy: str
    alone: bool
    overall: Row
    rows: tuple[Row, ...]

    @property
    def said(self) -> str:
        """One sentence: the mean difference, and on how many tasks it helps and hurts."""
        main, row = self.board.main, self.overall
        done = [each for each in self.rows if each.done]
        if row.strategy == main.baseline:
            return "The baseline, with which the others are compared"
        if not done:
            return "No result here"
        mean = f"{text.difference(row, main.metric)} against {main.baseline}, {text.verdict(row)}"
        helps, hurts = (sum(each.verdict == word for each in done) for word in ("helps", "hurts"))
        return f"Over {plural(len(done), 'task')}: {mean}; it helps on {helps} and hurts on {hurts}"

    def label(self, row: Row) -> str:
        """The name of a row's task in the tables."""
        return next(label for label, rows in self.board.main.tasks if any(each is row for each in rows))


class Findings:
    """The findings of some leaderboards by the names of strategies."""

    def __init__(self, boards: Iterable[Board]) -> None:
        self._found: dict[str, list[Finding]] = defaultdict(list)
        for board in boards:
            for names, finding in _findings(board):
                for name in names:
                    self._found[name].append(finding)

    def of(self, name: str) -> Sequence[Finding]:
        """The findings about a strategy: first those about it alone."""
        return sorted(self._found.get(name, ()), key=lambda each: not each.alone)


def _findings(board: Board) -> Iterator[tuple[set[str], Finding]]:
    specs = {identity(record): record.spec for record in board.contents.records}
    for row in board.main.overall:
        spec = specs.get(row.full_spec, "")
        names = {call.name for each in parse_list(spec) for call in each.terms} if spec else set()
        rows = tuple(r for _, rows in board.main.tasks for r in rows if r.strategy == row.strategy)
        alone = names == {spec} and not board.main.tuned
        yield names, Finding(board, row.strategy, alone, row, rows)
