"""The contract of every dataset."""

from __future__ import annotations

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


def described(entry: DatasetEntry) -> str | None:
    """It can be described, with a licence and a citation, without being loaded."""
    if reason := _here(entry):
        return reason
    info = _info(entry)
    require(
        info.text == entry.name,
        f"describe returned the text {info.text!r}; expected the given {entry.name!r}",
    )
    for field in ("description", "licence", "citation"):
        require_text(field, getattr(info, field))
    require(info.kind in kind_names(), f"kind is {info.kind!r}; known: {', '.join(kind_names())}")
    require(info.num_classes >= 2, f"it has {info.num_classes} classes; expected at least 2")
    require(len(set(info.classes)) == info.num_classes, "two classes have the same name")
    require(min(info.class_counts) > 0, f"class_counts are {list(info.class_counts)}; expected at least 1")
    return None


def loads(entry: DatasetEntry) -> str | None:
    """It loads and matches its description: types, shapes, labels, parts and groups."""
    if reason := _here(entry):
        return reason
    info, loaded = _info(entry), _load(entry)
    require(loaded.info == info, "the info of the loaded dataset differs from what describe returned")
    return None


def stable(entry: DatasetEntry) -> str | None:
    """Two loads give the same bits."""
    if reason := _here(entry):
        return reason
    first, second = _load(entry).fingerprint, _load(entry).fingerprint
    require(first == second, f"two loads differ ({first[:12]} and {second[:12]}); use a fixed seed")
    return None


def leaves_globals(entry: DatasetEntry) -> str | None:
    """Loading it leaves the global random states of Python, numpy and torch unchanged."""
    if reason := _here(entry):
        return reason
    require_own_randomness(lambda: _load(entry))
    return None


def gives_a_task(entry: DatasetEntry) -> str | None:
    """A task can be drawn from it."""
    if reason := _here(entry):
        return reason
    with registered(DATASETS, entry.name, entry):
        (task,) = parse_tasks(f"holdout({entry.name})")
        draw_split(task, 0)
    return None


def _here(entry: DatasetEntry) -> str | None:
    """Why a dataset that is not on this machine cannot be checked further, or None."""
    with registered(DATASETS, entry.name, entry):
        if not is_available(entry.name):
            return "it is not on this machine"
        try:
            dataset_info(entry.name)
        except AbsentData as error:
            return str(error)
    return None


def _info(entry: DatasetEntry) -> DatasetInfo:
    with registered(DATASETS, entry.name, entry):
        return dataset_info(entry.name)


def _load(entry: DatasetEntry) -> Dataset:
    with registered(DATASETS, entry.name, entry):
        keep_datasets(())
        return load_dataset(entry.name)


CHECKS = {
    "is described, with licence and citation": described,
    "loads what it describes": loads,
    "is the same whenever it is loaded": stable,
    "leaves global randomness alone": leaves_globals,
    "gives a task": gives_a_task,
}
