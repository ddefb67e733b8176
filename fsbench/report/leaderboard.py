"""The leaderboard: what records say about strategies, and how certain that is.

Everything is computed here; the other modules of this package only show it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fsbench import stats
from fsbench.columns import Columns, of_records
from fsbench.composition import BASELINE
from fsbench.errors import UnknownName
from fsbench.metrics import DEFAULT_METRIC, Metric, get_metric
from fsbench.record import Record
from fsbench.report.baselines import Baselines
from fsbench.report.comparable import Comparable
from fsbench.report.differences import measured
from fsbench.report.entries import Entry, Setting
from fsbench.report.labels import with_saved
from fsbench.report.problems import Problem, training_noises, unstable
from fsbench.report.rows import EMPTY, Row, rounded
from fsbench.report.stability import limitations
from fsbench.report.unjudged import overall_rows, task_rows
from fsbench.tuning.tuned import Tuning

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Leaderboard:
    """The rows of each task, those over all tasks, and the remarks that belong to them.

    `tasks` pairs each task's label with its rows, the best first. `comparisons` is the number that the
    verdicts are corrected for, `trials` the number of successful records. `split_seeds` is the smallest and
    the largest number of split seeds of a task. `warnings` are lines about records that were left out, mixed
    or noted something; `origin` names the versions and devices. `tuning` is the search by which every
    strategy chose its configuration, if there was one. `against` is what `Row.against` compares with: "best
    baseline", one strategy, or "" if there is no such comparison; `rivals` are the full specs of those
    baselines. `settings` has the records of each task, in the order of `tasks`; strategies have there the
    names without `tuned(...)`. `looked` says whether verdicts are those of looks (`--until-settled`).
    """

    metric: Metric
    overall: tuple[Row, ...]
    tasks: tuple[tuple[str, tuple[Row, ...]], ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    comparisons: int
    trials: int
    split_seeds: tuple[int, int]
    margin: float
    origin: str = ""
    tuning: Tuning | None = None
    against: str = ""
    rivals: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = field(default=(), repr=False, compare=False)
    looked: bool = False

    @property
    def tuned(self) -> int:
        """The number of configurations among which every strategy chose, 0 without tuning."""
        return self.tuning.n if self.tuning else 0

    @property
    def baseline(self) -> str:
        """The name of the baseline's rows."""
        return self.name(BASELINE)

    def name(self, strategy: str) -> str:
        """The name of the rows of a strategy: `tuned(focal)` if it was tuned."""
        return self.tuning.row(strategy) if self.tuning else strategy

    @property
    def rows(self) -> list[Row]:
        """Every row: overall, then task by task."""
        return [*self.overall, *(row for _, rows in self.tasks for row in rows)]

    @property
    def main(self) -> tuple[Row, ...]:
        """The rows of the main table: over all tasks or, if there is only one, its own, which say more."""
        return self.overall if self.further else self.tasks[0][1] if self.tasks else ()

    @property
    def further(self) -> tuple[tuple[str, tuple[Row, ...]], ...]:
        """The tasks that have a table besides the main one: none if there is only one task."""
        return self.tasks if len(self.tasks) > 1 else ()

    def find(self, strategy: str, task: str) -> tuple[Setting, Entry]:
        """The records of a strategy on a task, both by their names in the tables.

        Raises UnknownName for a task, or a strategy on this task, without records.
        """
        by_label = {setting.label: setting for setting in self.settings}
        if task not in by_label:
            raise UnknownName("task with results:", task, by_label)
        by_name = {self.name(name): entry for name, entry in by_label[task].entries.items()}
        if strategy not in by_name:
            raise UnknownName(f"strategy with results on {task}:", strategy, by_name)
        return by_label[task], by_name[strategy]

    def to_frame(self) -> pd.DataFrame:
        """A pandas data frame with one line per row, as `Row.to_dict` has it."""
        import pandas as pd

        columns = list(EMPTY.to_dict())
        return pd.DataFrame([row.to_dict() for row in self.rows], columns=columns)


def leaderboard(
    records: Iterable[Record] | Columns,
    metric: str = DEFAULT_METRIC,
    all_versions: bool = False,
    baseline: str | None = None,
    margin: float | None = None,
) -> Leaderboard:
    """Compare the strategies of some records by a metric. Columns must have its values.

    Differences that certainly are within the `margin`, in the units of the records, are called equivalent; by
    default it is that of the metric.

    If the code of a strategy changed, the records of one version are shown; with `all_versions`, each version
    has a separate row. `baseline` names a strategy, or several, to compare with instead of the baselines that
    the records declare. Raises UnknownName for an unknown metric, UsageError for a `baseline` without
    records, StoreError for records that must not be mixed: tuned and other results, for example, of which
    `leaderboards` makes one each.
    """
    chosen = get_metric(metric)
    columns = records if isinstance(records, Columns) else of_records(records, [chosen.name])
    return leaderboard_of(Comparable(columns, all_versions), metric, baseline, margin)


