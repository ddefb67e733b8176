"""Records sorted by task and strategy, and checked to be comparable."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fsbench.composition import BASELINE
from fsbench.errors import StoreError
from fsbench.metrics import assumed_resolution
from fsbench.report.names import identity, strategy_names
from fsbench.spec import Call, Value, format_value, parse_call
from fsbench.types import Record

Pair = tuple[int, int]
"""A split seed and an init seed."""


@dataclass
class Entry:
    """The records of one strategy in one setting, by seeds. `strategy` is its name in the table."""

    strategy: str
    full_spec: str = ""
    records: dict[Pair, Record] = field(default_factory=dict)

    @property
    def ok(self) -> list[Record]:
        """The records of the successful trials."""
        return [r for r in self.records.values() if r.status == "ok"]

    def values(self, metric: str) -> dict[Pair, float]:
        """The finite values of a metric in the successful trials."""
        found = {p: r.metrics.get(metric, math.nan) for p, r in self.records.items() if r.status == "ok"}
        return {pair: value for pair, value in found.items() if math.isfinite(value)}

    def count(self, status: str) -> int:
        """How many trials have a status."""
        return sum(r.status == status for r in self.records.values())

    @property
    def uses(self) -> set[str]:
        """What the strategy uses beyond the few labels."""
        return {use for r in self.records.values() for use in r.uses}

    @property
    def seconds(self) -> dict[Pair, float]:
        """Seconds of fit and predict of each successful trial."""
        return {p: r.seconds_fit + r.seconds_predict for p, r in self.records.items() if r.status == "ok"}


@dataclass
class Setting:
    """A task under one recipe, within which strategies can be compared.

    Settings with a common dataset have the same number `group`.
    """

    task: str
    recipe: str
    label: str = ""
    group: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def pairs(self) -> set[Pair]:
        """The seeds of a complete entry: all seeds with which any strategy has been tried here."""
        return {pair for entry in self.entries.values() for pair in entry.records}

    @property
    def baseline(self) -> Entry:
        """The baseline under the same recipe; without records where it was not run."""
        return self.entries.get(BASELINE, Entry(BASELINE))

    def resolution(self, metric: str) -> float:
        """The most that one decision on the test part of any split changes a metric."""
        records = [r for entry in self.entries.values() for r in entry.ok]
        return max(
            (r.resolution.get(metric) or assumed_resolution(metric, r.n_test) for r in records), default=0.0
        )

    @property
    def overlap(self) -> float:
        """The largest ratio of test to training samples where splits share most samples; otherwise 0."""
        return max((r.overlap for entry in self.entries.values() for r in entry.ok), default=0.0)


def settings(records: Iterable[Record]) -> list[Setting]:
    """The settings of some records, in the natural order of their labels (k=5 before k=20).

    Raises StoreError where records must not be mixed: two of one trial, or two different splits
    under one task and split seed.
    """
    records = list(records)
    names = strategy_names(records)
    found: dict[tuple[str, str], Setting] = {}
    prints: dict[tuple[str, int], str] = {}
    for record in records:
        _check_split(record, prints)
        setting = found.setdefault((record.task, record.recipe), Setting(record.task, record.recipe))
        name = names[identity(record)]
        entry = setting.entries.setdefault(name, Entry(name, identity(record)))
        pair = record.split_seed, record.init_seed
        if pair in entry.records:
            raise StoreError(
                f"two records of {name} on {record.task}, split seed {pair[0]}, init seed {pair[1]}; "
                "make one table per results folder and version of a strategy"
            )
        entry.records[pair] = record
    _label(found.values())
    ordered = sorted(found.values(), key=lambda setting: natural(setting.label))
    for setting, group in zip(ordered, _groups([s.task for s in ordered]), strict=True):
        setting.group = group
    return ordered


def by_split(values: dict[Pair, float]) -> dict[int, float]:
    """One value per split seed: the mean over its init seeds."""
    found = defaultdict(list)
    for (split_seed, _), value in sorted(values.items()):
        found[split_seed].append(value)
    return {seed: statistics.fmean(values) for seed, values in found.items()}


def natural(text: str) -> list[str | int]:
    """A sorting key under which k=5 comes before k=20."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _check_split(record: Record, prints: dict[tuple[str, int], str]) -> None:
    if not record.split_fingerprint:
        return
    known = prints.setdefault((record.task, record.split_seed), record.split_fingerprint)
    if known != record.split_fingerprint:
        raise StoreError(
            f"records of {record.task}, split seed {record.split_seed}, are about different data (splits "
            f"{known[:12]} and {record.split_fingerprint[:12]}) and cannot be mixed: make a table of each "
            "alone"
        )


def _label(found: Iterable[Setting]) -> None:
    """Name each setting by its task and, where a task has several recipes, by how they differ."""
    by_task: dict[str, list[Setting]] = defaultdict(list)
    for setting in found:
        by_task[setting.task].append(setting)
    for task, several in by_task.items():
        recipes = [parse_call(s.recipe).keywords if s.recipe else {} for s in several]
        names = sorted({name for recipe in recipes for name in recipe})
        special = [name for name in names if len({str(recipe.get(name)) for recipe in recipes}) > 1]
        for setting, recipe in zip(several, recipes, strict=True):
            shown = [f"{name}={format_value(recipe[name])}" for name in special if name in recipe]
            setting.label = f"{task} with {', '.join(shown)}" if shown else task


def _groups(tasks: Sequence[str]) -> list[int]:
    """A number for each task; tasks with data of one family, directly or through other tasks, share one."""
    from fsbench.datasets.known import family

    names = [{family(name) for name in _names(parse_call(task))} for task in tasks]
    groups = list(range(len(tasks)))
    for i in range(len(tasks)):
        for j in range(i):
            if tasks[i] == tasks[j] or names[i] & names[j]:
                groups = [groups[j] if group == groups[i] else group for group in groups]
    return groups


def _names(call: Call) -> Iterator[str]:
    """Every name among a task's arguments: its datasets, and a few other words, which do no harm."""
    for value in (*call.args, *call.keywords.values()):
        yield from _names_of(value)


def _names_of(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Call):
        yield value.name
        yield from _names(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _names_of(item)
