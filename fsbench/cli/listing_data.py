"""The sections of `fsbench list` about data: datasets, suites and tasks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fsbench.cli.output import joined_facts, said_origin, say, table
from fsbench.datasets.about import About
from fsbench.datasets.known import (
    DATASETS,
    about,
    dataset_arguments,
    dataset_info,
    dataset_names,
    download_size,
    is_available,
)
from fsbench.errors import DataError, FsbenchError
from fsbench.executors.local import default_workers
from fsbench.tasks.expressions import parse_tasks, task_labels
from fsbench.tasks.suites import SUITES, Suite, load_suite, missing_datasets, suite_names
from fsbench.words import plural, roughly

if TYPE_CHECKING:
    from rich.console import RenderableType


def datasets() -> RenderableType:
    """Every dataset: whether it is on this machine, its classes, download size, licence and arguments."""
    from rich.console import Group
    from rich.text import Text

    collections: dict[str, list[str]] = {}
    for name in dataset_names():
        collections.setdefault(DATASETS[name].collection, []).append(name)
    alone = [about(name) for name in collections.pop("", [])]
    rows = [(each.name, _whether_here(each.name), each.description, _facts(each)) for each in alone]
    lines = [_collection(*each) for each in collections.items()]
    return Group(
        table(("dataset", "here", "what it is"), rows),
        *(
            Text(text, style)
            for heading, names in lines
            for text, style in ((f"\n{heading}", ""), (names, "dim"))
        ),
    )


def _collection(title: str, names: Sequence[str]) -> tuple[str, str]:
    """One description for all datasets of a collection, and their names."""
    first = about(names[0])
    brought = "installed" if is_available(names[0]) else f"not here: {DATASETS[names[0]].install}"
    facts = joined_facts(
        [f"{first.kind} data", brought, f"licence: {first.licence}", said_origin(DATASETS.origin(names[0]))]
    )
    return f"{plural(len(names), 'dataset')} of {title} ({facts}):", ", ".join(names)


def _whether_here(name: str) -> str:

    try:
        if not is_available(name):
            return "no"
        dataset_info(name)
    except DataError:
        return "damaged"
    return "yes"


def _facts(known: About) -> str:
    """What is known of a dataset: its size, its download size, its licence and its arguments."""
    facts = [f"{known.kind}, {known.num_classes} classes"]
    if _whether_here(known.name) == "yes":
        info = dataset_info(known.name)
        facts = [f"{info.n} samples of {'x'.join(map(str, info.shape))}, {info.num_classes} classes"]
    elif known.download is not None:
        facts.append(f"{known.download} MB to download")
    facts.append(f"licence: {known.licence}")
    facts += [f"{key}={str(value).lower()}" for key, value in dataset_arguments(known.name).items()]
    return joined_facts([*facts, said_origin(DATASETS.origin(known.name))])


def suites() -> RenderableType:
    """Every suite with its size, an estimate of its time on this machine, and what is missing."""
    from rich.console import Group
    from rich.text import Text

    from fsbench.cli.estimate import suite_seconds

    rows = []
    for suite in _readable_suites():
        seconds = suite_seconds(suite)
        time = "-" if seconds is None else roughly(seconds)
        size = f"{len(suite.tasks)} x {suite.split_seeds}"
        facts = [*_lacks(suite), *filter(None, [said_origin(SUITES.origin(suite.name))])]
        rows.append((suite.name, size, time, suite.description, "\n".join(facts)))
    notes = (
        f"time: an estimate for erm alone on the {default_workers('cpu')} cores of this machine; every "
        "other strategy adds to it, and a GPU is faster",
        "unchecked: no fingerprint of these splits is published yet, so they cannot be checked",
    )
    listed = table(("suite", "tasks x seeds", "time", "what it is for"), rows)
    return Group(listed, *(Text(note, style="dim") for note in notes))


def _readable_suites() -> Iterator[Suite]:
    """Every suite that can be read; one line on stderr for each other."""
    for name in suite_names():
        try:
            yield load_suite(name)
        except FsbenchError as error:
            origin = SUITES.origin(name)
            say(f"warning: suite {name}{f' of {origin.distribution}' if origin else ''}: {error}")


def _lacks(suite: Suite) -> Iterator[str]:
    """The missing data of a suite, and how many of its tasks have no published fingerprints."""
    total, missing = len(suite.tasks), suite.missing()
    if missing:
        sets = {name: DATASETS[name] for name in missing if name in DATASETS and DATASETS[name].collection}
        sizes = {name: download_size(name) or 0 for name in missing if name not in sets}
        shown = [f"{name} ({size} MB)" for name, size in sizes.items()]
        if len(shown) > 4:
            shown = [*shown[:2], f"{len(shown) - 2} more ({sum(list(sizes.values())[2:])} MB)"]
        for title, install in dict.fromkeys((each.collection, each.install) for each in sets.values()):
            count = sum(each.collection == title for each in sets.values())
            shown.append(f"{plural(count, 'dataset')} of {title} ({install})")
        yield f"not here: {', '.join(shown)}: {total - len(suite.left_out())} of {total} tasks can run"
    if unpublished := len(suite.unpublished()):
        yield f"unchecked: {unpublished} of {total} tasks"


def tasks() -> RenderableType:
    """The tasks of every suite, grouped by the information that they offer."""
    rows = []
    for suite in _readable_suites():
        for offer, texts in itertools.groupby(suite.tasks, _offer):
            rows.append(("\n".join(map(_with_labels, texts)), f"{suite.name}: {offer}"))
    return table(("task",), rows)


def _with_labels(text: str) -> str:

    labels = task_labels(text)
    return f"{text}: {labels}" if labels else text


def _offer(text: str) -> str:

    if absent := missing_datasets(text):
        return f"{', '.join(absent)} not here"
    (task,) = parse_tasks(text)
    info = task.info
    given = [info.kind, f"{info.num_classes} classes"]
    given += ["source data"] if info.has_source else []
    given += ["unlabeled data"] if info.num_unlabeled else []
    return ", ".join(given)
