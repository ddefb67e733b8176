"""What reports know about the data of results."""

from __future__ import annotations

from fsbench.datasets.known import dataset_info
from fsbench.errors import FsbenchError
from fsbench.evidence import Evidence
from fsbench.tasks.expressions import task_arguments
from fsbench.types import DatasetInfo


def data_info(dataset: str, evidence: Evidence) -> DatasetInfo | None:
    """What is stored beside the records about a user's own data, or what this machine knows about a dataset.

    None if it is neither. Results stay about the data of their run, whatever has its name here by now.
    """
    if dataset in evidence.own:
        return evidence.own[dataset]
    try:
        return dataset_info(dataset)
    except FsbenchError:
        return None


def class_names(task: str, number: int, evidence: Evidence) -> tuple[str, ...]:
    """The names of the classes of a task's test part; their numbers if its data is not known."""
    info = data_info(str(task_arguments(task).get("dataset", "")), evidence)
    names = info.classes if info else ()
    return names if len(names) == number else tuple(map(str, range(number)))
