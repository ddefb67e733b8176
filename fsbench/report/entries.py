"""Records sorted by task and strategy, and checked to be comparable."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fsbench.columns import STATUSES, Columns, Shared
from fsbench.composition import BASELINE
from fsbench.datasets.known import family
from fsbench.errors import StoreError
from fsbench.metrics import assumed_resolution
from fsbench.record import Status
from fsbench.report.names import apart, identity, strategy_names
from fsbench.report.splits import Splits, splits_of
from fsbench.tasks.expressions import names_of_data


@dataclass(frozen=True)
class Entry:
    """The records of one strategy in one setting. `strategy` is its name in the table.

    `rows [P]` has, for each pair of seeds of the setting, the number of the record among `columns`, or -1 if
    there is none. All arrays of an entry are `[P]` and float64.
    """

    strategy: str
    full_spec: str
    columns: Columns
    rows: np.ndarray
    _values: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def ok(self) -> np.ndarray:
        """Whether the trials succeeded, bool `[P]`."""
        return self._has("ok")

    @property
    def failed(self) -> np.ndarray:
        """Whether the trials failed, bool `[P]`."""
        return self._has("failed")

    @cached_property
    def shared(self) -> list[Shared]:
        """What its records share, each combination once, in the order of the seeds."""
        return [shared for shared, *_ in self._combinations(self.rows >= 0)]

    @property
    def uses(self) -> set[str]:
        """What the strategy uses beyond the few labels."""
        return {use for shared in self.shared for use in shared.uses}

    def values(self, metric: str) -> np.ndarray:
        """The finite values of a metric in the successful trials, NaN elsewhere."""
        if metric not in self._values:
            found = self._of(self.columns.values[metric])
            self._values[metric] = np.where(np.isfinite(found), found, np.nan)
            self._values[metric].flags.writeable = False
        return self._values[metric]

    def numbers(self, name: str) -> np.ndarray:
        """A number of the successful trials by its name in the records, NaN elsewhere."""
        return self._of(self.columns.numbers[name])

    def resolution(self, metric: str) -> np.ndarray:
        """The effect of one decision on the test part on a metric in the successful trials, NaN elsewhere."""
        known, samples = self._of(self.columns.resolution[metric]), self.numbers("n_test")
        unknown = self.ok & ~(np.abs(known) > 0)
        known[unknown] = [assumed_resolution(metric, int(n)) for n in samples[unknown]]
        return known

    @property
    def seconds(self) -> np.ndarray:
        """Seconds of fit and predict of the successful trials, NaN elsewhere."""
        total: np.ndarray = self.numbers("seconds_fit") + self.numbers("seconds_predict")
        return total

    def cost(self, other: Entry) -> np.ndarray:
        """Its seconds over those of another entry; NaN for trials that did not run on the same device."""
        theirs = other.seconds
        like = (theirs > 0) & (self._devices == other._devices)
        ratios: np.ndarray = np.divide(self.seconds, theirs, out=np.full(len(theirs), np.nan), where=like)
        return ratios

    @property
    def _devices(self) -> np.ndarray:
        found: np.ndarray = self.columns.devices[self.columns.code[self.rows]]
        return found

    @cached_property
    def _counts(self) -> list[int]:
        codes = self.columns.status[self.rows[self.rows >= 0]]
        counts: list[int] = np.bincount(codes, minlength=len(STATUSES)).tolist()
        return counts

    def count(self, status: Status) -> int:
        """How many trials have a status."""
        return self._counts[STATUSES.index(status)]

    def with_status(self, status: Status) -> list[tuple[Shared, int, tuple[str, int]]]:
        """What the records of a status share, with their number, in the order of the seeds.

        The last value is when the newest of these records was created, and the largest split seed.
        """
        return self._combinations(self._has(status))

    def _combinations(self, which: np.ndarray) -> list[tuple[Shared, int, tuple[str, int]]]:
        rows = self.rows[which]
        if not len(rows):
            return []
        codes = self.columns.code[rows]
        unique, first, counts = np.unique(codes, return_index=True, return_counts=True)
        found = []
        for place in np.argsort(first):
            code = unique[place]
            seed = int(self.columns.split_seed[rows[codes == code]].max())
            found.append((self.columns.shared[code], int(counts[place]), (self.columns.latest[code], seed)))
        return found

    def _has(self, status: Status) -> np.ndarray:
        """Whether the trials have a status, bool `[P]`."""
        found: np.ndarray = self.columns.status[self.rows] == STATUSES.index(status)
        return found & (self.rows >= 0)

    def _of(self, column: np.ndarray) -> np.ndarray:
        """A column `[N]` at the successful trials, NaN elsewhere."""
        return np.where(self.ok, column[self.rows], np.nan)


@dataclass
class Setting:
    """A task under one recipe, within which strategies can be compared.

    `pairs [P, 2]` are the seeds of a complete entry, of the split and of the initialisation: all with which
    any strategy has been tried here, in ascending order. `tuned` says whether its results are those after a
    search. Settings with a common dataset have the same number `group`. `crossings` keeps what
    `report.crossings` computed.
    """

    task: str
    recipe: str
    columns: Columns
    pairs: np.ndarray
    tuned: bool = False
    label: str = ""
    group: int = 0
    splits: Splits = field(default_factory=Splits)
    entries: dict[str, Entry] = field(default_factory=dict)
    crossings: dict[Hashable, list[Any]] = field(default_factory=dict)
    _resolutions: dict[str, float] = field(default_factory=dict)
    _coverages: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=dict)
    _values: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def labels_ratio(self) -> float:
        """The labels of the target that strategies are trained on, over those of its training part.

        After a search these include the validation part; NaN if its size is unknown.
        """
        return self.splits.joined if self.tuned else 1.0

    @cached_property
    def baseline(self) -> Entry:
        """The baseline under the same recipe; without records where it was not run."""
        nothing = Entry(BASELINE, "", self.columns, np.full(len(self.pairs), -1))
        return self.entries.get(BASELINE, nothing)

    def resolution(self, metric: str) -> float:
        """The most that one decision on the test part of any split changes a metric."""
        if metric not in self._resolutions:
            arrays = (entry.resolution(metric) for entry in self.entries.values())
            self._resolutions[metric] = _largest(arrays)
        return self._resolutions[metric]

    def undefined(self, entry: Entry, metric: str) -> int:
        """The number of an entry's successful trials without a value of a metric that another entry has."""
        return self._coverage(metric).get(entry.strategy, (0, False))[0]

    def lacks(self, entry: Entry, metric: str) -> bool:
        """Whether trials of an entry failed, or have no value of a metric although others have one."""
        return entry.count("failed") > 0 or self.undefined(entry, metric) > 0

    def is_complete(self, strategy: str, metric: str) -> bool:
        """Whether a strategy has a value of a metric in every trial.

        Where no strategy has one, a successful trial is enough; but there is a value in some trial.
        """
        return self._coverage(metric).get(strategy, (0, False))[1]

    def _coverage(self, metric: str) -> dict[str, tuple[int, bool]]:
        """What `undefined` and `is_complete` say of each strategy."""
        if metric not in self._coverages:
            known = np.isfinite(self.values(metric)[:-1])
            ok, anywhere = np.stack([each.ok for each in self.entries.values()]), known.any(0)
            undefined = (ok & ~known & anywhere).sum(1).tolist()
            complete = known.any(1) & np.where(anywhere, known, ok).all(1)
            both = zip(undefined, complete.tolist(), strict=True)
            self._coverages[metric] = dict(zip(self.entries, both, strict=True))
        return self._coverages[metric]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each strategy among the entries."""
        return {name: number for number, name in enumerate(self.entries)}

    def values(self, metric: str) -> np.ndarray:
        """The values of a metric of all entries, `[S + 1, P]`; the last row, for no entry, is NaN."""
        if metric not in self._values:
            nothing = np.full(len(self.pairs), np.nan)
            self._values[metric] = np.stack([*(e.values(metric) for e in self.entries.values()), nothing])
        return self._values[metric]

    @cached_property
    def overlap(self) -> float:
        """The largest ratio of test to training samples where splits share most samples; otherwise 0."""
        return _largest(entry.numbers("overlap") for entry in self.entries.values())

    @property
    def fingerprints(self) -> dict[int, str]:
        """The fingerprints of its splits by split seed, of those that have a result."""
        found = {}
        for entry in self.entries.values():
            for place in np.flatnonzero(entry.ok):
                row = entry.rows[place]
                found[int(self.pairs[place, 0])] = self.columns.fingerprints[self.columns.split[row]]
        return dict(sorted(found.items()))


def settings(columns: Columns) -> list[Setting]:
    """The settings of some records, in the natural order of their labels (k=5 before k=20).

    Raises StoreError where records must not be mixed: two of one trial, or two different splits
    under one task and split seed.
    """
    _check_splits(columns)
    names = strategy_names(columns.shared)
    places: dict[tuple[str, str], int] = {}
    place_of = [places.setdefault((s.task, s.recipe), len(places)) for s in columns.shared]
    place = np.array(place_of, dtype=np.int64)[columns.code]
    # One sort brings the records of each setting together, in the order of their seeds.
    order = np.lexsort((columns.init_seed, columns.split_seed, place))
    bounds = np.searchsorted(place[order], np.arange(len(places) + 1))
    found = [
        _setting(task, recipe, columns, order[begin:end], names)
        for (task, recipe), begin, end in zip(places, bounds, bounds[1:], strict=False)
    ]
    _label(found)
    ordered = sorted(found, key=lambda setting: natural(setting.label))
    for setting, group in zip(ordered, _groups([s.task for s in ordered]), strict=True):
        setting.group = group
    if columns.evidence.drawn:
        for group in {setting.group for setting in ordered}:
            members = [setting for setting in ordered if setting.group == group]
            known = [(setting.fingerprints, setting.tuned) for setting in members]
            for setting, splits in zip(members, splits_of(known, columns.evidence), strict=True):
                setting.splits = splits
    return ordered


def _setting(task: str, recipe: str, columns: Columns, rows: np.ndarray, names: Mapping[str, str]) -> Setting:
    """A setting from the numbers of its records, sorted by seeds."""
    seeds = np.stack([columns.split_seed[rows], columns.init_seed[rows]], axis=1)
    new = np.any(np.diff(seeds, axis=0, prepend=-1), axis=1)
    pair, code = np.cumsum(new) - 1, columns.code[rows]
    tuned = any(columns.shared[c].tuning for c in np.unique(code))
    setting = Setting(task, recipe, columns, seeds[new], tuned)
    # Several combinations can belong to one strategy, such as those of two devices.
    identities = {int(c): identity(columns.shared[c]) for c in np.unique(code)}
    number = {full: i for i, full in enumerate(dict.fromkeys(identities.values()))}
    table = np.full((len(number), len(setting.pairs)), -1)
    strategy = np.zeros(len(columns.shared), dtype=np.int64)
    strategy[list(identities)] = [number[full] for full in identities.values()]
    table[strategy[code], pair] = rows
    if (table >= 0).sum() < len(rows):
        _refuse_twins(columns, rows, names)
    for full, i in number.items():
        setting.entries[names[full]] = Entry(names[full], full, columns, table[i])
    return setting


def _refuse_twins(columns: Columns, rows: np.ndarray, names: Mapping[str, str]) -> None:
    """Raise StoreError about the first two records of one trial."""
    seen = set()
    for row in np.sort(rows):
        shared = columns.shared[columns.code[row]]
        trial = names[identity(shared)], int(columns.split_seed[row]), int(columns.init_seed[row])
        if trial in seen:
            raise StoreError(
                f"two records of {trial[0]} on {shared.task}, split seed {trial[1]}, init seed {trial[2]}; "
                "make one table per results folder and version of a strategy"
            )
        seen.add(trial)


def _largest(arrays: Iterable[np.ndarray]) -> float:
    """The largest number that is known; 0 if none is."""
    return max((float(np.nanmax(array)) for array in arrays if not np.isnan(array).all()), default=0.0)


def _check_splits(columns: Columns) -> None:
    """Raise StoreError if there are different splits under one task and split seed."""
    known: dict[tuple[str, int], str] = {}
    for shared, seed, found in columns.splits():
        if found and known.setdefault((shared.task, seed), found) != found:
            raise StoreError(
                f"records of {shared.task}, split seed {seed}, are about different data (splits "
                f"{known[shared.task, seed][:12]} and {found[:12]}) and cannot be mixed: make a table of "
                "each alone"
            )


def natural(text: str) -> list[str | int]:
    """A sorting key under which k=5 comes before k=20."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _label(found: Iterable[Setting]) -> None:
    """Name each setting by its task and, where a task has several recipes, by how they differ."""
    by_task: dict[str, list[Setting]] = defaultdict(list)
    for setting in found:
        by_task[setting.task].append(setting)
    for task, several in by_task.items():
        differing = apart([setting.recipe for setting in several])
        for setting in several:
            setting.label = task + differing[setting.recipe]


def _groups(tasks: Sequence[str]) -> list[int]:
    """A number for each task; tasks with data of one family, directly or through other tasks, share one."""
    names = [{family(name) for name in names_of_data(task)} for task in tasks]
    groups = list(range(len(tasks)))
    for i in range(len(tasks)):
        for j in range(i):
            if tasks[i] == tasks[j] or names[i] & names[j]:
                groups = [groups[j] if group == groups[i] else group for group in groups]
    return groups
