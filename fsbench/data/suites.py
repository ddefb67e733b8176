"""Suites: named, versioned lists of tasks, one small TOML file each in `fsbench/suites`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fsbench.data.splits import draw_split
from fsbench.data.tasks import Task, parse_tasks
from fsbench.errors import DataError, UnknownName


@dataclass(frozen=True)
class Suite:
    """A list of tasks under a name that says its version: a suite whose tasks change gets a new name.

    `split_seeds` is how many split seeds a run takes by default. `fingerprints` holds, by task, the
    first 16 digits of the fingerprints that the splits of seeds 0, 1, ... must have; a task whose
    data a library draws (glyphs) has none, as its next version may draw differently.
    """

    name: str
    version: int
    description: str
    tasks: tuple[Task, ...]
    split_seeds: int
    fingerprints: Mapping[str, tuple[str, ...]]


def suite_names() -> list[str]:
    """The names of all suites, sorted."""
    return sorted(f.name.removesuffix(".toml") for f in _folder().iterdir() if f.name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """A suite by name. Raises UnknownName."""
    if name not in suite_names():
        raise UnknownName("suite", name, suite_names())
    values = tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    return Suite(
        name=name,
        version=values["version"],
        description=values["description"],
        tasks=tuple(parse_tasks(",".join(values["tasks"]))),
        split_seeds=values["split_seeds"],
        fingerprints={task: tuple(known) for task, known in values["fingerprints"].items()},
    )


def check_suite(suite: Suite) -> None:
    """Draw the splits that the suite has fingerprints of. Raises DataError where one is another split."""
    for task in suite.tasks:
        for seed, known in enumerate(suite.fingerprints.get(task.text, ())):
            drawn = draw_split(task, seed).fingerprint
            if not drawn.startswith(known):
                raise DataError(
                    f"{suite.name}: split {seed} of {task.text} is {drawn[:16]}, not {known}: the data or "
                    "the random numbers of the installed libraries differ, and results do not compare"
                )


def _folder() -> Traversable:
    return resources.files("fsbench") / "suites"
