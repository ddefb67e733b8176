"""The results of a run, for notebooks and for the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.metrics import DEFAULT_METRIC
from fsbench.types import Record

if TYPE_CHECKING:
    import pandas as pd

    from fsbench.columns import Columns


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

    def columns(self, metric: str) -> Columns:
        """The records as columns, with the values of a metric and what is stored beside the records."""
        from fsbench.columns import of_records
        from fsbench.store import Store

        if not self.store_path.exists():
            return of_records(self.records, [metric])
        with Store(self.store_path.parent, create=False) as store:
            return of_records(self.records, [metric], store.evidence())

    def leaderboard(
        self, metric: str = DEFAULT_METRIC, baseline: str | None = None, margin: float = 0.01
    ) -> pd.DataFrame:
        """The leaderboard of these records as a data frame; those of searches, if there are any, below it.

        `baseline` names what strategies are compared with, by default what the run was given. Differences
        that certainly are within the `margin`, in the units of the records, are equivalent.
        """
        import pandas as pd

        from fsbench.report.budgets import leaderboards

        compared = baseline or self.baseline
        boards = leaderboards(self.columns(metric), metric, baseline=compared, margin=margin)
        return pd.concat([board.to_frame() for board in boards], ignore_index=True)
