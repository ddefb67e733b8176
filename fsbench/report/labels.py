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
from fsbench.report.baselines import WITHHELD
from fsbench.report.by_split import by_split
from fsbench.report.entries import Setting
from fsbench.report.rows import Row, Saved
from fsbench.spec import Call, parse_call
from fsbench.stats import LEVEL, Estimate

AXES = ("k", "shot")
"""The arguments of tasks that are numbers of labels per class."""
_DRAWS = 1000
_DIGITS = 12
# With two splits, all draws lie on one line, which says too little about how means vary together.
_FEWEST_SPLITS = 3


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


def trained_on(setting: Setting) -> tuple[str, str, float] | None:
    """The family of a setting's task, the name of its number of labels, and how many it is trained on.

    This is the number of labels per class; after a search, with those of the validation part. None if there
    is no such number, or if the size of that part is unknown.
    """
    found = family(setting.task)
    if found is None or math.isnan(setting.labels_ratio):
        return None
    name, axis, number = found
    return name, axis, number * setting.labels_ratio


@dataclass(frozen=True)
class Reached:
    """Times as many labels: what was measured, then what each draw gives, `[1 + B]`, and which lie beyond.

    Times beyond the measured range are those at its end. `splits` is 0 if nothing is known about the spread.
    """

    times: np.ndarray
    below: np.ndarray
    above: np.ndarray
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
    several: dict[str, list[Reached]] = defaultdict(list)
    on_tasks = []
    for row in rows:
        place = row.task, row.recipe
        known = None
        if place in curves and _compared(row):
            known = _on_task(curves[place], places[place], row, metric)
        if known and not known.last:
            several[row.strategy].append(known)
        on_tasks.append(replace(row, saved=saved([known], row.difference)) if known else row)
    over_tasks = [
        replace(row, saved=saved(several[row.strategy])) if _compared(row) and several[row.strategy] else row
        for row in overall
    ]
    return on_tasks, over_tasks


def _compared(row: Row) -> bool:
    """Whether a row has a comparison with the baseline whose verdict is not withheld."""
    return row.difference is not None and not row.verdict.startswith(WITHHELD)


class _Curve:
    """The baseline's learning curve over the settings of a family, by their positive numbers of labels."""

    def __init__(self, settings: Mapping[float, Setting], metric: Metric) -> None:
        self.settings = dict(sorted(settings.items()))
        self.sign = 1 if metric.higher_is_better else -1
        self._known = [_by_split(each, each.baseline.values(metric.name)) for each in self.settings.values()]
        self.splits = self._known[0][0]
        for other, _ in self._known[1:]:
            self.splits = np.intersect1d(self.splits, other)

    def scores(self, splits: np.ndarray) -> np.ndarray:
        """The baseline's scores on some of its splits, higher is better, `[n, K]`."""
        table = np.stack([values[np.isin(other, splits)] for other, values in self._known], axis=1)
        return self.sign * table


def _families(found: Sequence[Setting], metric: Metric) -> dict[tuple[str, str], _Curve]:
    """The curve of a task's family, for each task that has one."""
    members: dict[tuple[str, str, str], dict[float, Setting]] = defaultdict(dict)
    for setting in found:
        name = trained_on(setting)
        if name and name[2] > 0:
            members[name[0], name[1], setting.recipe][name[2]] = setting
    curves = [_Curve(several, metric) for several in members.values() if len(several) > 1]
    return {(each.task, each.recipe): curve for curve in curves for each in curve.settings.values()}


def _on_task(curve: _Curve, setting: Setting, row: Row, metric: Metric) -> Reached | None:
    """What a strategy saves on one task, over the splits that it and the baseline's whole curve have.

    The labels of the validation part count as its own if it uses them. None if their number is unknown.
    """
    splits, ours = _by_split(setting, setting.entries[row.strategy].values(metric.name))
    common = np.intersect1d(splits, curve.splits)
    if not len(common) or row.difference is None:
        return None
    (place,) = (place for place, each in enumerate(curve.settings.values()) if each is setting)
    mine = curve.sign * ours[np.isin(splits, common)]
    found = reached(curve.scores(common), mine, list(curve.settings), place, row.difference.half_width)
    used = setting.splits.joined if "val" in row.uses and not setting.tuned else 1.0
    return None if math.isnan(used) else replace(found, times=found.times / used)


