"""The contract of every protocol, on toy data."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fsbench.errors import TaskError
from fsbench.kinds import kind_names
from fsbench.tasks.drawing import Rows, Split
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.protocols import PROTOCOLS, Protocol
from fsbench.tasks.splits import draw_split
from fsbench.testing.demands import require, require_own_randomness, require_text
from fsbench.testing.toy_dataset import registered, toy_datasets

NAMES = ("toy_first", "toy_second", "toy_third")
SEEDS = (0, 1, 2)
TOYS: tuple[dict[str, Any], ...] = ({}, {"tested": True}, {"classes": 2}, {"grouped": True})


def described(cls: type[Protocol]) -> None:
    """It has its own docstring, a one-line summary, and a name."""
    require_text("docstring", inspect.getdoc(cls) if "__doc__" in vars(cls) else "")
    require(not str(cls.__doc__).startswith(f"{cls.__name__}("), "the class has no docstring")
    require_text("summary", cls.summary)
    require("\n" not in cls.summary, "summary has several lines; expected one")


def round_trips(cls: type[Protocol]) -> None:
    """Its canonical text reads back as the same task."""
    for task in _tasks(cls):
        (again,) = parse_tasks(task.text)
        require(again.text == task.text, f"{task.text} reads back as {again.text}")
        require(again.protocol == task.protocol, f"{task.text} reads back with other arguments")


def disjoint(cls: type[Protocol]) -> None:
    """Training, validation and test share no sample in a cell, and no part has a sample twice."""
    for task, split in _splits(cls):
        for cell in range(len(split.test.y)):
            seen: set[tuple[int, int]] = set()
            for name, part in (("train", split.train), ("val", split.val), ("test", split.test)):
                rows = _rows(part, cell)
                require(len(set(rows)) == len(rows), f"{task.text}: {name} has a sample twice")
                require(not seen & set(rows), f"{task.text}: {name} shares a sample with another part")
                seen |= set(rows)
        tested = {row for cell in range(len(split.test.y)) for row in _rows(split.test, cell)}
        for name, extra in (("unlabeled", split.unlabeled), ("source", split.source)):
            shared = extra is not None and tested & set(_rows(extra))
            require(not shared, f"{task.text}: {name} contains test samples")


def deterministic(cls: type[Protocol]) -> None:
    """The same seed draws the same split."""
    for task in _tasks(cls):
        for seed in SEEDS:
            same = draw_split(task, seed).fingerprint == draw_split(task, seed).fingerprint
            require(
                same,
                f"{task.text}: seed {seed} gives two different splits; draw from a generator of the seed",
            )


def differs(cls: type[Protocol]) -> None:
    """Other seeds draw other splits."""
    for task in _tasks(cls):
        splits = {draw_split(task, seed).fingerprint for seed in SEEDS}
        require(
            len(splits) > 1,
            f"{task.text}: seeds {SEEDS[0]} to {SEEDS[-1]} give one split; draw from a generator of the seed",
        )


def nested(cls: type[Protocol]) -> str | None:
    """A larger value of an argument in `nested` gives a training part that contains the smaller one."""
    if not cls.nested:
        return "it does not declare that its training parts are nested"
    for name in cls.nested:
        require(_default(cls, name) is not None, f"nested names {name!r}; expected arguments with a number")
        for small in _tasks(cls):
            larger = dataclasses.replace(small.protocol, **{name: getattr(small.protocol, name) + 1})
            large = Task(larger.text, larger.info(), larger)
            for seed in SEEDS:
                few, many = draw_split(small, seed).train, draw_split(large, seed).train
                for cell in range(len(few.y)):
                    require(
                        set(_rows(few, cell)) <= set(_rows(many, cell)),
                        f"{small.text} has training samples that {large.text} does not have",
                    )
    return None


def says_what_it_draws(cls: type[Protocol]) -> None:
    """There are test samples, and the other parts and labels agree with `info`."""
    for task, split in _splits(cls):
        require(split.test.y.size, f"{task.text}: test is empty")
        same_source = (split.source is not None) == task.info.has_source
        require(same_source, f"{task.text}: info and draw disagree about source data")
        unlabeled = 0 if split.unlabeled is None else len(split.unlabeled.index)
        require(
            unlabeled == task.info.num_unlabeled,
            f"{task.text}: info says {task.info.num_unlabeled} unlabelled samples, draw gives {unlabeled}",
        )
        _check_labels(task, split)


def _check_labels(task: Task, split: Split) -> None:
    """Numbers of labels agree with `info`; those of training only where all are of the target."""
    info, val = task.info, split.val.y.shape[1]
    message = f"{task.text}: info says num_val={info.num_val}, draw gives {val} validation labels"
    require(val == info.num_val, message)
    if split.source is not None or not info.labels_on_target:
        return
    said, labels, classes = info.labels_per_class, split.train.y.shape[1], info.num_classes
    require(
        said * classes >= labels,
        f"{task.text}: info says labels_per_class={said}, which is that of the largest class; draw gives "
        f"{labels} labels of {classes} classes",
    )
    counts = {n for y in split.train.y for n in np.bincount(y, minlength=classes).tolist()}
    require(
        not info.balanced or counts == {said},
        f"{task.text}: info says balanced and labels_per_class={said}; draw gives {_range(counts)} labels of "
        "a class",
    )


def _range(counts: set[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(min(counts))


def leaves_globals(cls: type[Protocol]) -> None:
    """Drawing leaves the global random states of Python, numpy and torch unchanged."""
    require_own_randomness(lambda: list(_splits(cls)))


def _tasks(cls: type[Protocol]) -> Iterator[Task]:
    """A task with the default arguments on each toy dataset, which is registered meanwhile.

    There are toy datasets of each kind, with and without their own test part, with two classes, and with
    groups. Raises AssertionError if all are refused.
    """
    names = NAMES[: sum(f.default is dataclasses.MISSING for f in dataclasses.fields(cls))]
    refused, found = "", False
    for kind, toy in itertools.product(kind_names(), TOYS):
        with registered(PROTOCOLS, cls.name, cls), toy_datasets(names, kind, **toy):
            try:
                (task,) = parse_tasks(f"{cls.name}({', '.join(names)})")
            except TaskError as error:
                refused = str(error)
                continue
            found = True
            yield task
    require(found, f"it refuses every toy dataset: {refused}")


def _splits(cls: type[Protocol]) -> Iterator[tuple[Task, Split]]:
    for task in _tasks(cls):
        for seed in SEEDS:
            yield task, draw_split(task, seed)


def _rows(part: Rows, cell: int | None = None) -> list[tuple[int, int]]:
    origin, index = (part.origin, part.index) if cell is None else (part.origin[cell], part.index[cell])
    return list(zip(np.ravel(origin).tolist(), np.ravel(index).tolist(), strict=True))


def _default(cls: type[Protocol], name: str) -> Any:
    """The default of an argument if that is a number."""
    known = {f.name: f.default for f in dataclasses.fields(cls)}
    value = known.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


CHECKS: dict[str, Callable[[type[Protocol]], str | None]] = {
    "is documented": described,
    "round-trips as text": round_trips,
    "draws disjoint parts": disjoint,
    "same seed, same split": deterministic,
    "other seeds, other splits": differs,
    "is nested where it says so": nested,
    "draws what it says": says_what_it_draws,
    "leaves global randomness alone": leaves_globals,
}
