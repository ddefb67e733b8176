"""Which classes can be used, and what is doubtful about them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fsbench.errors import DataError
from fsbench.own.samples import TEST, TRAIN, Samples, some, warn_of_spellings

_SHOWN = 5
_MANY_CLASSES, _FEW_SAMPLES = 10, 5
_WHOLE = re.compile(r"-?\d+")
_BETWEEN_LABELS = re.compile(r"\s*[,;|]\s*")


def without_lone_classes(samples: Samples, path: str, said: Sequence[str]) -> Samples:
    """Leave out classes that cannot be both learned and held out. Raises DataError if fewer than two remain.

    Its message ends with what became of others, or with the last of what was `said` of the files.
    """
    lone: dict[str, list[str]] = {}
    kept = np.ones(len(samples.y), dtype=bool)
    for label, name in enumerate(samples.classes):
        members = samples.y == label
        if samples.part is None:
            units = members.sum() if samples.groups is None else len(np.unique(samples.groups[members]))
            problem = _lone(int(members.sum()), samples.kind.sample) if units < 2 else ""
        else:
            problem = "no training samples" if not (members & (samples.part == TRAIN)).any() else ""
        if problem:
            lone.setdefault(problem, []).append(repr(name))
            kept &= ~members
    remarks = [_left_out(names, problem) for problem, names in lone.items()]
    samples.warnings.extend(remarks)
    samples = samples if kept.all() else samples.keep(kept)
    if len(samples.classes) < 2:
        none = f"no class with two {samples.kind.sample}s that do not belong together"
        left = f"one class only, {samples.classes[0]!r}" if samples.classes else none
        why = f" ({'; '.join((*said, *remarks)[-2:])})" if (*said, *remarks) else ""
        raise DataError(f"{path} has {left}; fsbench needs two with a few samples each{why}")
    if samples.part is not None and not (samples.part == TEST).any():
        raise DataError(f"{path}: the test part is empty; fill it, or leave it out so that fsbench draws one")
    return samples


def check_names(classes: Sequence[str], path: str) -> None:
    """Raise DataError if two classes are shown alike."""
    twice = [name for number, name in enumerate(classes) if name in classes[:number]]
    if twice:
        raise DataError(
            f"{path} has two classes that are both shown as {twice[0]!r}, because some of their characters "
            "cannot be shown; rename one"
        )


def _lone(count: int, sample: str) -> str:
    if count == 1:
        return f"one {sample} only, so none can be held out"
    return f"{count} {sample}s that belong together, so none can be held out"


def _left_out(names: Sequence[str], problem: str) -> str:
    if len(names) == 1:
        return f"class {names[0]} left out: it has {problem}"
    return f"classes {some(names, _SHOWN)} left out: each has {problem}"


def warn_of_classes(samples: Samples, remarks: list[str]) -> None:
    """Warn of classes that are spelled alike, are several labels in one, or look like quantities."""
    warn_of_spellings(samples.classes, "class", "classes", remarks)
    if joined := _joined(samples.classes):
        remarks.append(
            f"classes {some(joined)} look like several labels of one {samples.kind.sample}, and are read as "
            "classes of their own; give each one label, or ask about one label at a time (with or without it)"
        )
    few = np.median(np.bincount(samples.y)) < _FEW_SAMPLES
    if few and len(samples.classes) > _MANY_CLASSES and all(map(_WHOLE.fullmatch, samples.classes)):
        remarks.append(
            f"the classes are {len(samples.classes)} whole numbers with few {samples.kind.sample}s each; if "
            "they are a quantity, make classes of it first (low, medium, high)"
        )


def _joined(classes: Sequence[str]) -> list[str]:
    """Classes such as `cat,dog` where `cat` is a class too, and `dog` at least a part of another one."""
    parts = {name: set(_BETWEEN_LABELS.split(name)) for name in classes}
    several = {name: each for name, each in parts.items() if len(each) > 1 and "" not in each}

    def elsewhere(name: str, label: str) -> bool:
        return any(label in each for other, each in parts.items() if other != name)

    found = [repr(name) for name, each in several.items() if all(elsewhere(name, label) for label in each)]
    alone = any(each & set(classes) for each in several.values())
    whole = [repr(name) for name, each in several.items() if each <= set(classes)]
    return found if alone and len(found) > 1 else whole
