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

from fsbench.metrics import DEFAULT_METRIC, assumed_resolution, get_metric
from fsbench.provenance import Outcome
from fsbench.types import Record

_QUANTILE = 0.995
_FEWEST = 3
_MANY = 1e6


def row_of(record: Record) -> tuple[str, ...]:
    """What the records of one strategy on one task have in common."""
    return record.task, record.recipe, record.spec, record.full_spec, record.tuning


def outcome(
    stored: Record, again: Record, others: Iterable[Record], digests: tuple[str, str] = ("", "")
) -> Outcome:
    """How a record agrees with that of the same trial run again, both successful.

    `others` are records of the same strategy on the same task; `digests` are those of the predictions. Equal
    predictions, or equal values of all metrics where the digests are not known, are the same bits. A score
    (balanced accuracy) within `noise` is within noise.
    """
    if all(digests):
        if digests[0] == digests[1]:
            return "bitwise"
    elif stored.metrics == again.metrics:
        return "bitwise"
    one, other = (record.metrics.get(DEFAULT_METRIC, math.nan) for record in (stored, again))
    return "within noise" if abs(one - other) <= noise(stored, others) else "mismatch"


def noise(stored: Record, others: Iterable[Record]) -> float:
    """How far apart two runs of a trial may be: beyond that is one in a hundred honest pairs at most.

    With standard deviation s, the difference of two independent runs has sqrt(2) s; the limit is the 99 %
    quantile of Student's t, for the degrees of freedom of s, times that. With fewer than three results, s is
    that of a fraction of the test samples. It is at least the effect of one decision.
    """
    from scipy.special import stdtrit

    deviation, freedom = _spread(list(others))
    if deviation is None:
        value, samples = stored.metrics.get(DEFAULT_METRIC, 0.0), max(stored.n_test, 1)
        of_test = (
            math.sqrt(max(value * (1 - value), 0.0) / samples) if get_metric(DEFAULT_METRIC).percent else 0.0
        )
        deviation, freedom = of_test, _MANY
    step = stored.resolution.get(DEFAULT_METRIC) or assumed_resolution(DEFAULT_METRIC, stored.n_test)
    return float(stdtrit(freedom, _QUANTILE)) * math.sqrt(2) * max(deviation, step)


def _spread(records: Sequence[Record]) -> tuple[float | None, float]:
    """The standard deviation of training, and its degrees of freedom; None with too few results."""
    by_split: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if record.status == "ok" and DEFAULT_METRIC in record.metrics:
            by_split[record.split_seed].append(record.metrics[DEFAULT_METRIC])
    within = [np.array(values) - np.mean(values) for values in by_split.values()]
    freedom = sum(len(values) - 1 for values in within)
    if freedom >= _FEWEST - 1:
        return math.sqrt(sum(float(values @ values) for values in within) / freedom), freedom
    every = [value for values in by_split.values() for value in values]
    return (float(np.std(every, ddof=1)), len(every) - 1) if len(every) >= _FEWEST else (None, 0.0)
