"""From a path to a dataset: reads, checks and groups samples, and reports to the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DATASETS, add_dataset, dataset_names
from fsbench.errors import DataError
from fsbench.own.belonging import find_groups
from fsbench.own.copies import copies_of_target, warn_of_copies
from fsbench.own.given import OwnData, valid_name
from fsbench.own.samples import PARTS, TEST, TRAIN, VAL, Progress, Samples, some
from fsbench.tasks.protocols.holdout import held_out
from fsbench.words import plural

_UNEVEN = 10
_FEW_TESTED = 3
_own_names: set[str] = set()


@dataclass(frozen=True)
class Reading:
    """A dataset that was read, with lines of text: `facts` about it, and `warnings` about what to check."""

    dataset: Dataset
    facts: tuple[str, ...]
    warnings: tuple[str, ...]

    def register(self) -> str:
        """Give the dataset its name in this process, in place of an earlier reading; returns the name."""
        name = self.dataset.info.text
        if name in _own_names:
            DATASETS.pop(name, None)
        _own_names.add(name)
        return add_dataset(self.dataset)


def read_own(data: OwnData, progress: Progress = lambda done, total: None) -> Reading:
    """Read the user's own data into a dataset, whose name is the last part of the path.

    Near-duplicates (images), equal rows (tables) and the samples of a given group share a group, which no
    split divides. A class with a single group is left out, because it cannot be both learned and tested.
    Raises UsageError for options that do not fit, DataError for data that cannot be used.
    """
    samples = _read(data, progress)
    given = 0 if samples.groups is None else len(np.unique(samples.groups))
    samples.groups = find_groups(samples)
    samples = _without_lone_classes(samples, str(data.path))
    _check_names(samples.classes, str(data.path))
    if samples.features:
        copies = copies_of_target(samples.x, samples.columns, samples.y, samples.features)
        warn_of_copies(copies, samples.warnings)
    _warn_of_sizes(samples)
    name = valid_name(Path(data.path).resolve(), set(dataset_names()) - _own_names)
    dataset = _dataset(samples, name, data)
    return Reading(dataset, tuple(_facts(dataset, samples, data, given)), tuple(samples.warnings))


def _read(data: OwnData, progress: Progress) -> Samples:
    from fsbench.own.archives import read_archive
    from fsbench.own.folders import read_folder
    from fsbench.own.table_files import read_table

    path = Path(data.path)
    try:
        there = path.exists()
    except OSError as error:
        raise DataError(f"cannot read {data.path}: {error.strerror or error}") from None
    if path.is_dir():
        return read_folder(data, progress)
    if not there:
        raise DataError(f"there is nothing at {data.path}; give a folder of images, a .csv or an .npz")
    if path.is_file() and path.suffix.lower() == ".npz":
        return read_archive(data, progress)
    if path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return read_table(data)
    raise DataError(f"fsbench cannot read {data.path}; give a folder of images, a .csv or an .npz")


def _without_lone_classes(samples: Samples, path: str) -> Samples:
    """Leave out classes that cannot be both learned and tested. Raises DataError if fewer than two remain."""
    kept = np.ones(len(samples.y), dtype=bool)
    for label, name in enumerate(samples.classes):
        members = samples.y == label
        if samples.part is None:
            units = members.sum() if samples.groups is None else len(np.unique(samples.groups[members]))
            problem = _lone(int(members.sum()), samples.kind.sample) if units < 2 else ""
        else:
            problem = "no training samples" if not (members & (samples.part == TRAIN)).any() else ""
        if problem:
            samples.warnings.append(f"class {name!r} left out: it has {problem}")
            kept &= ~members
    samples = samples if kept.all() else samples.keep(kept)
    if len(samples.classes) < 2:
        left = f"one class only, {samples.classes[0]!r}" if samples.classes else "no class"
        why = f" ({'; '.join(samples.warnings[-2:])})" if samples.warnings else ""
        raise DataError(f"{path} has {left}; fsbench needs two with a few samples each{why}")
    if samples.part is not None and not (samples.part == TEST).any():
        raise DataError(f"{path}: the test part is empty; fill it, or leave it out so that fsbench draws one")
    return samples


def _check_names(classes: Sequence[str], path: str) -> None:
    twice = [name for number, name in enumerate(classes) if name in classes[:number]]
    if twice:
        raise DataError(
            f"{path} has two classes that are both shown as {twice[0]!r}, because some of their characters "
            "cannot be shown; rename one"
        )


def _lone(count: int, sample: str) -> str:
    if count == 1:
        return f"one {sample} only, which cannot be both in training and in the test"
    return f"{count} {sample}s that belong together, which cannot be both in training and in the test"


def _warn_of_sizes(samples: Samples) -> None:
    counts = np.bincount(samples.y)
    large, small = int(counts.argmax()), int(counts.argmin())
    if counts[large] >= _UNEVEN * counts[small]:
        samples.warnings.append(
            f"classes differ much in size ({samples.classes[large]} {counts[large]}, "
            f"{samples.classes[small]} {counts[small]}): balanced accuracy weights them equally"
        )
    if samples.part is None:
        tested = held_out(counts)
    else:
        tested = np.bincount(samples.y[samples.part == TEST], minlength=len(counts))
    _warn_of_steps(samples, tested)
    if samples.part is None:
        return
    missing = [repr(name) for name, count in zip(samples.classes, tested, strict=True) if not count]
    if missing:
        samples.warnings.append(f"the test part has no sample of {some(missing)}")
    if (samples.part == VAL).any():
        samples.warnings.append(
            "train, val and test are given, and holdout keeps them: seeds differ only in initial weights "
            "and batches, so intervals say nothing about other data; other protocols draw training and "
            "validation samples from train and val together"
        )


def _warn_of_steps(samples: Samples, tested: np.ndarray) -> None:
    """Warn if one test sample of the smallest class changes the score by a lot."""
    there = np.flatnonzero(tested)
    label = there[tested[there].argmin()]
    if tested[label] < _FEW_TESTED:
        whose = "a test of holdout" if samples.part is None else "the test part"
        points = 100 / (tested[label] * len(there))
        samples.warnings.append(
            f"{whose} has {plural(int(tested[label]), samples.kind.sample)} of class "
            f"{samples.classes[label]!r}: one more right or wrong changes balanced accuracy by {points:.0f} "
            "points, so only large differences can be significant"
        )


def _dataset(samples: Samples, name: str, data: OwnData) -> Dataset:
    kind = samples.kind
    symmetries = kind.assumed_symmetries if data.symmetries is None else data.symmetries
    test, test_counts = _given(samples, TEST)
    val, val_counts = _given(samples, VAL)
    info = DatasetInfo(
        text=name,
        description=f"own data: {plural(len(samples.y), samples.kind.sample)}",
        kind=kind.name,
        shape=kind.seen_shape(samples.x.shape[1:], samples.columns),
        classes=tuple(samples.classes),
        class_counts=tuple(np.bincount(samples.y).tolist()),
        licence="own data",
        citation=f"own data {name}",
        symmetries=frozenset(symmetries),
        test_counts=test_counts,
        val_counts=val_counts,
        columns=samples.columns,
        grouped=samples.groups is not None,
    )
    variant = "" if data.symmetries is None else f"symmetries {' '.join(sorted(symmetries))}"
    return Dataset(info, samples.x, samples.y, test, samples.groups, val, variant)


def _given(samples: Samples, number: int) -> tuple[np.ndarray | None, tuple[int, ...]]:
    """A given part as a mask bool `[N]`, and its sample counts per class; None and () if there is none."""
    if samples.part is None or not (samples.part == number).any():
        return None, ()
    mask = samples.part == number
    return mask, tuple(np.bincount(samples.y[mask], minlength=len(samples.classes)).tolist())


def _facts(dataset: Dataset, samples: Samples, data: OwnData, groups: int) -> Sequence[str]:
    info = dataset.info
    per_class = [f"{name} {count}" for name, count in zip(info.classes, info.class_counts, strict=True)]
    facts = [
        f"{data.path}: {plural(info.n, samples.kind.sample)} of {samples.kind.describe(info, dataset.x)}",
        f"labels of {info.num_classes} classes: {some(per_class, 20)}",
    ]
    if samples.part is not None:
        sizes = [(part, int((samples.part == n).sum())) for n, part in enumerate(PARTS)]
        facts.append(f"parts as given: {', '.join(f'{part} {size}' for part, size in sizes if size)}")
    if groups:
        facts.append(f"{plural(groups, 'group')} by {data.group or 'groups'}, none of which a split divides")
    if samples.kind.symmetries:
        kept = ", ".join(sorted(info.symmetries)) or "nothing"
        facts.append(f"assumed to keep a label: {kept} (change it with symmetries)")
    facts.append(f"its name in tasks and tables is {info.text}")
    return facts
