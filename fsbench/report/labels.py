"""Families of tasks that differ in the number of labels only."""

from __future__ import annotations

from fsbench.spec import Call, parse_call

AXES = ("k", "shot")
"""The arguments of tasks that are numbers of labels per class."""


def family(task: str) -> tuple[str, str, int] | None:
    """The family of a task, the name of its number of labels and this number; None if it has none.

    The family is the task's text without the number.
    """
    call = parse_call(task)
    for axis in AXES:
        number = call.keywords.get(axis)
        if isinstance(number, int) and not isinstance(number, bool):
            others = tuple(item for item in call.kwargs if item[0] != axis)
            return str(Call(call.name, call.args, others)), axis, number
    return None
