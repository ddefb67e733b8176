"""Records that can be compared, sorted once for leaderboards by several metrics."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from fsbench.columns import STATUSES, Columns
from fsbench.errors import StoreError
from fsbench.report.differences import Place
from fsbench.report.entries import Setting, natural, settings
from fsbench.report.one_version import of_one_measure, of_one_version
from fsbench.report.problems import Problem, find_problems, mixtures, origin, remarks, reproductions
from fsbench.report.unjudged import Facts, facts_of


class Comparable:
    """Records of one search, and of one version of each strategy unless all are asked for.

    `left_out` are lines about other records, `unmeasured` those about values of a metric that other code
    computed. Everything here is the same for all metrics of the columns.
    """

    def __init__(self, columns: Columns, all_versions: bool = False) -> None:
        """Raises StoreError for records of several searches."""
        if len({shared.tuning for shared in columns.shared}) > 1:
            raise StoreError(
                "tuned and other results are never in one ranking; `leaderboards` makes a leaderboard of each"
            )
        self.columns, self.left_out = (columns, []) if all_versions else of_one_version(columns)
        self.unmeasured: dict[str, list[str]] = {}
        for metric in columns.values:
            self.columns, self.unmeasured[metric] = of_one_measure(self.columns, metric)

    @cached_property
    def tuning(self) -> str:
        """The text of the search of all records, "" without one."""
        return next((shared.tuning for shared in self.columns.shared), "")

    @cached_property
    def settings(self) -> list[Setting]:
        """The records by task. Raises StoreError where they must not be mixed."""
        return settings(self.columns)

    @cached_property
    def strategies(self) -> list[str]:
        """The names of all strategies, in natural order."""
        return sorted({name for setting in self.settings for name in setting.entries}, key=natural)

    @cached_property
    def facts(self) -> dict[Place, Facts]:
        """What trials of each strategy took on each task, and how they fit their training data."""
        return facts_of(self.settings)

    @cached_property
    def split_seeds(self) -> tuple[int, int]:
        """The smallest and the largest number of split seeds of a task."""
        seeds = [len(np.unique(setting.pairs[:, 0])) for setting in self.settings] or [0]
        return min(seeds), max(seeds)

    @cached_property
    def trials(self) -> int:
        """The number of successful records."""
        return int((self.columns.status == STATUSES.index("ok")).sum())

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Trials without a result, and why."""
        return tuple(find_problems(self.settings, self.strategies))

    @cached_property
    def mixtures(self) -> tuple[str, ...]:
        """Lines about what is mixed."""
        return tuple(mixtures(self.columns))

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """Lines about notes of trials, and about who ran some of them again."""
        return *remarks(self.settings, self.strategies, self.tuning), *reproductions(self.columns)

    @cached_property
    def origin(self) -> str:
        """The packages and devices that computed the records."""
        return origin(self.columns)