def leaderboard_of(given: Comparable, metric: str, baseline: str | None, margin: float | None) -> Leaderboard:
    """A `leaderboard` by one of several metrics."""
    chosen, found = get_metric(metric), given.settings
    table = measured(found, chosen)
    baselines = Baselines(found, chosen, baseline)
    rows = task_rows(found, chosen, table, given.facts)
    overall = overall_rows(found, given.strategies, chosen)
    margin = chosen.margin if margin is None else margin
    overall, rows = _compared(overall, rows, len(found), chosen, margin)
    overall, rows = _against(overall, rows, baselines)
    rows, overall = with_saved(found, rows, overall, chosen)
    by_setting: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_setting[row.task, row.recipe].append(row)
    tables = [(s.label, _ranked(by_setting[s.task, s.recipe], chosen)) for s in found]
    return Leaderboard(
        metric=chosen,
        overall=_ranked(overall, chosen),
        tasks=tuple(tables),
        problems=given.problems,
        warnings=(
            *given.left_out,
            *given.unmeasured[chosen.name],
            *given.mixtures,
            *baselines.left_out(given.tuning),
            *limitations(found, table, chosen),
            *unstable(tables, given.tuning),
            *training_noises(tables, chosen, given.tuning),
            *given.remarks,
        ),
        comparisons=sum(row.compared for row in rows),
        margin=margin,
        trials=given.trials,
        split_seeds=given.split_seeds,
        origin=given.origin,
        against=baselines.title,
        rivals=baselines.specs,
        settings=tuple(found),
    )


def _compared(
    overall: Sequence[Row], rows: Sequence[Row], tasks: int, metric: Metric, margin: float
) -> tuple[list[Row], list[Row]]:
    """The overall rows and those of the tasks, each family with its verdicts.

    With one task, the overall comparisons are those of the task and count once.
    """
    rows = _judge(rows, metric, margin)
    if tasks > 1:
        return _judge(overall, metric, margin), rows
    only = {row.strategy: row for row in rows}
    return [_like(row, only[row.strategy]) for row in overall], rows


def _against(
    overall: Sequence[Row], rows: Sequence[Row], baselines: Baselines
) -> tuple[list[Row], list[Row]]:
    """The rows with their comparisons to the best baseline: a family of tests overall, and one on tasks."""
    if not baselines.title:
        return list(overall), list(rows)
    on_tasks = baselines.on_tasks({(row.task, row.recipe, row.strategy): row.difference for row in rows})
    rows = [
        replace(row, against=baselines.agreeing(on_tasks[row.task, row.recipe, row.strategy], row.p))
        for row in rows
    ]
    if len(baselines.found) == 1:
        only = {row.strategy: row.against for row in rows}
        return [replace(row, against=only[row.strategy]) for row in overall], rows
    means = baselines.over_tasks({row.strategy: row.difference for row in overall})
    return [replace(row, against=baselines.agreeing(means[row.strategy], row.p)) for row in overall], rows


def _like(overall: Row, only: Row) -> Row:
    """An overall row with the results of the only task."""
    score = only.score if overall.score else None
    return replace(overall, score=score, difference=only.difference, p=only.p, verdict=only.verdict)


def _judge(rows: Sequence[Row], metric: Metric, margin: float) -> list[Row]:
    """Give a verdict to each row of a family that has a difference.

    P-values are corrected (Holm) for the number of comparisons, those of equivalence for themselves. A
    difference whose verdict is withheld, or that is lost, still counts, so that a failure does not make other
    verdicts easier to reach.
    """
    gains = [row.difference for row in rows if row.difference]
    lost = sum(row.compared for row in rows) - len(gains)
    judged = iter(stats.judge(gains, metric.higher_is_better, margin, lost))
    found = []
    for row in rows:
        of_row = next(judged) if row.difference else None
        if row.strategy == BASELINE:
            row = replace(row, verdict="baseline")
        elif of_row is None:
            row = replace(row, verdict="none")
        elif row.verdict == "none":
            row = replace(row, p=of_row.p, verdict=of_row.verdict)
        found.append(row)
    return found


def _ranked(rows: Sequence[Row], metric: Metric) -> tuple[Row, ...]:
    """Complete rows by score, with ranks (equal for equal scores); then the others by the tasks they did."""
    sign = -1 if metric.higher_is_better else 1

    def order(row: Row) -> tuple[bool, int, float, str]:
        shown = row.score or row.difference
        return not row.complete, -row.done, sign * shown.mean if shown else 0.0, row.strategy

    ordered = sorted(rows, key=order)
    means = [rounded(row.score.mean) for row in ordered if row.complete and row.score]
    return tuple(
        replace(row, rank=means.index(rounded(row.score.mean)) + 1) if row.complete and row.score else row
        for row in ordered
    )
