"""What following an advice gives: the estimate by nested splits, and the references beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fsbench.advising.more_labels import Curve
from fsbench.columns import of_records
from fsbench.composition import BASELINE
from fsbench.evidence import Evidence
from fsbench.metrics import Metric
from fsbench.record import Record
from fsbench.report.leaderboard import leaderboard
from fsbench.stats import Estimate, shared_fraction
from fsbench.tasks.expressions import Task
from fsbench.tasks.splits import draw_split

CHOSEN = "advised"
"""The row of what the search chose on each split: its strategies differ from split to split."""


@dataclass(frozen=True)
class Checked:
    """What a search chooses, tested on samples that it has not seen.

    `chosen` names the strategy of each check. `score` is the mean of their scores, `plain` that of plain
    training on the same splits, `gain` that of the differences, both None without a result of plain training;
    `settled` says whether the gain is. In `failed` checks what was chosen has no score, and plain training
    counts in its place.
    """

    chosen: tuple[str, ...]
    score: Estimate
    plain: Estimate | None = None
    gain: Estimate | None = None
    settled: bool = False
    failed: int = 0


def check(
    chosen: Mapping[int, Record], plain: Mapping[int, Record], evidence: Evidence, metric: str
) -> Checked | None:
    """The estimate from the records of what was chosen without each split, and of plain training, by split.

    Intervals are those of a leaderboard with the two rows, given what is stored beside the records. None if
    no record has a value of the metric.
    """
    failed = [split for split, each in chosen.items() if metric not in each.metrics]
    counted = {**chosen, **{split: plain[split] for split in failed}}
    ours = [replace(each, spec=CHOSEN, full_spec=CHOSEN, baseline=False) for each in counted.values()]
    columns = of_records([*ours, *plain.values()], [metric], evidence)
    ((_, rows),) = leaderboard(columns, metric).tasks
    row = next(row for row in rows if row.strategy == CHOSEN)
    reference = next((each.score for each in rows if each.strategy == BASELINE), None)
    if row.score is None:
        return None
    settled = row.verdict in ("helps", "hurts")
    names = tuple(each.spec for each in chosen.values())
    return Checked(names, row.score, reference, row.difference, settled, len(failed))


def majority(task: Task, splits: Sequence[int], metric: Metric) -> float | None:
    """The mean score of always predicting the class frequencies of the training part; None if undefined."""
    values = []
    for seed in splits:
        split = draw_split(task, seed)
        counts = np.bincount(split.train.y[0], minlength=task.info.num_classes)
        logits = np.log(np.maximum(counts, 1e-3) / counts.sum())
        shape = (*split.test.y.shape, task.info.num_classes)
        values.append(metric.function(np.broadcast_to(logits, shape).copy(), split.test.y))
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def curve_of(records: Sequence[Sequence[Record]], evidence: Evidence, metric: Metric) -> Curve:
    """The learning curve of records `[S][F]` of splits and ascending numbers of training labels."""
    sign = 1 if metric.higher_is_better else -1
    scores = np.array([[sign * each.metrics[metric.name] for each in split] for split in records])
    labels, overlap = tuple(each.n_train for each in records[0]), records[0][-1].overlap
    every = [each for split in records for each in split]
    known = evidence.influences(metric.name, [each.key for each in every])
    drawn = [evidence.drawn.get(split[-1].split_fingerprint) for split in records]
    if len(known) < len(every) or any(each is None for each in drawn):
        return Curve(labels, scores, overlap=overlap)
    influences = [np.stack([sign * known[each.key] for each in split]) for split in records]
    tested = [each.test.ravel() for each in drawn if each]
    shared = shared_fraction([each.train.ravel() for each in drawn if each])
    return Curve(labels, scores, tested, influences, shared, overlap)
