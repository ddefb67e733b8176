"""Scores, paired differences and other weighted sums of strategies' scores, on one task and over tasks.

Many are computed at once, with arrays: those that have values in the same trials together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench import stats
from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.report.by_split import BySplit, alike, by_split
from fsbench.report.crossings import Trials, crossed, prepare
from fsbench.report.entries import Entry, Setting
from fsbench.stats import Estimate, Prior, Sample

Terms = tuple[tuple[Entry, float], ...]
"""Strategies with weights, by which their scores in the same trials are multiplied and added."""
Placed = tuple[Setting, Terms]
"""Terms of one setting."""
Place = tuple[str, str, str]
"""A task, its recipe, and a strategy."""


@dataclass(frozen=True)
class Measured:
    """The samples of a table: scores, and differences to ERM, each with its place; None without a value.

    Each kind has what its samples let expect of each other's variances.
    """

    scores: Mapping[Place, Sample | None]
    gains: Mapping[Place, Sample | None]
    score_prior: Prior
    gain_prior: Prior


@dataclass(frozen=True)
class _Block:
    """Sums that have values in the same trials of the same settings.

    `numbers` says which of the wanted ones they are, `terms` has theirs in each setting, and `values` those
    by split.
    """

    numbers: list[int]
    terms: list[list[Terms]]
    trials: list[Trials]
    values: list[BySplit]


def minus(ours: Entry, theirs: Entry | None) -> Terms:
    """Ours minus theirs; our score if there is no other."""
    return ((ours, 1.0),) if theirs is None else ((ours, 1.0), (theirs, -1.0))


def measured(found: Sequence[Setting], metric: Metric) -> Measured:
    """The scores of all strategies, and their differences to ERM."""
    prepare(found, BASELINE, metric.name)
    entries = [(setting, entry) for setting in found for entry in setting.entries.values()]
    others = [(setting, entry) for setting, entry in entries if entry.strategy != BASELINE]
    wanted = [(s, minus(e, None)) for s, e in entries], [(s, minus(e, s.baseline)) for s, e in others]
    scores, gains = (samples(each, metric) for each in wanted)
    return Measured(
        dict(zip([place_of(*each) for each in entries], scores, strict=True)),
        dict(zip([place_of(*each) for each in others], gains, strict=True)),
        *(stats.fit_prior(filter(None, each)) for each in (scores, gains)),
    )


def place_of(setting: Setting, entry: Entry) -> Place:
    """Where a row stands."""
    return setting.task, setting.recipe, entry.strategy


def on_tasks(
    shown: Sequence[Placed], asked: Sequence[Placed], metric: Metric
) -> tuple[list[Estimate | None], list[float]]:
    """Estimates of some sums on one task each, and the p-values of some more.

    All of them together say what to expect of each other's variances. Without a trial that all strategies of
    a sum did, there is None instead of an estimate, and 1 instead of a p-value.
    """
    found = samples([*shown, *asked], metric)
    prior = stats.fit_prior(filter(None, found))
    ends, tested = [limits_of(terms, metric) for _, terms in shown], found[len(shown) :]
    p = iter(stats.p_values([each for each in tested if each], prior))
    return estimates(found[: len(shown)], ends, prior), [next(p) if each else 1.0 for each in tested]


def estimates(
    found: Sequence[Sample | None], limits: Sequence[tuple[float, float]], prior: Prior
) -> list[Estimate | None]:
    """The estimates of samples; None where there is none."""
    kept = [(each, ends) for each, ends in zip(found, limits, strict=True) if each]
    made = iter(stats.estimates([each for each, _ in kept], prior, [ends for _, ends in kept]))
    return [next(made) if each else None for each in found]


def over_tasks(wanted: Sequence[Sequence[Placed]], metric: Metric) -> list[Estimate | None]:
    """The means over tasks of sums, each of which has the same weights on all; None without a trial."""
    groups: dict[int, list[list[Sample]]] = {}
    ends: dict[int, tuple[float, float]] = {}
    for block in _blocks(wanted, metric):
        for number, (terms, *_), own in zip(
            block.numbers, block.terms, _contributions(block, metric), strict=True
        ):
            groups[number], ends[number] = own, limits_of(terms, metric)
    # Nobody asks whether a score is 0.
    flips = any(len(terms) > 1 for placed in wanted for _, terms in placed[:1])
    made = stats.overalls(list(groups.values()), list(ends.values()), flips)
    by_number = dict(zip(groups, made, strict=True))
    return [by_number.get(number) for number in range(len(wanted))]


def means_on_task(setting: Setting, theirs: str, metric: Metric) -> list[float | None]:
    """Each strategy minus one: the means of `on_tasks` alone, which take far less time."""
    values = setting.values(metric.name)
    gains = values[:-1] - values[setting.numbers.get(theirs, -1)]
    found: list[float | None] = [None] * len(gains)
    for rows, done in alike(gains):
        means = by_split(setting.pairs, gains[rows], done).means.tolist()
        for row, each in zip(rows, means, strict=True):
            found[row] = math.fsum(each) / len(each)
    return found


def limits(metric: Metric, terms: int, reach: float = 1.0) -> tuple[float, float]:
    """The smallest and the largest possible score (one term), difference, or sum that reaches so far."""
    if not metric.percent:
        return stats.NO_LIMITS
    return stats.FRACTION if terms == 1 else (-reach, reach)


def limits_of(terms: Terms, metric: Metric) -> tuple[float, float]:
    """The smallest and the largest possible value of a sum."""
    return limits(metric, len(terms), _reach(terms))


def samples(wanted: Sequence[Placed], metric: Metric) -> list[Sample | None]:
    """The values of sums on one task each, by split, and the correlation of splits; None without one."""
    found: list[Sample | None] = [None] * len(wanted)
    for block in _blocks([[each] for each in wanted], metric):
        made = _samples(block, [0], metric, 1.0, block.values[0].noise)
        for number, each in zip(block.numbers, made, strict=True):
            found[number] = each
    return found


def _blocks(wanted: Sequence[Sequence[Placed]], metric: Metric) -> Iterator[_Block]:
    """The wanted sums that have values, in blocks. Settings without a trial of a sum are left out there."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, placed in enumerate(wanted):
        groups[tuple([id(setting) for setting, _ in placed])].append(number)
    for numbers in groups.values():
        settings = [setting for setting, _ in wanted[numbers[0]]]
        terms = [[wanted[number][place][1] for number in numbers] for place in range(len(settings))]
        totals = [_totals(*each, metric) for each in zip(settings, terms, strict=True)]
        ends = np.cumsum([len(setting.pairs) for setting in settings])[:-1]
        for rows, done in alike(np.concatenate(totals, axis=1)) if totals else ():
            trials = [Trials(*each) for each in zip(settings, np.split(done, ends), strict=True)]
            kept = [place for place, each in enumerate(trials) if each.done.any()]
            yield _Block(
                [numbers[row] for row in rows],
                [[terms[place][row] for place in kept] for row in rows],
                [trials[place] for place in kept],
                [by_split(settings[place].pairs, totals[place][rows], trials[place].done) for place in kept],
            )


