"""From a path to a dataset: reads, checks and groups samples, and reports to the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DATASETS, add_dataset, dataset_names
from fsbench.errors import DataError
from fsbench.own.belonging import belong, find_groups
from fsbench.own.classes import check_names, warn_of_classes, without_lone_classes
from fsbench.own.copies import warn_of_copies
from fsbench.own.domains import separate
from fsbench.own.files import read_samples
from fsbench.own.form import Form
from fsbench.own.given import OwnData, free_name, valid_name
from fsbench.own.samples import (
    PARTS,
    TEST,
    VAL,
    Inputs,
    Progress,
    Samples,
    safe_name,
    some,
)
from fsbench.tasks.drawing import test_count
from fsbench.tasks.protocols.holdout import held_out
from fsbench.words import plural

_UNEVEN = 10
_FEW_TESTED = 3
_LARGE_STEP = 2
_own_names: set[str] = set()


@dataclass(frozen=True)
class Reading:
    """A dataset that was read, with lines of text: `facts` about it, and `warnings` about what to check.

    If there are two domains, `dataset` is the one to learn from and `target` the one to be tested on. `form`
    says how further inputs are read alike.
    """

    dataset: Dataset
    facts: tuple[str, ...]
    warnings: tuple[str, ...]
    target: Dataset | None = None
    form: Form | None = None

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The dataset, and the target if there is one."""
        return (self.dataset,) if self.target is None else (self.dataset, self.target)

    @property
    def task(self) -> str:
        """The task of a run without tasks: it uses all that was read."""
        names = ", ".join(dataset.info.text for dataset in self.datasets)
        if self.target is not None:
            return f"shift({names})"
        return f"holdout({names}, unlabeled=all)" if self.dataset.info.num_unlabeled else f"holdout({names})"

    def register(self) -> str:
        """Give the datasets their names in this process, in place of earlier ones; returns the first."""
        for name in (dataset.info.text for dataset in self.datasets):
            if name in _own_names:
                DATASETS.pop(name, None)
            _own_names.add(name)
        names = [add_dataset(dataset) for dataset in self.datasets]
        return names[0]


def read_own(data: OwnData, progress: Progress = lambda done, total: None) -> Reading:
    """Read the user's own data into a dataset, whose name is the last part of the path, or into two domains.

    Near-duplicates (images), equal rows (tables) and the samples of a given group share a group, which no
    split divides. A class with a single group is left out, because it cannot be both learned and tested.
    Unlabelled inputs that repeat a labelled sample, or are of its given group, are left out. Raises
    UsageError for options that do not fit, DataError for data that cannot be used.
    """
    samples = read_samples(data, progress)
    given = 0 if samples.groups is None else len(np.unique(samples.groups))
    said = tuple(samples.warnings)
    if samples.unlabeled is not None:
        samples.unlabeled = _without_repeats(samples, samples.unlabeled, str(data.unlabeled))
    samples.groups = find_groups(samples)
    if samples.domain is None:
        parts = [without_lone_classes(samples, str(data.path), said)]
    else:
        parts = list(separate(samples, str(data.path)))
    check_names(parts[0].classes, str(data.path))
    warn_of_classes(parts[0], samples.warnings)
    if samples.features:
        warn_of_copies(samples)
    names = _names(samples, data)
    datasets = [_dataset(part, name, data) for part, name in zip(parts, names, strict=True)]
    _warn_of_sizes(parts[-1], *_tested(parts[-1], datasets[-1].info))
    facts = _facts(datasets, parts, data, given)
    target = datasets[1] if len(datasets) > 1 else None
    return Reading(datasets[0], tuple(facts), tuple(samples.warnings), target, samples.form)


def _without_repeats(samples: Samples, more: Inputs, path: str) -> Inputs:
    """Leave out unlabelled inputs that repeat a labelled sample. Raises DataError if none is left."""
    twice, grouped = belong(samples, more), more.groups is not None
    if twice.all():
        raise DataError(
            f"{path}: each {samples.kind.sample} without a label repeats one with a label"
            f"{' or shares its group' * grouped}, which may be in the test; leave it out"
        )
    if twice.any():
        samples.warnings.append(
            f"{plural(int(twice.sum()), samples.kind.sample)} of {path} left out: they repeat samples with a "
            f"label{' or share their group' * grouped}, which may be in the test"
        )
    return more.keep(~twice)


def _names(samples: Samples, data: OwnData) -> list[str]:
    """The names of the datasets: of the path, of both paths, or of the path and the domains."""
    taken = set(dataset_names()) - _own_names
    base = valid_name(Path(data.path).resolve(), taken)
    if samples.domain is None:
        return [base]
    if data.target_data is not None:
        return [base, valid_name(Path(data.target_data).resolve(), {*taken, base})]
    first = free_name(f"{base}_{samples.domains[0]}", taken)
    return [first, free_name(f"{base}_{samples.domains[1]}", {*taken, first})]


