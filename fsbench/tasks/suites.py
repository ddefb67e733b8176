"""Suites: named, versioned lists of tasks, each a small TOML file of fsbench, a plugin or the user."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fsbench.datasets.files import DATA_DIR, data_dir
from fsbench.datasets.known import dataset_info, download_size, is_available
from fsbench.errors import AbsentData, PluginError, UsageError
from fsbench.kinds import KINDS
from fsbench.sorts import Sort
from fsbench.spec import NAME, Call
from fsbench.tasks.expressions import Task, named_datasets, parse_tasks, task_calls
from fsbench.tasks.protocols import PROTOCOLS

_AD_HOC_SEEDS = 3
_ENDING = ".toml"
_FINGERPRINT = re.compile(r"[0-9a-f]{16,64}")
_NEEDED = ("version", "description", "tasks", "split_seeds")
_KEYS: dict[str, Any] = {
    "version": int,
    "description": str,
    "tasks": list,
    "split_seeds": int,
    "fingerprints": dict,
    "recipe": str | dict,
    "timeout": int | float,
    "cost": int | float,
}
_WORDS = {
    int: "a whole number",
    str: "a text",
    list: "a list of texts",
    dict: "a table of lists, by task",
    int | float: "a number",
    str | dict: "a text, or a table of texts by kind of samples or protocol",
}


@dataclass(frozen=True)
class Suite:
    """A list of tasks whose name includes a version: a suite whose tasks change gets a new name.

    `tasks` are texts, so that a suite can be read when its data is missing. `split_seeds` is the default
    number of split seeds of a run. `fingerprints` has, for each task, the first 16 digits of the fingerprints
    that the splits of seeds 0, 1, ... must have. `recipe` is what the suite changes in the recipes of its
    tasks, for all strategies alike: one text, or one for each kind of samples or protocol; `timeout` is the
    time limit of a trial in seconds. `cost` is the time of ERM on one split seed of all tasks on one core, in
    reference loops (see `fsbench.cli.estimate`).
    """

    name: str
    version: int
    description: str
    tasks: tuple[str, ...]
    split_seeds: int
    fingerprints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recipe: str | Mapping[str, str] = ""
    timeout: float | None = None
    cost: float | None = None

    def missing(self) -> list[str]:
        """The names of the datasets that its tasks need and this machine lacks, in the order of the tasks."""
        return list(dict.fromkeys(name for task in self.tasks for name in missing_datasets(task)))

    def left_out(self) -> list[str]:
        """The tasks that cannot run on this machine because their data is missing."""
        return [task for task in self.tasks if missing_datasets(task)]

    def unpublished(self) -> list[str]:
        """The tasks without a published fingerprint, whose splits cannot be checked."""
        return [task for task in self.tasks if not self.fingerprints.get(task)]

    def parse(self, available: bool = False) -> tuple[Task, ...]:
        """All tasks or, with `available`, those whose data is on this machine.

        Raises AbsentData if data is missing, and everything that `parse_tasks` raises.
        """
        absent = self.left_out()
        if absent and (not available or len(absent) == len(self.tasks)):
            raise AbsentData(self._advice(len(absent)))
        here = [text for text in self.tasks if text not in set(absent)]
        return tuple(parse_tasks(", ".join(here)))

    def _advice(self, absent: int) -> str:
        missing = self.missing()
        fetched = [name for name in missing if download_size(name)]
        hints = [_fetching(fetched)] if fetched else []
        hints += [_own_advice(name) for name in missing if name not in fetched][:1]
        if absent < len(self.tasks):
            hints.append(f"available=True or --available runs the other {len(self.tasks) - absent}")
        what = f"{self.name}: " if self.name else ""
        return (
            f"{what}the data of {absent} of {len(self.tasks)} tasks is not here ({', '.join(missing)}); "
            + "; ".join(hints)
        )


def missing_datasets(task: str) -> list[str]:
    """The names of a task's datasets that are not on this machine. Raises SpecError."""
    return [name for name in named_datasets(task) if not is_available(name)]


def _check_file(file: Any) -> None:
    if not isinstance(file, Path | Traversable):
        raise PluginError(f"fsbench_suites returned {file!r}; expected paths of TOML files")
    if not (file.name.endswith(_ENDING) and file.is_file()):
        raise PluginError(
            f"fsbench_suites returned {str(file)!r}; expected the path of an existing TOML file"
        )


SUITES: Sort[Traversable] = Sort(
    "suite", "fsbench_suites", _check_file, lambda file: file.name.removesuffix(_ENDING)
)


def suite_names() -> list[str]:
    """The names of all installed suites, sorted."""
    return sorted(SUITES)


