"""Scores, and paired differences between two strategies, on one task and over tasks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.report.crossings import Trials, crossed, prepare
from fsbench.report.entries import Entry, Setting
from fsbench.report.stability import training_noise
from fsbench.stats import Estimate, Sample

Pair = tuple[Setting, Entry, Entry | None]
"""A setting with a strategy and what to subtract, or None for the strategy's own score."""


def on_task(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> Estimate | None:
    """Ours minus theirs on one task, or our score; None without a trial that has it."""
    found = sample(setting, ours, theirs, metric)
    prior = setting.score_prior if theirs is None else setting.difference_prior
    return None if found is None else stats.estimate(found, prior, limits(metric, theirs is not None))


def over_tasks(found: Sequence[Setting], ours: str, theirs: str | None, metric: Metric) -> Estimate | None:
    """Ours minus theirs over the tasks that both did; None without one."""
    both = [s for s in found if ours in s.entries and (theirs is None or theirs in s.entries)]
    pairs = [(s, s.entries[ours], None if theirs is None else s.entries[theirs]) for s in both]
    kept = [pair for pair in pairs if np.isfinite(_values(*pair, metric)).any()]
    if not kept:
        return None
    return stats.overall(_contributions(kept, metric), limits(metric, theirs is not None))


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


def limits(metric: Metric, difference: bool) -> tuple[float, float]:
    """The smallest and the largest possible score, or difference."""
    if not metric.percent:
        return stats.NO_LIMITS
    return (-1.0, 1.0) if difference else stats.FRACTION


def sample(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> Sample | None:
    """The values of one task by split, and how the splits hang together; None without a value."""
    key = ours.strategy, None if theirs is None else theirs.strategy, metric.name
    if key not in setting.samples:
        values = _values(setting, ours, theirs, metric)
        by_seed = setting.by_split(values)
        noise = training_noise(setting, values)
        found = _sample([(setting, ours, theirs)], by_seed, metric, 1.0, noise) if by_seed else None
        setting.samples[key] = found
    return setting.samples[key]


def _contributions(pairs: Sequence[Pair], metric: Metric) -> list[list[Sample]]:
    """The contributions of groups of tasks to the mean over tasks: a sample, or one for each task.

    There is one for each task if the tasks of a group have different split seeds.
    """
    groups: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair[0].group].append(pair)
    return [_of_group(group, metric, 1 / len(pairs)) for group in groups.values()]


def _of_group(pairs: Sequence[Pair], metric: Metric, weight: float) -> list[Sample]:
    values = [setting.by_split(_values(setting, ours, theirs, metric)) for setting, ours, theirs in pairs]
    if any(each.keys() != values[0].keys() for each in values):
        return [_sample([pair], each, metric, weight) for pair, each in zip(pairs, values, strict=True)]
    total = {seed: math.fsum(each[seed] for each in values) for seed in values[0]}
    return [_sample(pairs, total, metric, weight)]


def _sample(
    pairs: Sequence[Pair],
    by_seed: dict[int, float],
    metric: Metric,
    weight: float,
    noise: float | None = None,
) -> Sample:
    """The sum over settings of values by split seed, times a weight."""
    settings = [setting for setting, *_ in pairs]
    step = weight * math.fsum(setting.resolution(metric.name) for setting in settings)
    values = tuple(weight * value for value in by_seed.values())
    found = _crossed(pairs, metric)
    if found is None:
        return Sample(values, step, overlap=max(setting.overlap for setting in settings))
    splits = [setting.splits for setting in settings]
    common = max(weight**2 * found.common, max(each.tested for each in splits) * step**2)
    return Sample(values, step, common, weight**2 * found.own, max(each.shared for each in splits), noise)


def _crossed(pairs: Sequence[Pair], metric: Metric) -> stats.Crossed | None:
    """What the choice of test samples contributes to the variance of the sum over settings, if known."""
    _, ours, theirs = pairs[0]
    trials = [Trials(pair[0], np.isfinite(_values(*pair, metric))) for pair in pairs]
    return crossed(trials, ours.strategy, None if theirs is None else theirs.strategy, metric.name)


def _values(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> np.ndarray:
    """Ours minus theirs by pair of seeds, `[P]`; NaN for trials that not both did."""
    values = ours.values(metric.name)
    return values if theirs is None else values - theirs.values(metric.name)