def reached(
    scores: np.ndarray, mine: np.ndarray, numbers: Sequence[float], place: int, half_width: float | None
) -> Reached:
    """What a strategy saves: `scores [n, K]` are the baseline's over the numbers of labels, on n splits.

    `mine [n]` are those of the strategy with the number in a `place`, and `half_width` is that of the
    interval of the mean difference there. Higher scores are better.
    """
    draws, noise = _draws(len(mine))
    target = draws @ mine + noise * _missing(mine - scores[:, place], half_width)
    known = np.array(numbers, dtype=float)
    found = inverse(isotonic(draws @ scores), known, target)
    within = np.clip(found, known[0], known[-1])
    return Reached(
        times=within / known[place],
        below=found == 0,
        above=found == np.inf,
        labels=float(within[0]),
        splits=0 if half_width is None else len(mine),
        last=place == len(known) - 1,
    )


def _missing(differences: np.ndarray, half_width: float | None) -> float:
    """What the spread of differences `[n]` lacks to the interval of their mean, as a standard deviation."""
    from scipy.special import ndtri, stdtrit

    n, tail = len(differences), (1 + LEVEL) / 2
    if n < 2 or half_width is None:
        return 0.0
    shown = stdtrit(n - 1, tail) ** 2 * differences.var(ddof=1) / n
    return float(np.sqrt(max(half_width**2 - shown, 0.0)) / ndtri(tail))


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
    found = by_split(setting.pairs, values[None], np.isfinite(values))
    return found.seeds, found.means[0]


@lru_cache(maxsize=8)
def _draws(splits: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights of splits, `[1 + B, n]`: all equal, then such that means have Student's distribution.

    Its centre is the mean of the splits, its covariance their own over n, its degrees of freedom n - 1. The
    second value is independent normal noise `[1 + B]`, first 0.
    """
    rng, df = np.random.default_rng(0), max(splits - 1, 1)
    normal = rng.normal(size=(_DRAWS, splits))
    scales = np.sqrt(splits * rng.chisquare(df, (_DRAWS, 1)))
    around = (normal - normal.mean(1, keepdims=True)) / scales
    noise = np.concatenate([[0.0], rng.normal(size=_DRAWS)])
    return np.concatenate([np.zeros((1, splits)), around]) + 1 / splits, noise


def saved(found: Sequence[Reached], difference: Estimate | None = None) -> Saved:
    """The geometric mean of what was found on some tasks, with the interval of its draws.

    An end of the interval is a bound if draws that lie beyond the measured range reach it. The interval on
    one task contains 1 where that of the `difference` to the baseline contains 0.
    """
    times = np.exp(np.mean([np.log(each.times) for each in found], axis=0))
    below, above = (np.any([getattr(each, side) for each in found], axis=0) for side in ("below", "above"))
    low = high = None
    ends = ""
    if min(each.splits for each in found) >= _FEWEST_SPLITS:
        drawn, tail = times[1:], (1 - LEVEL) / 2
        low, high = (float(np.quantile(drawn, each)) for each in (tail, 1 - tail))
        if difference and not difference.excludes_0:
            low, high = min(low, 1.0), max(high, 1.0)
        ends = _side(bool(below[1:].mean() > tail), bool(above[1:].mean() > tail))
    labels = found[0].labels if len(found) == 1 else None
    return Saved(float(times[0]), low, high, _side(bool(below[0]), bool(above[0])), labels, len(found), ends)


def _side(below: bool, above: bool) -> str:
    return "both" if below and above else "below" if below else "above" if above else ""
