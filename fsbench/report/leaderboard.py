"""The leaderboard: what records say about strategies, and how certain that is.

Everything is computed here; the other modules of this package only show it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fsbench import stats
from fsbench.columns import STATUSES, Columns, of_records
from fsbench.composition import BASELINE
from fsbench.errors import StoreError, UnknownName
from fsbench.metrics import DEFAULT_METRIC, Metric, get_metric
from fsbench.report import differences
from fsbench.report.baselines import Baselines, judged
from fsbench.report.entries import Entry, Setting, natural, settings
from fsbench.report.labels import with_saved
from fsbench.report.one_version import of_one_measure, of_one_version
from fsbench.report.problems import (
    Problem,
    find_problems,
    mixtures,
    origin,
    remarks,
    reproductions,
    training_noises,
    unstable,
)
from fsbench.report.rows import EMPTY, OVERALL, Row, rounded
from fsbench.report.stability import deviations, instability, limitations
from fsbench.tuning.tuned import Tuning
from fsbench.types import Record
from fsbench.words import plural

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MARGIN = 0.01
"""The margin of equivalence in the units of the records: one point of a metric in %."""


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
    names without `tuned(...)`.
    """

    metric: Metric
    overall: tuple[Row, ...]
    tasks: tuple[tuple[str, tuple[Row, ...]], ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    comparisons: int
    trials: int
    split_seeds: tuple[int, int]
    origin: str = ""
    margin: float = DEFAULT_MARGIN
    tuning: Tuning | None = None
    against: str = ""
    rivals: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = field(default=(), repr=False, compare=False)

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
    margin: float = DEFAULT_MARGIN,
) -> Leaderboard:
    """Compare the strategies of some records by a metric. Columns must have its values.

    Differences that certainly are within the `margin`, in the units of the records, are called equivalent.

    If the code of a strategy changed, the records of one version are shown; with `all_versions`, each version
    has a separate row. `baseline` names a strategy, or several, to compare with instead of the baselines that
    the records declare. Raises UnknownName for an unknown metric, UsageError for a `baseline` without
    records, StoreError for records that must not be mixed: tuned and other results, for example, of which
    `leaderboards` makes one each.
    """
    chosen = get_metric(metric)
    columns = records if isinstance(records, Columns) else of_records(records, [chosen.name])
    if len({shared.tuning for shared in columns.shared}) > 1:
        raise StoreError(
            "tuned and other results are never in one ranking; `leaderboards` makes a leaderboard of each"
        )
    columns, left_out = (columns, []) if all_versions else of_one_version(columns)
    columns, unmeasured = of_one_measure(columns, chosen.name)
    found = settings(columns)
    differences.fit_priors(found, chosen)
    strategies = sorted({s for setting in found for s in setting.entries}, key=natural)
    baselines = Baselines(found, chosen, baseline)
    overall, rows = _against(*_compared(found, strategies, chosen, margin), baselines)
    rows, overall = with_saved(found, rows, overall, chosen)
    by_setting: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_setting[row.task, row.recipe].append(row)
    tables = [(s.label, _ranked(by_setting[s.task, s.recipe], chosen)) for s in found]
    seeds = [len(np.unique(setting.pairs[:, 0])) for setting in found] or [0]
    return Leaderboard(
        metric=chosen,
        overall=_ranked(overall, chosen),
        tasks=tuple(tables),
        problems=tuple(find_problems(found, strategies)),
        warnings=(
            *left_out,
            *unmeasured,
            *mixtures(columns),
            *baselines.left_out(),
            *limitations(found, chosen),
            *unstable(tables),
            *training_noises(tables, chosen),
            *remarks(found, strategies),
            *reproductions(columns),
        ),
        comparisons=sum(row.difference is not None for row in rows),
        margin=margin,
        trials=int((columns.status == STATUSES.index("ok")).sum()),
        split_seeds=(min(seeds), max(seeds)),
        origin=origin(columns),
        against=baselines.title,
        rivals=baselines.specs,
        settings=tuple(found),
    )


def _compared(
    found: Sequence[Setting], strategies: Sequence[str], metric: Metric, margin: float
) -> tuple[list[Row], list[Row]]:
    """The overall rows and those of the tasks, each family with its verdicts.

    With one task, the overall comparisons are those of the task and count once.
    """
    rows = [_task_row(setting, entry, metric) for setting in found for entry in setting.entries.values()]
    overall, rows = [_overall_row(found, s, metric) for s in strategies], _judge(rows, metric, margin)
    if len(found) > 1:
        return _judge(overall, metric, margin), rows
    only = {row.strategy: row for row in rows}
    return [_like(row, only[row.strategy]) for row in overall], rows


def _against(
    overall: Sequence[Row], rows: Sequence[Row], baselines: Baselines
) -> tuple[list[Row], list[Row]]:
    """The rows with their comparisons to the best baseline: a family of tests overall, and one on tasks."""
    if not baselines.title:
        return list(overall), list(rows)
    settings = {(s.task, s.recipe): s for s in baselines.found}
    on_tasks = judged(
        [
            baselines.on_task(
                settings[row.task, row.recipe], settings[row.task, row.recipe].entries[row.strategy]
            )
            for row in rows
        ]
    )
    rows = [replace(row, against=against) for row, against in zip(rows, on_tasks, strict=True)]
    if len(settings) == 1:
        only = {row.strategy: row.against for row in rows}
        return [replace(row, against=only[row.strategy]) for row in overall], rows
    mean = judged([baselines.over_tasks(row.strategy) for row in overall])
    return [replace(row, against=against) for row, against in zip(overall, mean, strict=True)], rows


