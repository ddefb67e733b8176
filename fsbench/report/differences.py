"""Scores, and paired differences between two strategies, on one task and over tasks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.metrics import Metric
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
        influences = _influences(setting, ours, theirs, metric) if by_seed else None
        noise = training_noise(setting, values)
        found = _sample([setting], by_seed, influences, metric, 1.0, noise) if by_seed else None
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
    influences = [_influences(*pair, metric) for pair in pairs]
    if any(each.keys() != values[0].keys() for each in values):
        return [
            _sample([pair[0]], each, found, metric, weight)
            for pair, each, found in zip(pairs, values, influences, strict=True)
        ]
    total = {seed: math.fsum(each[seed] for each in values) for seed in values[0]}
    known = [each for each in influences if each is not None]
    together = None
    if len(known) == len(pairs):
        together = {seed: [part for each in known for part in each[seed]] for seed in values[0]}
    return [_sample([setting for setting, *_ in pairs], total, together, metric, weight)]


def _sample(
    settings: Sequence[Setting],
    by_seed: dict[int, float],
    influences: dict[int, list[tuple[np.ndarray, np.ndarray]]] | None,
    metric: Metric,
    weight: float,
    noise: float | None = None,
) -> Sample:
    """The sum over settings of values by split seed, times a weight."""
    step = weight * math.fsum(setting.resolution(metric.name) for setting in settings)
    splits = [setting.splits for setting in settings]
    values = tuple(weight * value for value in by_seed.values())
    if influences is None:
        return Sample(values, step, overlap=max(setting.overlap for setting in settings))
    places = [np.concatenate([ids for ids, _ in parts]) for parts in influences.values()]
    found = stats.crossed(
        places, [weight * np.concatenate([u for _, u in each]) for each in influences.values()]
    )
    common = max(found.common, max(each.tested for each in splits) * step**2)
    return Sample(values, step, common, found.own, max(each.shared for each in splits), noise)


def _values(setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric) -> np.ndarray:
    """Ours minus theirs by pair of seeds, `[P]`; NaN for trials that not both did."""
    values = ours.values(metric.name)
    return values if theirs is None else values - theirs.values(metric.name)


def _influences(
    setting: Setting, ours: Entry, theirs: Entry | None, metric: Metric
) -> dict[int, list[tuple[np.ndarray, np.ndarray]]] | None:
    """The places of test samples and their influences, by split seed; None where they are not known.

    The influences on the mean over the init seeds of a split are the means of those on its trials.
    """
    done = np.flatnonzero(np.isfinite(_values(setting, ours, theirs, metric)))
    found = setting.influences(ours, done, metric.name)
    if found is not None and theirs is not None:
        other = setting.influences(theirs, done, metric.name)
        found = None if other is None else [a - b for a, b in zip(found, other, strict=True)]
    if found is None:
        return None
    by_seed: dict[int, list[np.ndarray]] = defaultdict(list)
    for seed, values in zip(setting.pairs[done, 0].tolist(), found, strict=True):
        by_seed[seed].append(values)
    places = setting.splits.places
    return {seed: [(places[seed], _mean(several))] for seed, several in by_seed.items()}


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len(arrays) == 1:
        return arrays[0]
    mean: np.ndarray = np.mean(arrays, axis=0)
    return mean
