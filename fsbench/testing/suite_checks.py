"""The contract of every suite."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources.abc import Traversable

from fsbench.recipes.recipe import task_recipe
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.suites import missing_datasets, read_suite
from fsbench.testing.demands import require, require_text


def described(file: Traversable) -> None:
    """It has a description, and its name includes its version: `mine-v1`."""
    suite = read_suite(file)
    require_text("description", suite.description)
    version = f"-v{suite.version}"
    require(suite.name.endswith(version), f"it is named {suite.name}; expected a name in {version}")
    require(suite.split_seeds > 0, f"split_seeds is {suite.split_seeds}; expected at least 1")


def tasks_parse(file: Traversable) -> str | None:
    """Each task whose data is on this machine can be read, has its canonical text, and occurs once."""
    suite = read_suite(file)
    here = [task for task in suite.tasks if not missing_datasets(task)]
    for text in here:
        (task,) = parse_tasks(text)
        require(task.text == text, f"{text} has the canonical text {task.text}; write that")
    return None if here else f"the data of its tasks is missing ({', '.join(suite.missing())})"


def recipe_fits(file: Traversable) -> str | None:
    """Its recipe can be read."""
    suite = read_suite(file)
    here = [task for task in suite.tasks if not missing_datasets(task)]
    for task in parse_tasks(", ".join(here)) if here else ():
        task_recipe(task.info, suite.recipe)
    return None if suite.recipe else "it does not change the recipe"


def fingerprints_fit(file: Traversable) -> str | None:
    """Fingerprints belong to its tasks, and there are enough for its split seeds."""
    suite = read_suite(file)
    for task, known in suite.fingerprints.items():
        require(task in suite.tasks, f"a fingerprint is of {task}, which is not one of its tasks")
        enough = len(known) >= suite.split_seeds
        require(enough, f"{task} has {len(known)} fingerprints for {suite.split_seeds} seeds")
    return None if suite.fingerprints else "it has no fingerprints"


CHECKS: dict[str, Callable[[Traversable], str | None]] = {
    "is described, and named with its version": described,
    "tasks can be read": tasks_parse,
    "its recipe can be read": recipe_fits,
    "fingerprints are of its tasks": fingerprints_fit,
}