def _like(overall: Row, only: Row) -> Row:
    """An overall row with the results of the only task."""
    score = only.score if overall.score else None
    return replace(overall, score=score, difference=only.difference, p=only.p, verdict=only.verdict)


def _task_row(setting: Setting, entry: Entry, metric: Metric) -> Row:
    """A strategy on one task; `_judge` adds the verdict when all rows are known."""
    values = entry.values(metric.name)
    done = int(np.isfinite(values).sum())
    memory = entry.numbers("peak_memory")
    between, within = deviations(setting, values)
    return Row(
        task=setting.task,
        recipe=setting.recipe,
        strategy=entry.strategy,
        uses=tuple(sorted(entry.uses)),
        score=differences.on_task(setting, entry, None, metric),
        difference=None
        if entry.strategy == BASELINE
        else differences.on_task(setting, entry, setting.baseline, metric),
        done=done,
        planned=len(setting.pairs),
        failed=entry.count("failed"),
        skipped=entry.count("skipped"),
        seconds=_median(entry.seconds),
        complete=done == len(setting.pairs),
        cost=_median(_cost_ratios(setting, entry)),
        train_accuracy=_mean(entry.numbers("train_accuracy")),
        source_before=_mean(entry.numbers("source_before")),
        source_after=_mean(entry.numbers("source_after")),
        peak_memory=_median(memory[memory > 0]),
        full_spec=entry.full_spec,
        verdict=_withheld([(setting, entry)], metric),
        unstable=instability(values, metric),
        split_deviation=between,
        init_deviation=within,
    )


def _overall_row(found: Sequence[Setting], strategy: str, metric: Metric) -> Row:
    """A strategy over the tasks that it did, compared with the baseline on exactly these tasks."""
    entries = [(s, s.entries[strategy]) for s in found if strategy in s.entries]
    scored = [np.isfinite(entry.values(metric.name)) for _, entry in entries]
    complete = len(entries) == len(found) and all(each.all() for each in scored)
    return Row(
        task=OVERALL,
        recipe="",
        strategy=strategy,
        uses=tuple(sorted({use for _, entry in entries for use in entry.uses})),
        score=differences.over_tasks(found, strategy, None, metric) if complete else None,
        difference=None
        if strategy == BASELINE
        else differences.over_tasks(found, strategy, BASELINE, metric),
        done=sum(bool(each.any()) for each in scored),
        planned=len(found),
        failed=sum(entry.count("failed") for _, entry in entries),
        skipped=sum(entry.count("skipped") for _, entry in entries),
        seconds=_median(np.concatenate([entry.seconds for _, entry in entries])),
        complete=complete,
        cost=_median(np.concatenate([_cost_ratios(setting, entry) for setting, entry in entries])),
        full_spec=entries[0][1].full_spec,
        verdict=_withheld(entries, metric),
    )


def _withheld(entries: Sequence[tuple[Setting, Entry]], metric: Metric) -> str:
    """Why there is no verdict, or "none": trials failed or have no value, or all splits train on the same."""
    ours = sum(entry.count("failed") for _, entry in entries)
    theirs = sum(setting.baseline.count("failed") for setting, _ in entries)
    undefined = sum(s.undefined(e, metric.name) + s.undefined(s.baseline, metric.name) for s, e in entries)
    same = sum(setting.splits.same for setting, _ in entries)
    why = [f"{ours} failed"] * bool(ours) + [f"{theirs} of {BASELINE} failed"] * bool(theirs)
    why += [f"{undefined} without a value"] * bool(undefined)
    why += ["equal splits" if len(entries) == 1 else f"equal splits of {plural(same, 'task')}"] * bool(same)
    return f"withheld: {', '.join(why)}" if why else "none"


def _cost_ratios(setting: Setting, entry: Entry) -> np.ndarray:
    """Seconds over the baseline's seconds `[P]`; NaN where one of them has none, or took no time."""
    ours, theirs = entry.seconds, setting.baseline.seconds
    ratios: np.ndarray = np.divide(ours, theirs, out=np.full(len(ours), np.nan), where=theirs > 0)
    return ratios


def _median(values: np.ndarray) -> float | None:
    found = _finite(values)
    return float(np.median(found)) if len(found) else None


def _mean(values: np.ndarray) -> float | None:
    found = _finite(values)
    return math.fsum(found) / len(found) if len(found) else None


def _finite(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = values[np.isfinite(values)]
    return found


def _judge(rows: Sequence[Row], metric: Metric, margin: float) -> list[Row]:
    """Give a verdict to each row of a family that has a difference.

    P-values are corrected (Holm) for the number of differences, those of equivalence for themselves. A
    difference whose verdict is withheld still counts as a comparison, so that a failure does not make other
    verdicts easier to reach.
    """
    gains = [row.difference for row in rows if row.difference]
    adjusted = iter(stats.holm([each.p for each in gains]))
    equal = iter(stats.holm([stats.equivalence(each, margin) for each in gains]))
    found = []
    for row in rows:
        p, within = (next(adjusted), next(equal)) if row.difference else (None, 1.0)
        if row.strategy == BASELINE:
            row = replace(row, verdict="baseline")
        elif row.difference is None or p is None:
            row = replace(row, verdict="none")
        elif row.verdict == "none":
            word: str = stats.verdict(row.difference.mean, p, metric.higher_is_better, within)
            row = replace(row, p=p, verdict=word)
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
