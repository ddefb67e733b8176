"""Labels saved: with how many labels plain training reaches what a strategy reaches with fewer.

Tasks that differ in the number of labels only are a family. The baseline's scores over this number are its
learning curve.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fsbench.metrics import Metric
from fsbench.report.entries import Entry, Setting
from fsbench.report.rows import Row, Saved
from fsbench.spec import Call, parse_call
from fsbench.stats import LEVEL

AXES = ("k", "shot")
"""The arguments of tasks that are numbers of labels per class."""
_RESAMPLES = 1000
_DIGITS = 12


def family(task: str) -> tuple[str, str, int] | None:
    """The family of a task, the name of its number of labels and this number; None if it has none.

    The family is the task's text without the number.
    """
    call = parse_call(task)
    for axis in AXES:
        number = call.keywords.get(axis)
        if isinstance(number, int) and not isinstance(number, bool):
            others = tuple(item for item in call.kwargs if item[0] != axis)
            return str(Call(call.name, call.args, others)), axis, number
    return None


@dataclass(frozen=True)
class _Found:
    """Times as many labels: what was measured, then for each resample, `[1 + B]`, and what lies beyond."""

    times: np.ndarray
    above: bool
    below: bool
    labels: float
    splits: int
    last: bool


def with_saved(
    found: Sequence[Setting], rows: Sequence[Row], overall: Sequence[Row], metric: Metric
) -> tuple[list[Row], list[Row]]:
    """The rows of tasks and those over tasks with the labels saved, where tasks allow it.

    None for the baseline, and where verdicts are withheld. Overall it is the geometric mean over the tasks,
    without the largest number of labels of each family, where no saving could be seen.
    """
    places = {(setting.task, setting.recipe): setting for setting in found}
    curves = _families(found, metric)
    several: dict[str, list[_Found]] = defaultdict(list)
    on_tasks = []
    for row in rows:
        place = row.task, row.recipe
        known = None
        if place in curves and _compared(row):
            setting = places[place]
            known = _on_task(curves[place], setting, setting.entries[row.strategy], metric)
        if known and not known.last:
            several[row.strategy].append(known)
        on_tasks.append(replace(row, saved=_saved([known])) if known else row)
    over_tasks = [
        replace(row, saved=_saved(several[row.strategy])) if _compared(row) and several[row.strategy] else row
        for row in overall
    ]
    return on_tasks, over_tasks


def _compared(row: Row) -> bool:
    """Whether a row has a comparison with the baseline whose verdict is not withheld."""
    return row.difference is not None and not row.verdict.startswith("withheld")


class _Curve:
    """The baseline's learning curve over the settings of a family, by their positive numbers of labels."""

    def __init__(self, settings: Mapping[int, Setting], metric: Metric) -> None:
        self.settings = dict(sorted(settings.items()))
        self.sign = 1 if metric.higher_is_better else -1
        self._known = [_by_split(each, each.baseline.values(metric.name)) for each in self.settings.values()]
        self._rising: dict[bytes, np.ndarray] = {}
        self.splits = self._known[0][0]
        for other, _ in self._known[1:]:
            self.splits = np.intersect1d(self.splits, other)

    def rising(self, splits: np.ndarray) -> np.ndarray:
        """The rising curves of resamples of some of its splits, `[1 + B, K]`; the same for all strategies."""
        key = splits.tobytes()
        if key not in self._rising:
            table = np.stack([values[np.isin(other, splits)] for other, values in self._known], axis=1)
            self._rising[key] = isotonic(self.sign * _resamples(len(splits)) @ table)
        return self._rising[key]


def _families(found: Sequence[Setting], metric: Metric) -> dict[tuple[str, str], _Curve]:
    """The curve of a task's family, for each task that has one."""
    members: dict[tuple[str, str, str], dict[int, Setting]] = defaultdict(dict)
    for setting in found:
        name = family(setting.task)
        if name and name[2] > 0:
            members[name[0], name[1], setting.recipe][name[2]] = setting
    curves = [_Curve(several, metric) for several in members.values() if len(several) > 1]
    return {(each.task, each.recipe): curve for curve in curves for each in curve.settings.values()}


