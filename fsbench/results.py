"""The results of a run, for notebooks and for the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.metrics import DEFAULT_METRIC
from fsbench.types import Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Results:
    """The results of a run: the records of its plan, in the plan's order, both new and stored.

    `total` counts the trials of the plan that can run; an `interrupted` run has fewer records.
    `left_out` are the tasks that were not planned because their data is not here. `baseline` is the spec of
    what strategies are compared with, if it was given.
    """

    records: tuple[Record, ...]
    store_path: Path
    total: int = 0
    interrupted: bool = False
    left_out: tuple[str, ...] = ()
    baseline: str | None = None

    def __repr__(self) -> str:
        return (
            f"<Results: {self.done} of {self.total} trials, {len(self.failures)} failed, {self.store_path}>"
        )

    @property
    def failures(self) -> tuple[Record, ...]:
        """The records of trials that failed, each with its reason."""
        return tuple(r for r in self.records if r.status == "failed")

    @property
    def done(self) -> int:
        """How many trials have ended, including failed ones."""
        return sum(r.status != "skipped" for r in self.records)

    def leaderboard(self, metric: str = DEFAULT_METRIC, baseline: str | None = None) -> pd.DataFrame:
        """The leaderboard of these records as a data frame.

        `baseline` names what strategies are compared with, by default what the run was given.
        """
        from fsbench.report.budgets import leaderboards

        (board,) = leaderboards(self.records, metric, baseline=baseline or self.baseline)
        return board.to_frame()
