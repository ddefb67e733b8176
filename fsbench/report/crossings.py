"""The parts of a variance that are due to the choice of test samples, for all pairs of strategies at once.

One pass over the influences of the strategies that were done in the same trials gives their inner products
(`stats.Products`), from which the parts follow for each result and difference that a report asks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fsbench.report.entries import Setting
from fsbench.stats import Crossed, Products

_KEYS_AT_ONCE = 8192


class Trials(NamedTuple):
    """Trials of one setting: whether each pair of seeds is among them, bool `[P]`."""

    setting: Setting
    done: np.ndarray


@dataclass(frozen=True)
class Together:
    """The products of strategies that have results in the same trials, with their numbers.

    Those for which the influences of a trial are not known have no number: they are `unknown`.
    """

    products: Products
    numbers: Mapping[str, int]
    unknown: frozenset[str]

    def has(self, strategies: set[str]) -> bool:
        """Whether all of these strategies were looked at."""
        return all(name in self.numbers or name in self.unknown for name in strategies)


def prepare(found: Sequence[Setting], strategy: str, metric: str) -> None:
    """Read the influences of each group of settings once, where a strategy has results in the same splits.

    What `crossed` is then asked for in these trials, of one setting or of the whole group, is known.
    """
    groups: dict[int, list[Setting]] = defaultdict(list)
    for setting in found:
        groups[setting.group].append(setting)
    for group in groups.values():
        have = [each for each in group if strategy in each.entries and each.splits.drawn]
        trials = [Trials(each, np.isfinite(each.entries[strategy].values(metric))) for each in have]
        seeds = {tuple(np.unique(setting.pairs[done, 0]).tolist()) for setting, done in trials}
        if len(trials) > 1 and len(seeds) == 1 and seeds != {()}:
            _look_at(trials, [_with_just(each, metric) for each in trials], metric)


def crossed(
    trials: Sequence[Trials], sums: Sequence[Mapping[str, float]], metric: str
) -> list[Crossed | None]:
    """The parts of the variance of sums of the results of strategies, each times a weight, by split.

    The results are summed over strategies and settings. The trials have the same split seeds in each setting,
    and all of the strategies have a result in all of them. None where the influences are not known.
    """
    if any(not setting.splits.drawn for setting, _ in trials):
        return [None] * len(sums)
    asked = {name for each in sums for name in each}
    found = next((each for each in _known(trials, metric) if each.has(asked)), None)
    found = found or _look_at(trials, [sorted(asked)] * len(trials), metric)
    known = [each for each in sums if not found.unknown.intersection(each)]
    numbered = [{found.numbers[name]: weight for name, weight in each.items()} for each in known]
    made = iter(found.products.crossed(numbered) if numbered else ())
    return [None if found.unknown.intersection(each) else next(made) for each in sums]


def _known(trials: Sequence[Trials], metric: str) -> list[Together]:
    """What is already known about these trials."""
    key = metric, *((setting.task, setting.recipe, done.tobytes()) for setting, done in trials)
    return trials[0].setting.crossings.setdefault(key, [])


def _look_at(trials: Sequence[Trials], names: Sequence[Sequence[str]], metric: str) -> Together:
    """Find out about strategies that have a result in all of the trials of each setting, all together.

    What is found out about each of several settings is kept, too.
    """
    common = [name for name in names[0] if all(name in own for own in names)]
    rows = [[own.index(name) for name in common] for own in names]
    whole = _Reading(common, _samples(trials))
    several = trials if len(trials) > 1 else ()
    singles = [_Reading(own, _samples([each])) for each, own in zip(several, names, strict=False)]
    for ids, values in _by_split(trials, names, metric):
        parts = [influences[some] for influences, some in zip(values, rows, strict=True)]
        whole.add(np.concatenate(ids), np.concatenate(parts, axis=1))
        for single, own, influences in zip(singles, ids, values, strict=False):
            single.add(own, influences)
    for single, each in zip(singles, several, strict=True):
        _known([each], metric).append(single.together())
    _known(trials, metric).append(whole.together())
    return _known(trials, metric)[-1]


class _Reading:
    """The products of strategies, and for which of them all influences are known, while splits are read."""

    def __init__(self, names: Sequence[str], samples: int) -> None:
        self._names = names
        self._known = np.ones(len(names), dtype=bool)
        self._products = Products(len(names), samples)

    def add(self, ids: np.ndarray, influences: np.ndarray) -> None:
        """Add a split; influences `[K, M]` are NaN where they are not known."""
        self._known &= np.isfinite(influences).all(1)
        if not self._known.all():
            influences = np.where(self._known[:, None], influences, 0.0)
        self._products.add(ids, influences)

    def together(self) -> Together:
        """What was found out."""
        numbers = {name: number for number, name in enumerate(self._names) if self._known[number]}
        return Together(self._products, numbers, frozenset(self._names) - numbers.keys())


def _samples(trials: Sequence[Trials]) -> int:
    """The number of different ids that test samples of some settings may have."""
    places = [ids for setting, _ in trials for ids in setting.splits.places.values()]
    return 1 + max(int(ids.max(initial=0)) for ids in places)


def _with_just(trials: Trials, metric: str) -> list[str]:
    """The strategies with a result in just these trials."""
    setting, done = trials
    just = (np.isfinite(setting.values(metric)[:-1]) == done).all(1)
    return [name for name, each in zip(setting.entries, just.tolist(), strict=True) if each]


def _by_split(
    trials: Sequence[Trials], names: Sequence[Sequence[str]], metric: str
) -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
    """For each split, the ids `[M]` of its test samples and their influences `[K, M]` in each setting.

    The influences on the mean over the init seeds of a split are the means of those on its trials. They are
    NaN for a strategy for which they are not known.
    """
    keys = [_keys(*each) for each in zip(trials, names, strict=True)]
    seeds, evidence = list(keys[0]), trials[0].setting.columns.evidence
    step = max(1, _KEYS_AT_ONCE * len(seeds) // sum(some.size for each in keys for some in each.values()))
    for first in range(0, len(seeds), step):
        some = seeds[first : first + step]
        wanted = [key for each in keys for seed in some for key in each[seed].ravel().tolist()]
        found = evidence.influences(metric, [key.decode() for key in wanted])
        for seed in some:
            ids = [each.setting.splits.places[seed] for each in trials]
            values = [_mean(found, each[seed], len(own)) for each, own in zip(keys, ids, strict=True)]
            yield ids, values


def _keys(trials: Trials, names: Sequence[str]) -> dict[int, np.ndarray]:
    """The keys of each split's trials, bytes `[K, I]` for I init seeds, by split seed."""
    setting, done = trials
    rows = np.stack([setting.entries[name].rows[done] for name in names])
    seeds = setting.pairs[done, 0]
    first = np.flatnonzero(np.diff(seeds, prepend=-1))
    parts = np.split(setting.columns.key[rows], first[1:], axis=1)
    return dict(zip(seeds[first].tolist(), parts, strict=True))


def _mean(found: Mapping[str, np.ndarray], keys: np.ndarray, samples: int) -> np.ndarray:
    """The mean influences over init seeds, `[K, M]`; NaN where those of a trial are not known."""
    unknown = np.full(samples, np.nan)
    arrays = [found.get(key.decode(), unknown) for key in keys.ravel().tolist()]
    whole = np.array([each if len(each) == samples else unknown for each in arrays], dtype=np.float64)
    mean: np.ndarray = whole.reshape(*keys.shape, samples).mean(1) if keys.shape[1] > 1 else whole
    return mean