def _on_task(curve: _Curve, setting: Setting, entry: Entry, metric: Metric) -> _Found | None:
    """What a strategy saves on one task, over the splits that it and the baseline's whole curve have."""
    splits, ours = _by_split(setting, entry.values(metric.name))
    common = np.intersect1d(splits, curve.splits)
    if not len(common):
        return None
    target = curve.sign * _resamples(len(common)) @ ours[np.isin(splits, common)]
    numbers = np.array(list(curve.settings), dtype=float)
    reached = inverse(curve.rising(common), numbers, target)
    (given,) = (number for number, each in curve.settings.items() if each is setting)
    return _Found(
        times=np.clip(reached, numbers[0], numbers[-1]) / given,
        above=bool(reached[0] == np.inf),
        below=bool(reached[0] == 0),
        labels=float(np.clip(reached[0], numbers[0], numbers[-1])),
        splits=len(common),
        last=given == numbers[-1],
    )


def isotonic(curves: np.ndarray) -> np.ndarray:
    """The nearest curves that never fall, by least squares, of curves `[B, K]` (isotonic regression).

    Barlow, Bartholomew, Bremner & Brunk 1972, "Statistical inference under order restrictions": the largest
    mean from any point on the left, of the smallest up to any point on the right.
    """
    points = curves.shape[1]
    sums = np.concatenate([np.zeros((len(curves), 1)), np.cumsum(curves, axis=1)], axis=1)
    found = np.full(curves.shape, -np.inf)
    for first in range(points):
        means = (sums[:, first + 1 :] - sums[:, first : first + 1]) / np.arange(1, points - first + 1)
        least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        found[:, first:] = np.maximum(found[:, first:], least)
    return found


def inverse(curves: np.ndarray, numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The smallest number at which each of the rising curves `[B, K]` reaches its target `[B]`.

    Curves are linear in the logarithm of `numbers` [K]. 0 where a target is below the whole curve, infinity
    where it is above.
    """
    curves, targets = curves.round(_DIGITS), targets.round(_DIGITS)
    place = (curves < targets[:, None]).sum(1)
    right = np.clip(place, 1, len(numbers) - 1)
    rows, logs = np.arange(len(curves)), np.log(numbers)
    low, high = curves[rows, right - 1], curves[rows, right]
    part = np.divide(targets - low, high - low, out=np.zeros(len(low)), where=high > low)
    # Targets beyond a flat curve would overflow; what they get is decided below.
    between = np.exp(logs[right - 1] + part.clip(0, 1) * (logs[right] - logs[right - 1]))
    first = np.where(targets < curves[:, 0], 0.0, numbers[0])
    return np.where(place == 0, first, np.where(place == len(numbers), np.inf, between))


def _by_split(setting: Setting, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The split seeds with known values `[P]`, and the mean of each over its init seeds."""
    known = np.isfinite(values)
    splits, first, counts = np.unique(setting.pairs[known, 0], return_index=True, return_counts=True)
    sums = np.add.reduceat(values[known], first) if len(first) else np.zeros(0)
    return splits, sums / counts


@lru_cache(maxsize=8)
def _resamples(splits: int) -> np.ndarray:
    """The weights of splits, `[1 + B, splits]`: all equal, then those of samples with replacement."""
    drawn = np.random.default_rng(0).multinomial(splits, np.full(splits, 1 / splits), size=_RESAMPLES)
    return np.concatenate([np.ones((1, splits)), drawn]) / splits


def _saved(found: Sequence[_Found]) -> Saved:
    """The geometric mean of what was found on some tasks, with the bootstrap interval over splits.

    The interval has the expanded quantiles of Hesterberg 2015, "What teachers should know about the
    bootstrap", so that it is not too short with few splits.
    """
    times = np.exp(np.mean([np.log(each.times) for each in found], axis=0))
    splits = min(each.splits for each in found)
    low = high = None
    if splits > 1:
        from scipy.special import ndtr, stdtrit

        quantile = float(stdtrit(splits - 1, (1 + LEVEL) / 2)) * math.sqrt(splits / (splits - 1))
        low, high = (float(np.quantile(times[1:], float(ndtr(side * quantile)))) for side in (-1, 1))
    above, below = (any(getattr(each, side) for each in found) for side in ("above", "below"))
    beyond = "both" if above and below else "above" if above else "below" if below else ""
    labels = found[0].labels if len(found) == 1 else None
    return Saved(float(times[0]), low, high, beyond, labels, len(found))
