"""Whether two runs of one trial agree.

A trial gives the same bits on the same machine with the same packages. Elsewhere, sums are rounded otherwise,
and training amplifies that: at worst, the result is as different as with other initial weights. So the noise
is the spread of the strategy's results between init seeds of a split or, where there are none, between its
splits, which contains the noise of training.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from fsbench.metrics import DEFAULT_METRIC, assumed_resolution
from fsbench.provenance import Agreement
from fsbench.record import Record
from fsbench.report.contradictions import Run, contradiction

_QUANTILE = 0.995
_FEWEST = 2
_LENT = 4
_MANY = 1e6


def setting_of(record: Record) -> tuple[str, ...]:
    """What records have in common whose noise is compared: task, recipe and search."""
    return record.task, record.recipe, record.tuning


def compare_runs(stored: Run, again: Run, others: Iterable[Record]) -> tuple[Agreement, str]:
    """How a run of a trial agrees with another one, both successful, and for a mismatch, why.

    `others` are records of the same setting (`setting_of`). Runs that contradict each other, such as by other
    scores of equal predictions (`report.contradictions`), are a mismatch. Equal predictions, or equal values
    of all metrics where the digests are not known, are the same bits. A score (balanced accuracy) within
    `noise` is within noise.
    """
    one, other, limit = stored.record, again.record, noise(stored.record, others)
    if why := contradiction(stored, again, limit):
        return "mismatch", why
    if stored.predicts_as(again):
        return "bitwise", ""
    first, second = (record.metrics.get(DEFAULT_METRIC, math.nan) for record in (one, other))
    if abs(first - second) <= limit:
        return "within noise", ""
    return "mismatch", f"{DEFAULT_METRIC} {first:.4f} {stored.where}, {second:.4f} {again.where}"


def noise(stored: Record, others: Iterable[Record]) -> float:
    """How far apart two runs of a trial may be: beyond that is one in a hundred honest pairs at most.

    With standard deviation s between the other trials, the difference of two independent runs has sqrt(2) s;
    the limit is the 99 % quantile of Student's t, for the degrees of freedom of s, times that. The variance
    of the strategy is moderated by that of the other strategies of the setting, which counts as `_LENT`
    degrees of freedom. Without any, s is that of a fraction of the test samples. It is at least the effect
    of one decision.
    """
    from scipy.special import stdtrit

    rows: dict[str, list[Record]] = defaultdict(list)
    for record in (each for each in others if each.key != stored.key):
        rows[record.full_spec or record.spec].append(record)
    squares, freedom = _spread(rows.pop(stored.full_spec or stored.spec, []))
    pooled = [_spread(several) for several in rows.values()]
    known = sum(df for _, df in pooled)
    if known >= _LENT:
        squares += _LENT * sum(each for each, _ in pooled) / known
        freedom += _LENT
    variance = squares / freedom if freedom >= _FEWEST else _of_test(stored)
    step = stored.resolution.get(DEFAULT_METRIC) or assumed_resolution(DEFAULT_METRIC, stored.n_test)
    quantile = float(stdtrit(freedom if freedom >= _FEWEST else _MANY, _QUANTILE))
    return quantile * math.sqrt(2) * max(math.sqrt(variance), step)


def _of_test(record: Record) -> float:
    """The variance of a fraction of the test samples."""
    value = record.metrics.get(DEFAULT_METRIC, 0.0)
    return max(value * (1 - value), 0.0) / max(record.n_test, 1)


def _spread(records: Sequence[Record]) -> tuple[float, int]:
    """The sum of squares of a strategy's results around their mean, and its degrees of freedom.

    Those of the init seeds of each split, or, with one init seed, those of the splits.
    """
    by_split: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if record.status == "ok" and DEFAULT_METRIC in record.metrics:
            by_split[record.split_seed].append(record.metrics[DEFAULT_METRIC])
    groups = list(by_split.values())
    if all(len(values) == 1 for values in groups):
        groups = [[value for (value,) in groups]] if groups else []
    centred = [np.array(values) - np.mean(values) for values in groups]
    return sum(float(each @ each) for each in centred), sum(len(each) - 1 for each in centred)
