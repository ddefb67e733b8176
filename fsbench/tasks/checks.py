"""What every split must be, whatever protocol draws it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fsbench.datasets.dataset import Dataset
from fsbench.tasks.drawing import Rows, Split, cells
from fsbench.types import TaskInfo
from fsbench.words import plural

_CELLS, _FLAT = ("train", "val", "test"), ("unlabeled", "source")
_ARRAYS = ("index", "y", "origin")


def malformed(split: object, info: TaskInfo, datasets: Sequence[Dataset]) -> str:
    """What is wrong with what a protocol's `draw` returned, in one line; "" if nothing is.

    It must be a Split whose rows are int64 arrays of the documented shapes, with numbers of datasets, samples
    and classes that exist. The training part must not be empty; the test part may be, where all labels are
    for training.
    """
    if not isinstance(split, Split):
        return f"draw returned {type(split).__name__}; expected a Split"
    parts = {name: rows for name in (*_CELLS, *_FLAT) if (rows := getattr(split, name)) is not None}
    shapes = (_shape_problem(name, rows) for name, rows in parts.items())
    numbers = (_number_problem(name, rows, info, datasets) for name, rows in parts.items())
    return next(filter(None, shapes), "") or _cell_problem(split) or next(filter(None, numbers), "")


def _shape_problem(name: str, rows: Rows) -> str:
    arrays = {each: np.asarray(getattr(rows, each, None)) for each in _ARRAYS}
    axes, advice = ("[N]", "") if name in _FLAT else ("[E, N]", ", as stack([rows, ...]) makes them")
    if len({array.shape for array in arrays.values()}) > 1 or arrays["y"].ndim != axes.count(",") + 1:
        found = ", ".join(f"{each} {list(array.shape)}" for each, array in arrays.items())
        return f"{name} has {found}; expected one shape {axes}{advice}"
    wrong = [f"{each} of {array.dtype}" for each, array in arrays.items() if array.dtype != np.int64]
    return f"{name} has {', '.join(wrong)}; expected int64" if wrong else ""


def _cell_problem(split: Split) -> str:
    numbers = {name: len(getattr(split, name).y) for name in _CELLS}
    if len(set(numbers.values())) > 1:
        found = ", ".join(f"{name} {plural(number, 'cell')}" for name, number in numbers.items())
        return f"{found}; expected as many in each part"
    return "" if split.train.y.size else "train is empty; expected training samples"


def _number_problem(name: str, rows: Rows, info: TaskInfo, datasets: Sequence[Dataset]) -> str:
    order = "rows are Rows(index, y, origin)"
    if beyond := _beyond(rows.origin, len(datasets)):
        return f"{name} has origin {beyond} for the protocol's datasets; {order}"
    for origin in np.unique(rows.origin):
        data = datasets[origin].info
        end = data.n + (data.num_unlabeled if name == "unlabeled" else 0)
        if beyond := _beyond(rows.index[rows.origin == origin], end):
            return f"{name} has index {beyond} for the samples of {data.text}; {order}"
    classes = info.source_classes if name == "source" else info.num_classes
    if name != "unlabeled" and classes and (beyond := _beyond(rows.y, classes)):
        return f"{name} has y {beyond} for the classes; {order}"
    return ""


def _beyond(numbers: np.ndarray, end: int) -> str:
    """The first number that is negative or not below `end`, and what is expected; "" if there is none."""
    wrong = numbers[(numbers < 0) | (numbers >= end)]
    return f"{wrong[0]}; expected {'0' if end == 1 else f'0 to {end - 1}'}" if wrong.size else ""


def leak(split: Split) -> str:
    """Which part has samples of another, and how many: "2 training samples for the test too"; "" if none.

    Training and validation samples are compared within cells. Unlabelled and source samples may be among
    them.
    """
    tested = Rows(*(np.ravel(getattr(split.test, name)) for name in _ARRAYS))
    counts = (
        ("training", "test", _in_cells(split.train, split.test)),
        ("validation", "test", _in_cells(split.val, split.test)),
        ("unlabelled", "test", _in_common(split.unlabeled, tested)),
        ("source", "test", _in_common(split.source, tested)),
        ("training", "validation", _in_cells(split.train, split.val)),
    )
    found = (
        f"{plural(count, f'{part} sample')} for the {other} too" for part, other, count in counts if count
    )
    return next(found, "")


def torn_groups(split: Split, datasets: Sequence[Dataset]) -> str:
    """Which part has samples of a group of the test: "2 training samples of groups ..."; "" if none.

    Groups are compared within cells.
    """
    for name, part in (("training", split.train), ("validation", split.val)):
        pairs = zip(cells(part), cells(split.test), strict=True)
        if count := sum(_in_common_groups(one, test, datasets) for one, test in pairs):
            return f"{plural(count, f'{name} sample')} of groups that the test has too"
    return ""


def _in_common_groups(one: Rows, other: Rows, datasets: Sequence[Dataset]) -> int:
    """How many samples `[N]` of one part belong to groups of another one."""
    grouped = ((origin, data.groups) for origin, data in enumerate(datasets) if data.groups is not None)
    return sum(
        int(
            np.isin(
                groups[one.index[one.origin == origin]], groups[other.index[other.origin == origin]]
            ).sum()
        )
        for origin, groups in grouped
    )


def _in_cells(part: Rows, other: Rows) -> int:
    return sum(map(_in_common, cells(part), cells(other)))


def _in_common(one: Rows | None, other: Rows) -> int:
    """How many samples `[N]` of one part are in another one too."""
    if one is None:
        return 0
    return sum(
        int(np.isin(one.index[one.origin == origin], other.index[other.origin == origin]).sum())
        for origin in np.unique(one.origin)
    )
