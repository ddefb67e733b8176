"""What a run is asked for: its arguments checked, its tasks named, data of the user's own read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from fsbench.composition import BASELINE, Composition
from fsbench.errors import UsageError
from fsbench.recipes.recipe import parse_overrides
from fsbench.registry import Registry
from fsbench.spec import Value
from fsbench.strategy import Strategy
from fsbench.tasks.expressions import Task, named_datasets
from fsbench.tasks.suites import Suite, ad_hoc, load_suite

if TYPE_CHECKING:
    from fsbench.own import OwnData
    from fsbench.progress import Observer

Strategies: TypeAlias = "str | Strategy | type[Strategy] | Sequence[str | Strategy | type[Strategy]]"
"""Strategies as `fsbench.run` takes them: specs, instances or classes, one or several."""

DEFAULT_SUITE = "starter-v1"
OWN_SEEDS = 5
DEFAULT_TIMEOUT = 300.0


@dataclass(frozen=True)
class Request:
    """What a run is asked for, read and checked.

    `suite` names all tasks, `tasks` are those that can run here. `compositions` holds the baseline first and
    nothing twice. `changes` are to every task's recipe, `timeout` is in seconds for each trial. `own` is the
    name of data of the user's own.
    """

    suite: Suite
    tasks: tuple[Task, ...]
    compositions: tuple[Composition, ...]
    split_seeds: tuple[int, ...]
    init_seeds: tuple[int, ...]
    changes: Mapping[str, Value]
    timeout: float
    own: str | None = None


def read_request(
    registry: Registry,
    observer: Observer,
    *,
    plugins: Strategies,
    suite: str | None,
    tasks: str | Sequence[str] | None,
    data: str | Path | OwnData | None,
    seeds: int | Sequence[int] | None,
    init_seeds: int | Sequence[int],
    recipe: str | Mapping[str, Value] | None,
    timeout: float | None,
    available: bool,
) -> Request:
    """The arguments of `fsbench.run`, which says what they are, read. The observer is told what is left out.

    Raises UsageError for what cannot be run, AbsentData for tasks whose data is not here.
    """
    check_positive(timeout=timeout)
    own = None if data is None else read_data(data, suite, observer)
    named = None if tasks is None else joined(tasks)
    chosen = choose_tasks(suite, named) if own is None else own_tasks(own, named)
    ready = chosen.parse(available)
    if left_out := chosen.left_out():
        observer.left_out(left_out, chosen.missing())
    compositions = {
        c.text: c for c in (*registry.parse(BASELINE), *registry.parse(_specs(registry, plugins)))
    }
    return Request(
        suite=chosen,
        tasks=ready,
        compositions=tuple(compositions.values()),
        split_seeds=seed_list("seeds", chosen.split_seeds if seeds is None else seeds),
        init_seeds=seed_list("init_seeds", init_seeds),
        changes=parse_overrides(chosen.recipe) | parse_overrides(recipe),
        timeout=timeout or chosen.timeout or DEFAULT_TIMEOUT,
        own=own,
    )


def joined(texts: str | Sequence[str]) -> str:
    """Expressions given one by one as the one text that they would be on the command line."""
    return texts if isinstance(texts, str) else ", ".join(texts)


def _specs(registry: Registry, plugins: Strategies) -> str:
    given = [plugins] if isinstance(plugins, str | Strategy | type) else plugins
    return ", ".join(registry.spec(each) for each in given)


def choose_tasks(suite: str | None, tasks: str | None) -> Suite:
    """The suite of a name (starter-v1 by default), or the tasks of a text. Raises UsageError for both."""
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
    suite = ad_hoc(tasks or f"holdout({name})")
    if not any(name in named_datasets(task) for task in suite.tasks):
        raise UsageError(
            f"no task is about the data that are given, whose name here is {name}; write kshot({name}, k=5), "
            "say, or leave the data out"
        )
    return replace(suite, split_seeds=OWN_SEEDS)


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
