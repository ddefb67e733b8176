"""Scores, paired differences and other weighted sums of strategies' scores, on one task and over tasks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.report.crossings import Trials, crossed, prepare
from fsbench.report.entries import Entry, Setting
from fsbench.report.stability import training_noise
from fsbench.stats import Estimate, Sample

Terms = tuple[tuple[Entry, float], ...]
"""Strategies with weights, by which their scores in the same trials are multiplied and added."""
Placed = tuple[Setting, Terms]
"""Terms of one setting."""


def on_task(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> Estimate | None:
    """Ours minus theirs on one task, or our score; None without a trial that has it."""
    found = sample(setting, ours, theirs, metric)
    prior = setting.score_prior if theirs is None else setting.difference_prior
    return None if found is None else stats.estimate(found, prior, limits(metric, _minus(ours, theirs)))


def mean_on_task(setting: Setting, ours: Entry, theirs: Entry, metric: Metric) -> float | None:
    """The mean of `on_task` alone, which takes far less time."""
    return _mean([_by_seed(setting, _minus(ours, theirs), metric)])


def mean_over_tasks(found: Sequence[Setting], ours: str, theirs: str, metric: Metric) -> float | None:
    """The mean of `over_tasks` alone, which takes far less time."""
    both = [s for s in found if ours in s.entries and theirs in s.entries]
    return _mean([_by_seed(s, _minus(s.entries[ours], s.entries[theirs]), metric) for s in both])


def over_tasks(found: Sequence[Setting], ours: str, theirs: str | None, metric: Metric) -> Estimate | None:
    """Ours minus theirs over the tasks that both did; None without one."""
    both = [s for s in found if ours in s.entries and (theirs is None or theirs in s.entries)]
    terms = [_minus(s.entries[ours], None if theirs is None else s.entries[theirs]) for s in both]
    return sum_over_tasks(list(zip(both, terms, strict=True)), metric)


def sum_over_tasks(placed: Sequence[Placed], metric: Metric) -> Estimate | None:
    """The mean over tasks of a weighted sum, which has the same weights on each; None without a trial."""
    kept = [each for each in placed if np.isfinite(_values(each[1], metric)).any()]
    if not kept:
        return None
    return stats.overall(_contributions(kept, metric), limits(metric, kept[0][1]))


def fit_priors(found: Sequence[Setting], metric: Metric) -> None:
    """Give every setting what the spread of all scores, and of all differences to ERM, lets expect."""
    prepare(found, BASELINE, metric.name)
    entries = [(setting, entry) for setting in found for entry in setting.entries.values()]
    scores = [sample(setting, entry, None, metric) for setting, entry in entries]
    others = [(setting, entry) for setting, entry in entries if entry.strategy != BASELINE]
    gains = [sample(setting, entry, setting.baseline, metric) for setting, entry in others]
    score_prior, difference_prior = (stats.fit_prior(filter(None, each)) for each in (scores, gains))
    for setting in found:
        setting.score_prior, setting.difference_prior = score_prior, difference_prior


def limits(metric: Metric, terms: Terms) -> tuple[float, float]:
    """The smallest and the largest possible score, difference or sum."""
    if not metric.percent:
        return stats.NO_LIMITS
    reach = _reach(terms)
    return stats.FRACTION if len(terms) == 1 else (-reach, reach)


def sample(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> Sample | None:
    """The values of one task by split, and how the splits hang together; None without a value."""
    return sum_sample(setting, _minus(ours, theirs), metric)


def sum_sample(setting: Setting, terms: Terms, metric: Metric) -> Sample | None:
    """A weighted sum on one task by split, in the trials that all did; None without one."""
    key = metric.name, *((entry.strategy, weight) for entry, weight in terms)
    if key not in setting.samples:
        values = _values(terms, metric)
        by_seed = setting.by_split(values)
        noise = training_noise(setting, values)
        found = _sample([(setting, terms)], by_seed, metric, 1.0, noise) if by_seed else None
        setting.samples[key] = found
    return setting.samples[key]


def _by_seed(setting: Setting, terms: Terms, metric: Metric) -> dict[int, float]:
    """A weighted sum on one task by split seed, in the trials that all did."""
    return setting.by_split(_values(terms, metric))


def _mean(tasks: Sequence[Mapping[int, float]]) -> float | None:
    """The mean over tasks of the means of values by split seed, of those with values; None without any."""
    means = [math.fsum(each.values()) / len(each) for each in tasks if each]
    return math.fsum(means) / len(means) if means else None


def _minus(ours: Entry, theirs: Entry | None) -> Terms:
    return ((ours, 1.0),) if theirs is None else ((ours, 1.0), (theirs, -1.0))


def _reach(terms: Terms) -> float:
    """How far a sum can be from 0, if scores are between 0 and 1; 1 for a score and a difference."""
    return max(math.fsum(abs(weight) for _, weight in terms) / 2, 1.0)


def _contributions(placed: Sequence[Placed], metric: Metric) -> list[list[Sample]]:
    """The contributions of groups of tasks to the mean over tasks: a sample, or one for each task.

    There is one for each task if the tasks of a group have different split seeds.
    """
    groups: dict[int, list[Placed]] = defaultdict(list)
    for each in placed:
        groups[each[0].group].append(each)
    return [_of_group(group, metric, 1 / len(placed)) for group in groups.values()]


def _of_group(placed: Sequence[Placed], metric: Metric, weight: float) -> list[Sample]:
    values = [_by_seed(setting, terms, metric) for setting, terms in placed]
    if any(each.keys() != values[0].keys() for each in values):
        return [_sample([one], each, metric, weight) for one, each in zip(placed, values, strict=True)]
    total = {seed: math.fsum(each[seed] for each in values) for seed in values[0]}
    return [_sample(placed, total, metric, weight)]


def _sample(
    placed: Sequence[Placed],
    by_seed: dict[int, float],
    metric: Metric,
    weight: float,
    noise: float | None = None,
) -> Sample:
    """The sum over settings of values by split seed, times a weight."""
    settings = [setting for setting, _ in placed]
    steps = weight * math.fsum(setting.resolution(metric.name) for setting in settings)
    step = steps * _reach(placed[0][1])
    values = tuple(weight * value for value in by_seed.values())
    found = _crossed(placed, metric)
    if found is None:
        return Sample(values, step, overlap=max(setting.overlap for setting in settings))
    splits = [setting.splits for setting in settings]
    common = max(weight**2 * found.common, max(each.tested for each in splits) * step**2)
    return Sample(values, step, common, weight**2 * found.own, max(each.shared for each in splits), noise)


def _crossed(placed: Sequence[Placed], metric: Metric) -> stats.Crossed | None:
    """What the choice of test samples contributes to the variance of the sum over settings, if known."""
    trials = [Trials(setting, np.isfinite(_values(terms, metric))) for setting, terms in placed]
    return crossed(trials, {entry.strategy: weight for entry, weight in placed[0][1]}, metric.name)


def _values(terms: Terms, metric: Metric) -> np.ndarray:
    """The weighted sum by pair of seeds, `[P]`; NaN for trials that not all did."""
    (first, weight), *others = terms
    total: np.ndarray = weight * first.values(metric.name)
    for entry, factor in others:
        total = total + factor * entry.values(metric.name)
    return total