def load_suite(name: str | os.PathLike[str]) -> Suite:
    """A suite by its name, or by the path of its file; its data is not needed.

    Raises UnknownName, or UsageError for a file that is not a suite.
    """
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"suite={name!r}: expected a name, such as starter-v3, or the path of a file")
    name = os.fspath(name)
    if not name.endswith(_ENDING):
        return read_suite(SUITES.find(name))
    suite = read_suite(Path(name))
    if suite.name in SUITES and read_suite(SUITES[suite.name]) != suite:
        raise UsageError(f"{name} differs from the installed suite {suite.name}; give the file another name")
    return suite


def read_suite(file: Traversable) -> Suite:
    """The suite of a TOML file, named after it. Raises UsageError, UnknownName or SpecError."""
    name = file.name.removesuffix(_ENDING)
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{file} cannot name a suite; expected letters, digits, _ and -, such as mine-v1.toml"
        )
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the suite {file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the suite {file} is not TOML: {error}") from None
    _check_values(file, values)
    values["tasks"] = _texts(task_calls(", ".join(values["tasks"])))
    known = values.get("fingerprints", {})
    values["fingerprints"] = {_task_of(file, each): tuple(known[each]) for each in known}
    if odd := [task for task in values["fingerprints"] if task not in values["tasks"]]:
        raise UsageError(f"the suite {file} has fingerprints of {odd[0]}, which is not one of its tasks")
    return Suite(name=name, **values)


def _check_values(file: Traversable, values: Mapping[str, Any]) -> None:
    """Raise UsageError if the file of a suite has missing, unknown or wrong keys."""
    for key, value in values.items():
        if key not in _KEYS:
            raise UsageError(f"the suite {file} has {key!r}; a suite has {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise UsageError(f"the suite {file}: {key} is {value!r}; expected {_WORDS[_KEYS[key]]}")
    for key in _NEEDED:
        if not values.get(key):
            raise UsageError(f"the suite {file} has no {key}; it needs {', '.join(_NEEDED)}")
    _check_recipe(file, values.get("recipe", ""))
    if not all(isinstance(task, str) for task in values["tasks"]):
        raise UsageError(f"the suite {file}: tasks is {values['tasks']!r}; expected a list of texts")
    for task, known in values.get("fingerprints", {}).items():
        if not (isinstance(known, list) and all(map(_is_fingerprint, known))):
            raise UsageError(
                f"the suite {file}: the fingerprints of {task} are {known!r}; expected a list of texts of "
                "16 hexadecimal digits or more"
            )


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and _FINGERPRINT.fullmatch(value) is not None


def _task_of(file: Traversable, text: str) -> str:
    """The canonical text of a task that a suite has fingerprints of. Raises UsageError."""
    found = _texts(task_calls(text))
    if len(found) != 1:
        raise UsageError(f"the suite {file} has fingerprints of {text!r}, which is not one task")
    return found[0]


def _check_recipe(file: Traversable, recipe: str | Mapping[str, Any]) -> None:
    """Raise UsageError if one of several recipes is not a text, or not of a kind of samples or a protocol."""
    for name, text in {} if isinstance(recipe, str) else recipe.items():
        if name not in KINDS and name not in PROTOCOLS:
            raise UsageError(
                f"the suite {file} has a recipe of {name!r}; expected a kind of samples "
                f"({', '.join(sorted(KINDS))}) or a protocol ({', '.join(sorted(PROTOCOLS))})"
            )
        if not isinstance(text, str):
            raise UsageError(f"the suite {file}: the recipe of {name} is {text!r}; expected a text")


def ad_hoc(tasks: str) -> Suite:
    """A suite of the tasks in a text, without a name or known splits. Raises as `task_calls`."""
    return Suite("", 0, "", _texts(task_calls(tasks)), _AD_HOC_SEEDS)


def _fetching(names: list[str]) -> str:
    """The command that fetches datasets, and where to."""
    folder, these = data_dir(), "it" if len(names) == 1 else f"these {len(names)}"
    named = f" --data-dir {shlex.quote(str(folder))}" if os.environ.get(DATA_DIR) else ""
    where = f"--data-dir or {DATA_DIR} names another folder; " if not named else ""
    return (
        f"`fsbench data fetch {' '.join(names)}{named}` gets {these} into {folder} ({where}prepared files "
        f"such as {names[0]}.npz in it can be used instead)"
    )


def _own_advice(name: str) -> str:
    try:
        dataset_info(name)
    except AbsentData as error:
        return str(error)
    return f"{name} is not here"


def _texts(calls: list[Call]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str, calls)))
