"""The contract of every dataset."""

from __future__ import annotations

import functools
from collections.abc import Callable

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import (
    DATASETS,
    DatasetEntry,
    dataset_info,
    is_available,
    keep_datasets,
    load_dataset,
)
from fsbench.errors import AbsentData
from fsbench.kinds import kind_names
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.testing.demands import require, require_own_randomness, require_text
from fsbench.testing.toy_dataset import registered


def _if_here(body: Callable[[str, DatasetInfo], object]) -> Callable[[DatasetEntry], str | None]:
    """A check that needs the data: it returns why it cannot be done if they are not on this machine."""

    @functools.wraps(body)
    def check(entry: DatasetEntry) -> str | None:
        with registered(DATASETS, entry.name, entry):
            if not is_available(entry.name):
                return "it is not on this machine"
            try:
                info = dataset_info(entry.name)
            except AbsentData as error:
                return str(error)
            body(entry.name, info)
        return None

    return check


@_if_here
def described(name: str, info: DatasetInfo) -> None:
    """It can be described, with a licence and a citation, without being loaded."""
    require(info.text == name, f"describe returned the text {info.text!r}; expected the given {name!r}")
    for field in ("description", "licence", "citation"):
        require_text(field, getattr(info, field))
    require(info.kind in kind_names(), f"kind is {info.kind!r}; known: {', '.join(kind_names())}")
    require(info.num_classes >= 2, f"it has {info.num_classes} classes; expected at least 2")
    require(len(set(info.classes)) == info.num_classes, "two classes have the same name")
    require(min(info.class_counts) > 0, f"class_counts are {list(info.class_counts)}; expected at least 1")


@_if_here
def loads(name: str, info: DatasetInfo) -> None:
    """It loads and matches its description: types, shapes, labels, parts and groups."""
    found = _load(name).info
    require(found == info, "the info of the loaded dataset differs from what describe returned")


@_if_here
def stable(name: str, info: DatasetInfo) -> None:
    """Two loads give the same bits."""
    first, second = _load(name).fingerprint, _load(name).fingerprint
    require(first == second, f"two loads differ ({first[:12]} and {second[:12]}); use a fixed seed")


@_if_here
def leaves_globals(name: str, info: DatasetInfo) -> None:
    """Loading it leaves the global random states of Python, numpy and torch unchanged."""
    require_own_randomness(lambda: _load(name))


@_if_here
def gives_a_task(name: str, info: DatasetInfo) -> None:
    """A task can be drawn from it."""
    (task,) = parse_tasks(f"holdout({name})")
    draw_split(task, 0)


def _load(name: str) -> Dataset:
    """The dataset, loaded anew."""
    keep_datasets(())
    return load_dataset(name)


CHECKS = {
    "is described, with licence and citation": described,
    "loads what it describes": loads,
    "is the same whenever it is loaded": stable,
    "leaves global randomness alone": leaves_globals,
    "gives a task": gives_a_task,
}
