"""Tasks from their text: `kshot(digits, k=[1, 5]), shift(mnist5k(size=8), digits)`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields

from fsbench.datasets.known import DATASETS
from fsbench.errors import FsbenchError, SpecError
from fsbench.spec import Call, Value, as_call, expand, parse_call, parse_list
from fsbench.tasks.protocols import PROTOCOLS, Protocol, build, labels_of, text_of
from fsbench.types import TaskInfo


@dataclass(frozen=True)
class Task:
    """A protocol applied to datasets. `text` is canonical: `parse_tasks` reads it back as the same task."""

    text: str
    info: TaskInfo
    protocol: Protocol


def protocol_names() -> list[str]:
    """The names of all protocols, sorted."""
    return sorted(PROTOCOLS)


def task_calls(text: str) -> list[Call]:
    """The expressions of comma-separated tasks, one for each item of a list; reads no dataset.

    Raises SpecError or UnknownName.
    """
    found: list[Call] = []
    for expression in parse_list(text):
        if len(expression.terms) != 1:
            raise SpecError(f"{expression}: tasks are joined by ',', not by '+'")
        found += expand(expression.terms[0])
    for call in found:
        if call.name not in PROTOCOLS and call.name in DATASETS:
            raise SpecError(f"{call.name} is a dataset; name a task on it, such as kshot({call}, k=5)")
        PROTOCOLS.find(call.name)
    return found


def task_texts(text: str) -> list[str]:
    """The canonical texts of comma-separated tasks, whose datasets need not be on this machine.

    Raises SpecError, or UnknownName for an unknown protocol.
    """
    return list(dict.fromkeys(text_of(PROTOCOLS[call.name], call) for call in task_calls(text)))


def named_datasets(task: str) -> list[str]:
    """The names of the datasets in a task's text, each once, on this machine or not. Raises SpecError."""
    return list(dict.fromkeys(as_call(value).name for value in _dataset_values(parse_call(task))))


def dataset_texts(task: str) -> list[str]:
    """The texts of the datasets in a task's text, on this machine or not. Raises SpecError."""
    return list(map(str, _dataset_values(parse_call(task))))


def names_of_data(task: str) -> set[str]:
    """Every name in the expressions of a task's datasets, among whose arguments may be other datasets.

    Reads no dataset, and works for protocols and datasets that are not on this machine. Raises SpecError.
    """
    return set(_names(_dataset_values(parse_call(task))))


def _dataset_values(call: Call) -> list[Value]:
    """The arguments of a task that name datasets, in every protocol: those without a name, and `source`."""
    return [value for value in (*call.args, call.keywords.get("source")) if value is not None]


def _names(values: Iterable[Value]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Call):
            yield value.name
            yield from _names([*value.args, *value.keywords.values()])
        elif isinstance(value, tuple):
            yield from _names(value)


def task_arguments(task: str) -> dict[str, Value]:
    """The parts of a task's text by name: `protocol`, `dataset` (that of the test part), then the arguments.

    Datasets are canonical texts; arguments that the text leaves out are missing. Reads no dataset, and works
    for protocols and datasets that are not on this machine. Raises SpecError.
    """
    call = parse_call(task)
    cls = PROTOCOLS.get(call.name)
    names = [f.name for f in fields(cls) if f.default is MISSING] if cls else []
    names = names if len(names) == len(call.args) else [f"dataset_{i + 1}" for i in range(len(call.args))]
    values = {**dict(zip(names, call.args, strict=True)), **call.keywords}
    read = {name: str(value) if isinstance(value, Call) else value for name, value in values.items()}
    tested = {"dataset": read[names[-1]]} if names else {}
    return {"protocol": call.name, **tested, **read}


@functools.cache
def task_labels(task: str) -> str:
    """How many labels a task gives, in words; "" if its protocol does not say, or is not installed.

    This follows from the text alone, so a page says the same on every machine, whatever data it has.
    """
    call = parse_call(task)
    try:
        return labels_of(PROTOCOLS[call.name], call) if call.name in PROTOCOLS else ""
    except (FsbenchError, ArithmeticError):  # arguments in a stranger's file that no task has
        return ""


def parse_tasks(text: str) -> list[Task]:
    """The tasks of comma-separated expressions; lists expand, and duplicates are dropped.

    Loads no data. Raises SpecError, UnknownName, AbsentData for a dataset that is not on this machine, or
    TaskError for a task that its datasets do not allow.
    """
    found: dict[str, Task] = {}
    for call in task_calls(text):
        protocol = build(PROTOCOLS[call.name], call)
        found[protocol.text] = Task(protocol.text, protocol.info(), protocol)
    return list(found.values())