def _tested(samples: Samples, info: DatasetInfo) -> tuple[str, np.ndarray]:
    """What a test is called, and how many samples of each class it has, int64 `[C]`."""
    if samples.domain is not None:
        return "a test of shift", np.array([test_count(info, label) for label in range(info.num_classes)])
    counts = np.bincount(samples.y)
    if samples.part is None:
        return "a test of holdout", held_out(counts)
    return "the test part", np.bincount(samples.y[samples.part == TEST], minlength=len(counts))


def _warn_of_sizes(samples: Samples, whose: str, tested: np.ndarray) -> None:
    counts = np.bincount(samples.y)
    large, small = int(counts.argmax()), int(counts.argmin())
    if counts[large] >= _UNEVEN * counts[small]:
        samples.warnings.append(
            f"classes differ much in size ({samples.classes[large]} {counts[large]}, "
            f"{samples.classes[small]} {counts[small]}): balanced accuracy weights them equally"
        )
    _warn_of_steps(samples, whose, tested)
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


def _warn_of_steps(samples: Samples, whose: str, tested: np.ndarray) -> None:
    """Warn if one test sample of the smallest class changes the score by a lot."""
    there = np.flatnonzero(tested)
    label = there[tested[there].argmin()]
    points = 100 / (tested[label] * len(there))
    if tested[label] < _FEW_TESTED and points >= _LARGE_STEP:
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
    stored = samples.x.shape[1:]
    seen = kind.seen_shape(stored, samples.columns)
    shape = stored if data.image_size else seen
    info = DatasetInfo(
        text=name,
        description=f"own data: {plural(len(samples.y), samples.kind.sample)}",
        kind=kind.name,
        shape=shape,
        classes=tuple(samples.classes),
        class_counts=tuple(np.bincount(samples.y).tolist()),
        licence="own data",
        citation=f"own data {name}",
        symmetries=frozenset(symmetries),
        test_counts=test_counts,
        val_counts=val_counts,
        columns=samples.columns,
        grouped=samples.groups is not None,
        num_unlabeled=0 if samples.unlabeled is None else len(samples.unlabeled.x),
        stored=() if samples.columns or stored == shape else stored,
    )
    unlabeled = None if samples.unlabeled is None else samples.unlabeled.x
    variant = [f"symmetries {' '.join(sorted(symmetries))}"] if data.symmetries is not None else []
    variant += [f"seen in {list(shape)}"] if shape != seen else []
    return Dataset(info, samples.x, samples.y, test, samples.groups, val, "; ".join(variant), unlabeled)


def _given(samples: Samples, number: int) -> tuple[np.ndarray | None, tuple[int, ...]]:
    """A given part as a mask bool `[N]`, and its sample counts per class; None and () if there is none."""
    if samples.part is None or not (samples.part == number).any():
        return None, ()
    mask = samples.part == number
    return mask, tuple(np.bincount(samples.y[mask], minlength=len(samples.classes)).tolist())


def _facts(
    datasets: Sequence[Dataset], parts: Sequence[Samples], data: OwnData, groups: int
) -> Iterator[str]:
    info, samples = datasets[0].info, parts[0]
    for place, (dataset, part) in enumerate(zip(datasets, parts, strict=True)):
        per_class = [
            f"{name} {n}" for name, n in zip(dataset.info.classes, dataset.info.class_counts, strict=True)
        ]
        what = part.kind.describe(dataset.info, dataset.x)
        yield f"{_where(part, data, place)}: {plural(dataset.info.n, part.kind.sample)} of {what}"
        yield f"labels of {dataset.info.num_classes} classes: {some(per_class, 20)}"
    if info.num_unlabeled:
        yield f"{data.unlabeled}: {plural(info.num_unlabeled, samples.kind.sample)} without a label"
    if samples.part is not None:
        sizes = [(part, int((samples.part == n).sum())) for n, part in enumerate(PARTS)]
        yield f"parts as given: {', '.join(f'{part} {size}' for part, size in sizes if size)}"
    if groups:
        yield f"{plural(groups, 'group')} by {data.group or 'groups'}, none of which a split divides"
    if samples.kind.symmetries:
        kept = ", ".join(sorted(info.symmetries)) or "nothing"
        yield f"assumed to keep a label: {kept} (change it with --symmetries)"
    if len(datasets) == 1:
        yield f"its name in tasks and tables is {info.text}"
    else:
        yield (
            f"their names in tasks and tables are {info.text} (to learn from) and {datasets[1].info.text} "
            "(to be tested on; its labels are used for the test only)"
        )


def _where(samples: Samples, data: OwnData, place: int) -> str:
    """Where the samples of a domain come from."""
    if samples.dividing is not None:
        return f"{data.path}, {safe_name(samples.dividing)}={safe_name(samples.domains[place])}"
    return str(data.target_data if place else data.path)
