"""The request for a run: checks its arguments, names its tasks and reads the user's own data."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from fsbench.beforehand import outlook, seeds_for
from fsbench.composition import BASELINE, Composition
from fsbench.errors import UsageError
from fsbench.looks import ERROR
from fsbench.recipes.recipe import parse_overrides
from fsbench.registry import Registry
from fsbench.spec import Value
from fsbench.strategy import Strategy
from fsbench.tasks.expressions import Task, named_datasets
from fsbench.tasks.suites import Suite, ad_hoc, load_suite
from fsbench.tuning.criteria import needs_criterion
from fsbench.tuning.tuned import Tuning, read_rows
from fsbench.words import plural

if TYPE_CHECKING:
    from fsbench.own import OwnData, Reading
    from fsbench.progress import Observer

Strategies: TypeAlias = "str | Strategy | type[Strategy] | Sequence[str | Strategy | type[Strategy]]"
"""Strategies as `fsbench.run` takes them: specs, instances or classes, one or several."""

DEFAULT_SUITE = "starter-v3"
DEFAULT_TIMEOUT = 300.0
_MOST_SEEDS, _LARGEST_SEED = 1_000_000, 2**63 - 1


@dataclass(frozen=True)
class Request:
    """The request for a run, read and checked.

    `suite` names all tasks, `tasks` are those that can run on this machine. `rows` are the strategies by the
    text of the search with which they run, "" for none; each list starts with the baseline and has no
    duplicates. `changes` apply to every task's recipe after the suite's; `timeout` is in
    seconds for each trial. `own` has the names of the user's own data. `baseline` is the spec to compare with
    instead of the declared baselines.
    """

    suite: Suite
    tasks: tuple[Task, ...]
    rows: Mapping[str, tuple[Composition, ...]]
    split_seeds: tuple[int, ...]
    init_seeds: tuple[int, ...]
    changes: Mapping[str, Value]
    timeout: float
    own: tuple[str, ...] = ()
    baseline: str | None = None

    @property
    def compositions(self) -> dict[str, Composition]:
        """Every strategy once, by its text."""
        return {each.text: each for several in self.rows.values() for each in several}


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
    baseline: Strategies | None,
    tuning: Tuning | None = None,
    error: float = ERROR,
) -> Request:
    """Read the arguments of `fsbench.run`, which documents them. The observer hears what is left out.

    Raises UsageError for what cannot be run, AbsentData for tasks whose data is missing.
    """
    check_positive(timeout=timeout)
    reading = None if data is None else read_data(data, suite, observer)
    own = () if reading is None else tuple(each.info.text for each in reading.datasets)
    named = None if tasks is None else joined_texts(tasks)
    chosen = choose_tasks(suite, named) if reading is None else own_tasks(own, named or reading.task)
    ready = chosen.parse(available)
    if reading is not None:
        _warn_of_unused(reading, ready, observer)
    if left_out := chosen.left_out():
        observer.left_out(left_out, chosen.missing())
    against = None if baseline is None else registry.parse(joined_specs(registry, baseline, "baseline"))
    baselines = registry.baselines() if against is None else against
    always = (*registry.parse(BASELINE), *baselines)
    rows = {
        searched: tuple({each.text: each for each in (*always, *asked)}.values())
        for searched, asked in read_rows(registry, joined_specs(registry, plugins), tuning).items()
    }
    _check_criteria(rows, ready)
    changes = parse_overrides(recipe)
    if seeds is None:
        seeds = seeds_for(ready, rows, changes) if own else chosen.split_seeds
    split_seeds = seed_list("seeds", seeds)
    if own:
        observer.outlook(outlook(ready, max(rows.values(), key=len), split_seeds, error))
    return Request(
        suite=chosen,
        tasks=ready,
        rows=rows,
        split_seeds=split_seeds,
        init_seeds=seed_list("init_seeds", init_seeds),
        changes=changes,
        timeout=timeout or chosen.timeout or DEFAULT_TIMEOUT,
        own=own,
        baseline=None if against is None else ", ".join(composition.text for composition in against),
    )


def _check_criteria(rows: Iterable[str], tasks: Iterable[Task]) -> None:
    """Raise UsageError for a search whose criterion no task needs."""
    named = [tuning.criterion for tuning in map(Tuning.read, filter(None, rows)) if tuning.criterion]
    if named and not any(needs_criterion(task.info) for task in tasks):
        raise UsageError(
            f"the criterion {named[0]} is for tasks with unlabelled inputs of their target and no label "
            "there, such as shift(mnist5k(size=8), digits); no task here is one, so leave it out"
        )


def joined_texts(texts: str | Sequence[str]) -> str:
    """Tasks joined into one text, as on the command line. Raises UsageError for anything but texts."""
    given = [texts] if isinstance(texts, str) else texts
    if not isinstance(given, Iterable) or not all(isinstance(each, str) for each in given):
        raise UsageError(f"tasks={texts!r}: expected texts such as 'kshot(digits, k=5)'")
    return ", ".join(given)


def joined_specs(registry: Registry, plugins: Strategies, name: str = "plugins") -> str:
    """The specs of strategies, given as the argument `name`, in one text.

    Raises UsageError or PluginError for what is not a strategy.
    """
    given = [plugins] if isinstance(plugins, str | Strategy | type) else plugins
    if not isinstance(given, Iterable):
        raise UsageError(
            f"{name}={given!r}: expected the names of strategies, such as 'focal, mixup' or 'core'"
        )
    return ", ".join(registry.spec(each) for each in given)


def choose_tasks(suite: str | None, tasks: str | None) -> Suite:
    """The suite of a name (starter-v3 by default), or the tasks of a text. Raises UsageError for both."""
    if suite is not None and tasks is not None:
        raise UsageError("both a suite and tasks are given; give one of them")
    return load_suite(suite or DEFAULT_SUITE) if tasks is None else ad_hoc(tasks)


def read_data(data: str | Path | OwnData, suite: str | None, observer: Observer) -> Reading:
    """Read the user's own data and register it. The observer hears about it.

    Raises UsageError if a suite is also given, and everything that `read_own` raises.
    """
    from fsbench.own import OwnData, read_own

    if suite is not None:
        raise UsageError("both data and a suite are given; give one of them, or data and tasks on it")
    wanted = data if isinstance(data, OwnData) else OwnData(data)
    reading = read_own(wanted, observer.reading)
    observer.read(reading.facts, reading.warnings)
    reading.register()
    return reading


def _warn_of_unused(reading: Reading, tasks: Iterable[Task], observer: Observer) -> None:
    """Tell the observer if unlabelled inputs are given and no task has any."""
    given = reading.dataset.info.num_unlabeled
    if given and not any(task.info.num_unlabeled for task in tasks):
        observer.warned(
            f"no task uses the {plural(given, 'input')} without a label; if strategies may learn from them, "
            f"write a task with unlabeled=all, such as {reading.task}"
        )


def own_tasks(names: Sequence[str], tasks: str) -> Suite:
    """The tasks of a text as those of a run on own data.

    Raises UsageError if none of the tasks is about the data.
    """
    suite = ad_hoc(tasks)
    if not any(name in named_datasets(task) for task in suite.tasks for name in names):
        raise UsageError(
            f"no task is about the given data, whose name is {' and '.join(names)}; write a task such as "
            f"kshot({names[0]}, k=5), or leave the data out"
        )
    return suite


def seed_list(name: str, seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Seeds given as their number, or one by one. Raises UsageError."""
    with contextlib.suppress(TypeError):
        seeds = operator.index(seeds)  # type: ignore[arg-type]
    if isinstance(seeds, int) and seeds > _MOST_SEEDS:
        raise UsageError(f"{name}={seeds}: expected at most {_MOST_SEEDS:,} seeds")
    try:
        found = tuple(range(seeds)) if isinstance(seeds, int) else tuple(map(operator.index, seeds))
    except TypeError:
        found = ()
    if not found or any(seed < 0 for seed in found):
        raise UsageError(f"{name}={seeds!r}: expected a number of at least 1, or seeds of at least 0")
    if max(found) > _LARGEST_SEED:
        raise UsageError(f"{name}={seeds!r}: expected seeds below 2**63")
    if len(set(found)) < len(found):
        raise UsageError(f"{name}={seeds}: a seed is given twice; give each once")
    return found


def check_positive(**values: float | None) -> None:
    """Raise UsageError for a value that is not above zero."""
    for name, value in values.items():
        try:
            wrong = value is not None and not value > 0
        except TypeError:
            raise UsageError(f"{name}={value!r}: expected a number") from None
        if wrong:
            raise UsageError(f"{name}={value}: expected more than 0")
