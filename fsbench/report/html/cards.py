"""Cards of tasks, data, recipes and strategies, and where the results come from."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.columns import Columns
from fsbench.datasets.known import about, load_dataset
from fsbench.errors import FsbenchError, UnknownName
from fsbench.evidence import Drawn, Evidence
from fsbench.report import text
from fsbench.report.data import data_info
from fsbench.report.entries import Setting, natural
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.names import identity, strategy_names
from fsbench.spec import format_value, parse_call
from fsbench.tasks.expressions import dataset_texts, task_arguments, task_labels
from fsbench.types import DatasetInfo
from fsbench.words import plural

Facts = tuple[tuple[str, str], ...]
_SHOWN_CLASSES = 12
_PRINT = 16
_COUNTED = 250_000


@dataclass(frozen=True)
class Card:
    """A card: its name, a line about it, facts as pairs of a term and a text, and whether it is open."""

    name: str
    about: str
    facts: Facts
    open: bool = False


@dataclass(frozen=True)
class Cards:
    """Cards of one kind."""

    title: str
    cards: tuple[Card, ...]


def cards(boards: Sequence[Leaderboard]) -> list[Cards]:
    """The cards of tasks, of their data, and of their recipes."""
    settings = {setting.label: setting for board in boards for setting in board.settings}
    found = list(settings.values())
    data = {name: setting.columns.evidence for setting in found for name in dataset_texts(setting.task)}
    return [
        Cards("Tasks", tuple(map(_task, found))),
        Cards("Data", tuple(_data(name, data[name]) for name in sorted(data, key=natural))),
        Cards("Recipes", tuple(_recipes(found))),
    ]


def provenance(columns: Columns, boards: Sequence[Leaderboard]) -> list[Cards]:
    """Versions, hardware, dates, fingerprints, and what exactly ran under the name of each strategy."""
    shared = columns.shared
    versions: dict[str, set[str]] = defaultdict(set)
    for each in shared:
        for package, version in each.versions:
            versions[package].add(version)
    devices = sorted({each.device for each in shared if each.device})
    facts = [
        ("records", f"{len(columns):,}"),
        *_dates(columns),
        ("hardware", ", ".join(devices) or "unknown"),
        *((package, " and ".join(sorted(found))) for package, found in sorted(versions.items())),
    ]
    splits = {setting.label: setting.fingerprints for board in boards for setting in board.settings}
    number = plural(len({each for found in splits.values() for each in found.values()}), "split")
    prints = tuple((label, _fingerprints(found)) for label, found in splits.items())
    return [
        Cards(
            "Computed with",
            (
                Card("results", "versions, hardware and dates", tuple(facts), open=True),
                Card("fingerprints", f"the data of {number}, by split seed", prints),
            ),
        ),
        Cards("Strategies as they ran", tuple(_strategies(columns))),
    ]


def _dates(columns: Columns) -> Iterator[tuple[str, str]]:
    """When the results were computed and, of a published file, by whom."""
    published = columns.evidence.provenance
    by = ", ".join(dict.fromkeys(each.by for each in published if each.by))
    oldest = min((each.first for each in published if each.first), default="")
    newest = max((*columns.latest, *(each.last for each in published)), default="")
    if by:
        yield "published by", by
    if oldest:
        yield "oldest result", oldest
    yield "newest result", newest or "unknown"


def _task(setting: Setting) -> Card:
    arguments = task_arguments(setting.task)
    facts = [(name.replace("_", " "), format_value(value)) for name, value in arguments.items()]
    seeds = sorted({int(seed) for seed in setting.pairs[:, 0]})
    facts.append(("split seeds", str(len(seeds))))
    drawn = setting.columns.evidence.drawn
    first = next((drawn[each] for each in setting.fingerprints.values() if each in drawn), None)
    if first is not None:
        facts += _sizes(first)
    facts.append(("recipe", setting.recipe))
    return Card(setting.label, task_labels(setting.task), tuple(facts))


def _sizes(drawn: Drawn) -> Iterator[tuple[str, str]]:
    cells = len(drawn.test)
    each = f" in each of {cells} episodes" if cells > 1 else ""
    for name, ids in (("training", drawn.train), ("validation", drawn.val), ("test", drawn.test)):
        yield f"{name} samples", f"{ids.shape[-1]:,}{each}"
    for name, ids in (("unlabelled", drawn.unlabeled), ("source", drawn.source)):
        if ids.size:
            yield f"{name} samples", f"{ids.size:,}"


def _data(name: str, evidence: Evidence) -> Card:
    info = data_info(name, evidence)
    return Card(name, info.description, tuple(_data_facts(info))) if info else _absent(name)


def _absent(name: str) -> Card:
    """What is known about data that is not on this machine."""
    try:
        found = about(parse_call(name).name)
    except FsbenchError:
        return Card(name, "not known on this machine", ())
    facts = (("kind", found.kind), ("licence", found.licence), ("citation", found.citation))
    return Card(name, found.description, facts)


def _data_facts(info: DatasetInfo) -> Iterator[tuple[str, str]]:
    yield "kind", info.kind
    yield "samples", f"{info.n:,}, each {' × '.join(map(str, info.shape))}"
    pairs = [f"{name} ({count:,})" for name, count in zip(info.classes, info.class_counts, strict=True)]
    more = f" and {len(pairs) - _SHOWN_CLASSES} more" if len(pairs) > _SHOWN_CLASSES else ""
    yield "classes", f"{info.num_classes}: {', '.join(pairs[:_SHOWN_CLASSES])}{more}"
    if info.num_unlabeled:
        yield "unlabelled", f"{info.num_unlabeled:,}"
    yield "groups", "samples that belong together stay on one side" if info.grouped else "none"
    yield "duplicates", _duplicates(info)
    yield "licence", info.licence
    yield "citation", info.citation


def _duplicates(info: DatasetInfo) -> str:
    """How many samples equal an earlier one; only counted where that takes no time."""
    if info.n * math.prod(info.shape) > _COUNTED:
        return f"not counted in data of more than {_COUNTED:,} numbers"
    try:
        data = load_dataset(info.text)
    except UnknownName:
        return "unknown: results do not contain the data itself"
    except FsbenchError as error:
        return f"unknown: {error}"
    if data.info != info:
        return "unknown: other data has this name now"
    rows = data.x.reshape(info.n, -1)
    equal = info.n - len(np.unique(rows, axis=0))
    return f"{equal:,} of {info.n:,} samples equal another one" if equal else "no two samples are equal"


def _recipes(settings: Iterable[Setting]) -> Iterator[Card]:
    tasks: dict[str, list[str]] = defaultdict(list)
    for setting in settings:
        tasks[setting.recipe].append(setting.label)
    for recipe, labels in tasks.items():
        arguments = parse_call(recipe).keywords if recipe else {}
        facts = [(name.replace("_", " "), format_value(value)) for name, value in arguments.items()]
        backbone = format_value(arguments.get("backbone", "unknown"))
        yield Card(backbone, plural(len(labels), "task"), (*facts, ("tasks", "; ".join(labels))))


def _fingerprints(found: dict[int, str]) -> str:
    return ", ".join(f"{seed}: {fingerprint[:_PRINT]}" for seed, fingerprint in found.items())


def _strategies(columns: Columns) -> Iterator[Card]:
    names = strategy_names(columns.shared)
    counts = np.bincount(columns.code, minlength=len(columns.shared))
    trials: dict[str, int] = defaultdict(int)
    uses: dict[str, tuple[str, ...]] = {}
    for shared, count in zip(columns.shared, counts.tolist(), strict=True):
        trials[identity(shared)] += count
        uses[identity(shared)] = shared.uses
    for full in sorted(trials, key=lambda each: natural(names[each])):
        facts = (("full text", full), ("uses", text.used(uses[full]) or "only the labels"))
        yield Card(names[full], plural(trials[full], "trial"), facts)
