"""What a run is asked for: its arguments checked, its tasks named, data of the user's own read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fsbench.errors import DataError, FsbenchError, StoreError, UsageError
from fsbench.spec import as_call, parse_call
from fsbench.types import Record

if TYPE_CHECKING:
    from fsbench.own import OwnData
    from fsbench.progress import Observer
    from fsbench.tasks.suites import Suite

DEFAULT_SUITE = "starter-v1"
OWN_SEEDS = 5


def joined(texts: str | Sequence[str]) -> str:
    """Expressions given one by one as the one text that they would be on the command line."""
    return texts if isinstance(texts, str) else ", ".join(texts)


def choose_tasks(suite: str | None, tasks: str | None) -> Suite:
    """The suite of a name (starter-v1 by default), or the tasks of a text. Raises UsageError for both."""
    from fsbench.tasks.suites import ad_hoc, load_suite

    if suite is not None and tasks is not None:
        raise UsageError("a suite and tasks are both given; give one of them")
    return load_suite(suite or DEFAULT_SUITE) if tasks is None else ad_hoc(tasks)


def read_data(data: str | Path | OwnData, suite: str | None, observer: Observer) -> str:
    """Read data of the user's own and register them; returns their name. The observer is told of it.

    Raises UsageError where a suite is given as well, and what `read_own` raises.
    """
    from fsbench.own import OwnData, read_own

    if suite is not None:
        raise UsageError("a suite has data of its own; give data, or a suite, or data and tasks on them")
    wanted = data if isinstance(data, OwnData) else OwnData(data)
    reading = read_own(wanted, observer.reading)
    observer.read(reading.facts, reading.warnings)
    return reading.register()


def own_tasks(name: str, tasks: str | None) -> Suite:
    """The tasks of a run on own data: those of a text, or `holdout(NAME)`, at five split seeds.

    Raises UsageError for tasks none of which is about the data.
    """
    from fsbench.tasks.suites import ad_hoc

    suite = ad_hoc(tasks or f"holdout({name})")
    if not any(name in _datasets(task) for task in suite.tasks):
        raise UsageError(
            f"no task is about the data that are given, whose name here is {name}; write kshot({name}, k=5), "
            "say, or leave the data out"
        )
    return replace(suite, split_seeds=OWN_SEEDS)


def check_stored(records: Iterable[Record], name: str, folder: Path) -> None:
    """Raise StoreError if stored results of data under a name are about other data than are there now.

    A name is the last part of a path only, so every stored task on it is drawn again and compared.
    """
    from fsbench.tasks.expressions import parse_tasks
    from fsbench.tasks.splits import draw_split

    stored = {r.task: r for r in records if r.split_fingerprint and name in _datasets(r.task)}
    for text, record in stored.items():
        try:
            (task,) = parse_tasks(text)
            drawn = draw_split(task, record.split_seed).fingerprint
        except FsbenchError:  # other data may not even allow the task
            drawn = ""
        if drawn != record.split_fingerprint:
            raise StoreError(
                f"{folder} holds results of {text} on other data of that name, or read with other options; "
                "they do not mix: name another folder with --results"
            )


def check_splits(records: Iterable[Record], suite: Suite, place: Path) -> None:
    """Raise StoreError if a record that `place` holds is of another split than the suite names."""
    for record in records:
        if record.split_fingerprint or record.status == "ok":
            try:
                suite.check(record.task, record.split_seed, record.split_fingerprint)
            except DataError as error:
                raise StoreError(
                    f"{place} holds a record of {record.spec} on other data than {error}"
                ) from None


def _datasets(task: str) -> set[str]:
    call = parse_call(task)
    named = [*call.args, call.keywords.get("source")]
    return {as_call(value).name for value in named if value is not None}


def seed_list(name: str, seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Seeds given as a number of them, or one by one. Raises UsageError."""
    found = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not found or any(seed < 0 for seed in found):
        raise UsageError(f"{name}={seeds}: expected a number of at least 1, or seeds of at least 0")
    if len(set(found)) < len(found):
        raise UsageError(f"{name}={seeds}: a seed is named twice")
    return found


def check_positive(**values: float | None) -> None:
    """Raise UsageError for a value that is not above zero."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise UsageError(f"{name}={value}: expected more than 0")
