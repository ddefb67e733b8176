"""Suites: named, versioned lists of tasks, one small TOML file each in `fsbench/suites`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fsbench.data.tasks import Task, parse_tasks
from fsbench.errors import DataError, UnknownName

_AD_HOC_SEEDS = 3


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

    def check(self, task: str, seed: int, fingerprint: str) -> None:
        """Raise DataError if a split of a task is not the one that the suite names."""
        known = self.fingerprints.get(task, ())
        if seed < len(known) and not fingerprint.startswith(known[seed]):
            raise DataError(
                f"{self.name}: split {seed} of {task} is {fingerprint[:16]}, not {known[seed]}: the data or "
                "the random numbers of the installed libraries differ, and results do not compare; "
                "name the tasks with --tasks to run them all the same"
            )


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


def ad_hoc(tasks: str) -> Suite:
    """A suite of the tasks that a text names, without a name or known splits. Raises as `parse_tasks`."""
    return Suite("", 0, "", tuple(parse_tasks(tasks)), _AD_HOC_SEEDS, {})


def _folder() -> Traversable:
    return resources.files("fsbench") / "suites"
