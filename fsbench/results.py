"""The results of a run or of a results folder, for notebooks and for the command line."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fsbench.columns import Columns, of_records
from fsbench.errors import StoreError, UsageError
from fsbench.evidence import Evidence
from fsbench.files import as_path
from fsbench.metrics import DEFAULT_METRIC, METRICS, Metric, get_metric
from fsbench.record import Record
from fsbench.store_file import FILE_NAME

if TYPE_CHECKING:
    import pandas as pd

    from fsbench.report.charts import Charts
    from fsbench.report.contents import Report
    from fsbench.report.leaderboard import Leaderboard
    from fsbench.report.plots.for_results import Plots


def load(path: str | Path) -> Results:
    """The results in a results folder, or in a published .jsonl file.

    Raises StoreError if there are none, or if they cannot be read.
    """
    from fsbench.report.stored import read_records

    path = as_path("results", path)
    records, place = read_records(path), path if path.is_file() else path / FILE_NAME
    planned = sum(record.status != "skipped" for record in records)
    return Results(tuple(records), place, planned)


@dataclass(frozen=True)
class Results:
    """Records with everything that reports make of them.

    `records` are those of a run's plan in the plan's order, new and stored ones, or all of what `load` read.
    `store_path` is the file that holds them, whatever the working folder. `total` counts the trials of the
    plan that can run; an `interrupted` run has fewer records. `left_out` are the tasks that were not planned
    because their data is not here. `baseline` is the spec of what strategies are compared with, if it was
    given.

    Strategies and tasks are named as in the tables. Scores are in the units of the records, so accuracies lie
    in [0, 1].
    """

    records: tuple[Record, ...]
    store_path: Path
    total: int = 0
    interrupted: bool = False
    left_out: tuple[str, ...] = ()
    baseline: str | None = None
    _had_store: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store_path", self.store_path.absolute())
        object.__setattr__(self, "_had_store", self.store_path.exists())

    def __repr__(self) -> str:
        return (
            f"<Results: {self.done} of {self.total} trials, {len(self.failures)} failed, {self.store_path}>"
        )

    def _repr_html_(self) -> str:
        """What to use and the overall table, as a notebook shows them."""
        from fsbench.report.notebook import to_html

        return to_html(self._report(DEFAULT_METRIC).boards)

    @property
    def failures(self) -> tuple[Record, ...]:
        """The records of trials that failed, each with its reason."""
        return tuple(r for r in self.records if r.status == "failed")

    @property
    def done(self) -> int:
        """How many trials have ended, including failed ones."""
        return sum(r.status != "skipped" for r in self.records)

    @cached_property
    def evidence(self) -> Evidence:
        """What is stored beside the records. Raises StoreError if the file is gone, which intervals need."""
        from fsbench.report.stored import read_evidence

        if not self.store_path.exists():
            if self._had_store:
                raise StoreError(f"{self.store_path} is gone; what belongs to these results was in it")
            return Evidence()
        return read_evidence(self.store_path.parent if self.store_path.name == FILE_NAME else self.store_path)

    def columns(self, *metrics: str) -> Columns:
        """The records as columns, with the values of some metrics and what is stored beside the records."""
        return of_records(self.records, metrics, self.evidence)

    def to_frame(self) -> pd.DataFrame:
        """A pandas data frame with a row per trial.

        Its columns are the arguments of the task (protocol, dataset, k, ...), the seeds, the strategy, what
        came of it, every metric, and costs. `leaderboard` has a row per strategy and task.
        """
        from fsbench.report.long_tables import trial_frame

        return trial_frame(self.columns(*METRICS))

    def leaderboard(
        self, metric: str = DEFAULT_METRIC, baseline: str | None = None, margin: float | None = None
    ) -> pd.DataFrame:
        """The leaderboard of these records as a data frame; those of searches, if there are any, below it.

        `baseline` names what strategies are compared with, by default what the run was given. Differences
        that certainly are within the `margin`, in the units of the records (0.01 is one point), are
        equivalent; by default it is that of the metric. Raises UsageError for a margin that is not above 0,
        or not below 1 for a metric in %.
        """
        import pandas as pd

        boards = self._report(metric, baseline, margin).boards
        return pd.concat([board.to_frame() for board in boards], ignore_index=True)

    def compare(
        self, first: str, second: str, metric: str = DEFAULT_METRIC, margin: float | None = None
    ) -> pd.DataFrame:
        """The score of one strategy minus that of another on each task that both did, and over these tasks.

        A data frame with the columns task, difference, low, high (the 95 % interval), p (adjusted for the
        number of tasks), verdict and split_seeds; "the same" is the verdict where every trial has the same
        value. Raises UnknownName for a strategy without results, and UsageError for strategies that different
        numbers of configurations were tried of.
        """
        import pandas as pd

        from fsbench.report.pairs import compare, with_same

        board = self._compared(metric, margin, first, second)
        rows = [
            {
                "task": each.task,
                "difference": each.difference.mean,
                "low": each.difference.low,
                "high": each.difference.high,
                "p": each.p,
                "verdict": each.verdict,
                "split_seeds": each.difference.n,
            }
            for each in with_same(compare(board, first, second), board, first, second)
        ]
        return pd.DataFrame(
            rows, columns=["task", "difference", "low", "high", "p", "verdict", "split_seeds"]
        )

    def ablation(self, spec: str, metric: str = DEFAULT_METRIC, margin: float | None = None) -> pd.DataFrame:
        """What each component of a sum contributes, and how they interact, on each task and over tasks.

        A data frame with the columns effect (gain, contribution or interaction), components, task, value,
        low, high (the 95 % interval), p_adjusted, verdict and split_seeds; contributions are Shapley values,
        which add up to the gain. There must be results of all sums of the components, as `fsbench ablate`
        runs them. Raises UsageError without a task with such results.
        """
        import pandas as pd

        from fsbench.report.ablation import ablation_of
        from fsbench.report.ablation_sheet import sheet_of

        board = self._compared(metric, margin)
        return pd.DataFrame(list(sheet_of(ablation_of(board, spec)).rows))

    def _compared(self, metric: str, margin: float | None, *names: str) -> Leaderboard:
        """The leaderboard of some strategies, for tests of its own.

        Warns where the number of split seeds forbids them.
        """
        from fsbench.report.looking import COLLECTED

        found = self._report(metric, margin=margin)
        board = found.boards[found.place(*names)]
        if board.looked:
            told = f"{self.store_path.parent} {COLLECTED}, which these p-values do not take into account"
            warnings.warn(told, UserWarning, stacklevel=3)
        return board

    def predictions(
        self, strategy: str, task: str, split_seed: int = 0, init_seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The stored logits float32 `[E, M, C]` of a trial, and the labels int64 `[E, M]` of its test part.

        E is the number of cells: of test episodes, 1 otherwise. Raises UnknownName for a strategy or a task
        without results, UsageError if the trial has no stored predictions, as in a file that was
        published without them.
        """
        from fsbench.report.charts.predicted import predictions_of

        setting, entry = self._charts(DEFAULT_METRIC, strategy).board.find(strategy, task)
        which = (setting.pairs == (split_seed, init_seed)).all(1)
        for logits, labels in predictions_of(setting, [entry], which)[0]:
            return logits.copy(), labels.copy()
        raise UsageError(
            f"{strategy} on {task}, split seed {split_seed}, init seed {init_seed} has no stored predictions "
            f"with labels in {self.store_path}"
        )

    def confusion(self, strategy: str, task: str) -> pd.DataFrame:
        """The confusion matrix of a strategy on a task, over all its trials: a row for each true class.

        Raises UnknownName for a strategy or a task without results, UsageError without stored predictions or
        where the classes of test episodes differ.
        """
        import pandas as pd

        from fsbench.report.charts.predicted import predicted_on

        found = predicted_on(self._charts(DEFAULT_METRIC, strategy).board, strategy, task)
        if found is None or found.confusion is None:
            raise UsageError(f"{strategy} has no stored predictions of fixed classes on {task}")
        names = pd.Index(found.classes, name="true class"), pd.Index(found.classes, name="predicted class")
        return pd.DataFrame(found.confusion, *names)

    def report(
        self,
        output: str | Path | None = None,
        format: str | None = None,
        metric: str = DEFAULT_METRIC,
        baseline: str | None = None,
        margin: float | None = None,
    ) -> Path:
        """Write a report, as `fsbench report` does, and return the path of its main file.

        `output` is this path and `format` one of those that `fsbench report --help` lists, by default that
        with the ending of `output`, and `html` without. Raises UnknownName for another format, UsageError for
        another ending, or if a file cannot be written.
        """
        from fsbench.report.formats import format_of, write

        return write(self._report(metric, baseline, margin), format or format_of(output), output)[0]

    @property
    def plot(self) -> Plots:
        """Draws the charts: `results.plot.curves()` and so on return matplotlib axes."""
        from fsbench.report.plots.for_results import Plots

        return Plots(self._charts)

    def _charts(self, metric: str, *names: str) -> Charts:
        """The charts of the leaderboard that has some strategies; by default of that without tuning."""
        found = self._report(metric)
        return found.charts[found.place(*names)]

    def _report(self, metric: str, baseline: str | None = None, margin: float | None = None) -> Report:
        """The report by a metric; it is made once."""
        from fsbench.report.contents import metrics_of_a_report, report_of

        _check_margin(margin, get_metric(metric))
        key = metric, baseline or self.baseline, margin
        if key not in self._reports:
            columns = self.columns(*metrics_of_a_report(metric))
            self._reports[key] = report_of(columns, metric, baseline=key[1], margin=margin)
        return self._reports[key]

    @cached_property
    def _reports(self) -> dict[tuple[str, str | None, float | None], Report]:
        return {}


def _check_margin(margin: float | None, metric: Metric) -> None:
    most = 1.0 if metric.percent else math.inf
    if margin is not None and not 0 < margin < most:
        unit = "; 0.01 is one point" if metric.percent else ""
        below = f" and below {most:g}" if metric.percent else ""
        raise UsageError(f"margin={margin!r}: expected a number above 0{below}{unit}")