def _totals(setting: Setting, several: Sequence[Terms], metric: Metric) -> np.ndarray:
    """Weighted sums by pair of seeds, `[R, P]`; NaN for trials that not all did."""
    width, table = max(map(len, several)), setting.values(metric.name)
    # Sums with fewer terms have their first one again, with the weight 0.
    filled = [(*terms, *((terms[0][0], 0.0),) * (width - len(terms))) for terms in several]
    places = np.array([[setting.numbers.get(entry.strategy, -1) for entry, _ in each] for each in filled])
    weights = np.array([[weight for _, weight in each] for each in filled])
    total: np.ndarray = weights[:, :1] * table[places[:, 0]]
    for place in range(1, width):
        total = total + weights[:, place, None] * table[places[:, place]]
    return total


def _reach(terms: Terms) -> float:
    """How far a sum can be from 0, if scores are between 0 and 1; 1 for a score and a difference."""
    return max(math.fsum(abs(weight) for _, weight in terms) / 2, 1.0)


def _contributions(block: _Block, metric: Metric) -> list[list[list[Sample]]]:
    """For each sum of a block, the contributions of groups of tasks to the mean over tasks.

    That of a group is a sample, or one for each task if its tasks have different split seeds.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for place, (setting, _) in enumerate(block.trials):
        groups[setting.group].append(place)
    found = []
    for places in groups.values():
        seeds = [block.values[place].seeds for place in places]
        alike = all(np.array_equal(each, seeds[0]) for each in seeds)
        parts = [places] if alike else [[place] for place in places]
        samples = [_samples(block, part, metric, 1 / len(block.trials)) for part in parts]
        found.append(list(map(list, zip(*samples, strict=True))))
    return list(map(list, zip(*found, strict=True)))


def _samples(
    block: _Block,
    places: Sequence[int],
    metric: Metric,
    weight: float,
    noise: Sequence[float | None] | None = None,
) -> list[Sample]:
    """The sums of a block, added over some of its settings with the same split seeds, times a weight."""
    trials = [block.trials[place] for place in places]
    settings = [setting for setting, _ in trials]
    terms = [each[places[0]] for each in block.terms]
    total = np.sum([block.values[place].means for place in places], axis=0) * weight
    several = [tuple(row) for row in total.tolist()]
    resolution = weight * math.fsum(setting.resolution(metric.name) for setting in settings)
    steps = [resolution * _reach(each) for each in terms]
    sums = [{entry.strategy: factor for entry, factor in each} for each in terms]
    overlap, splits = max(setting.overlap for setting in settings), [each.splits for each in settings]
    tested = max(each.tested for each in splits)
    # Equal splits differ by the noise of training alone, which they do not share.
    shared = max(0.0 if each.same else each.shared for each in splits)
    return [
        Sample(values, step, overlap=overlap)
        if found is None
        else Sample(
            values,
            step,
            max(weight**2 * found.common, tested * step**2),
            weight**2 * found.own,
            shared,
            each_noise,
        )
        for values, step, found, each_noise in zip(
            several, steps, crossed(trials, sums, metric.name), noise or [None] * len(terms), strict=True
        )
    ]
