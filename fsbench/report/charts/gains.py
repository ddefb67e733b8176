"""The heat map of gains: each strategy on each task, with the verdict, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fsbench.report.baselines import WITHHELD
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import Row
from fsbench.stats import Estimate

MEAN = "mean over its tasks"
"""The heading of a strategy's difference over all tasks that it has a result on."""
State = Literal[
    "helps",
    "hurts",
    "equivalent",
    "not settled",
    "withheld",
    "baseline",
    "not compared",
    "no value",
    "failed",
    "skipped",
    "not run",
]
"""What is known about a strategy on a task: a verdict, or why there is none.

"withheld" has a difference but no verdict, "not compared" a score but no difference, "no value" trials that
succeeded but no value of the metric; "failed", "skipped" and "not run" have no result at all.
"""


@dataclass(frozen=True)
class Cell:
    """A strategy on a task; `row` is its row, None if it was not run there."""

    state: State
    row: Row | None = None

    @property
    def gain(self) -> Estimate | None:
        """The difference to plain training, None where there is none."""
        return self.row.difference if self.row else None


@dataclass(frozen=True)
class Gains:
    """The heat map: `cells[i][j]` is strategy i on task j.

    `strategies` are in the order of the overall table, the baseline included; `tasks` are the labels of the
    tasks. `overall[i]` is strategy i over all tasks.
    """

    strategies: tuple[str, ...]
    tasks: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    overall: tuple[Cell, ...]

    def has(self, state: State) -> bool:
        """Whether a cell is in a state."""
        return any(cell.state == state for row in (*self.cells, self.overall) for cell in row)


def gains(board: Leaderboard) -> Gains:
    """The heat map of a leaderboard."""
    rows = {(label, row.strategy): row for label, several in board.tasks for row in several}
    strategies = tuple(row.strategy for row in board.overall)
    labels = tuple(label for label, _ in board.tasks)
    cells = tuple(tuple(_cell(rows.get((label, name))) for label in labels) for name in strategies)
    return Gains(strategies, labels, cells, tuple(map(_cell, board.overall)))


def _cell(row: Row | None) -> Cell:
    return Cell(state_of(row), row)


def state_of(row: Row | None) -> State:
    """The state of a row; None is that of a strategy without records."""
    if row is None:
        return "not run"
    if not row.done:
        return row.absence
    if row.verdict.startswith(WITHHELD):
        return "withheld"
    for state in get_args(State):
        if row.verdict == state:
            found: State = state
            return found
    return "not compared"
