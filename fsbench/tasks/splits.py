"""Splits: drawn and sealed by the parent, opened by workers.

The parent writes what a worker may see into a folder of `.npy` files. The labels of the test and of the
unlabelled part, and the numbers of the samples (which reveal the labels in a public dataset), stay in the
parent. Rows are in random order. Sealing prevents mistakes, and hides the labels from dishonest strategies;
it cannot stop code from loading a public dataset itself.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from fsbench.datasets.dataset import Dataset, digest
from fsbench.datasets.known import DATASETS, load_dataset
from fsbench.errors import DataError, FsbenchError, PluginError, StoreError, TaskError
from fsbench.evidence import Drawn
from fsbench.failure import one_line
from fsbench.kinds import get_kind
from fsbench.kinds.kind import Transform
from fsbench.tasks.checks import leak, malformed, torn_groups
from fsbench.tasks.drawing import Rows, Split, cells, group_numbers, join, stack
from fsbench.tasks.expressions import Task
from fsbench.tasks.parts import Part, without_labels
from fsbench.types import TaskInfo, task_from_dict, to_dict

_TASK_FILE = "task.json"


@dataclass(frozen=True, eq=False)
class SplitArrays:
    """What a worker sees of a split of E cells, as read-only memory maps.

    `train_x [E, N, ...]`, `val_x [E, V, ...]`, `test_x [E, M, ...]`, `unlabeled_x [U, ...]` and `source_x [S,
    ...]` are stored samples after the kind's preparation, which is fitted on the training part of the cell
    (for the source, on the source). Labels as given, `train_domain` (0 source, 1 target) and `train_group`
    (equal numbers for samples that belong together, if the data has groups) are int64 of the shapes `[E, N]`,
    `[E, V]` and `[S]`.
    """

    info: TaskInfo
    train_x: np.ndarray
    train_y: np.ndarray
    val_x: np.ndarray
    val_y: np.ndarray
    test_x: np.ndarray
    train_domain: np.ndarray | None = None
    train_group: np.ndarray | None = None
    unlabeled_x: np.ndarray | None = None
    source_x: np.ndarray | None = None
    source_y: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SealedSplit:
    """A split on disk, and what stays in the parent.

    `path` is the folder that workers open, `fingerprint` that of the split, `test_y` int64 `[E, M]` the
    labels of the test part, `val_y` `[E, V]` those of the validation part, `num_classes` the number of
    classes C, and `n_train` the number of training samples of all cells. `overlap` is as in a record: test
    samples per training sample if every split uses all samples of the dataset, otherwise 0. `drawn` has the
    ids of the samples in every part.
    """

    path: str
    fingerprint: str
    test_y: np.ndarray
    num_classes: int
    n_train: int
    overlap: float
    drawn: Drawn
    val_y: np.ndarray


def draw_split(task: Task, seed: int) -> Split:
    """One draw of a task, a function of the data, the task and the seed.

    Raises DataError or TaskError if it is impossible, PluginError for any other error of its protocol and for
    a split that is malformed, or whose parts share samples (`fsbench.tasks.checks`).
    """
    wrong = f"{task.text}: its protocol cannot draw split {seed}"
    try:
        split = task.protocol.draw(seed)
    except FsbenchError:
        raise
    except Exception as error:
        raise PluginError(f"{wrong} ({one_line(error)})") from error
    datasets = [load_dataset(text) for text in task.protocol.datasets]
    if problem := malformed(split, task.info, datasets):
        raise PluginError(f"{wrong} ({problem})")
    if found := leak(split):
        raise PluginError(f"{task.text}: its protocol draws {found}; the parts of a split must not share any")
    if found := torn_groups(split, datasets):
        raise PluginError(
            f"{task.text}: its protocol draws {found}; what belongs together must stay together"
        )
    parts = (split.train, split.val, split.test, split.unlabeled, split.source)
    arrays = [array for part in parts if part is not None for array in (part.index, part.y, part.origin)]
    fingerprints = [dataset.fingerprint for dataset in datasets]
    if split.unlabeled is not None:
        fingerprints += [d.unlabeled_fingerprint for d in datasets if d.unlabeled is not None]
    return replace(split, fingerprint=digest(arrays, task.text, *fingerprints))


def take(task: Task, split: Split, seed: int, part: Part) -> tuple[Task, Split]:
    """A part of a task's split as a task and a split of its own, with the fingerprint of the whole split.

    Raises TaskError if there are too few labels, or no unlabelled inputs where the part needs them.
    """
    found = split if part.fold is None else task.protocol.hold_out(split, part.fold, seed)
    if not part.keeps_val:
        found = replace(found, train=join([found.train, found.val]), val=found.val.first(0))
    if part.unlabeled:
        if split.unlabeled is None:
            raise TaskError(f"{task.text}: there are no unlabelled inputs to compare configurations on")
        found = replace(found, test=stack([without_labels(split.unlabeled)]))
    info = _described(task.info, found)
    if found.source is not None and found.source is not split.source:
        info = replace(info, source_classes=len(np.unique(found.source.y)))
    return replace(task, info=info), replace(found, fingerprint=split.fingerprint)


def materialise(task: Task, split: Split, folder: Path) -> SealedSplit:
    """Write what workers may see of a task's split into a new `folder`, completely or not at all.

    Raises StoreError if it cannot be written.
    """
    try:
        _write(folder, _visible_arrays(task, split), json.dumps(to_dict(task.info), indent=1))
    except OSError as error:
        raise StoreError(
            f"cannot write the split of {task.text} to {folder}: {error.strerror or error}; free some space "
            "there or name another folder"
        ) from error
    n_train, test_y = split.train.y.size, split.test.y
    overlap = test_y.size / n_train if task.protocol.exhaustive else 0.0
    return SealedSplit(
        str(folder),
        split.fingerprint,
        test_y,
        task.info.num_classes,
        n_train,
        overlap,
        drawn(task, split),
        split.val.y,
    )


def drawn(task: Task, split: Split) -> Drawn:
    """The ids of the samples of a task's split and its test labels, to store beside records."""
    return Drawn(
        train=_ids(split.train),
        val=_ids(split.val),
        test=_ids(split.test),
        test_y=split.test.y,
        unlabeled=np.sort(_ids(split.unlabeled)),
        source=np.sort(_ids(split.source)),
        datasets=task.protocol.datasets,
        marks=tuple(map(_mark, task.protocol.datasets)),
    )


def _mark(text: str) -> str:
    """The beginning of the fingerprint of a dataset that is a user's own; "" of others."""
    added = DATASETS[text].added if text in DATASETS else None
    return added.fingerprint[:12] if added else ""


def _ids(rows: Rows | None) -> np.ndarray:
    return np.zeros(0, dtype=np.int64) if rows is None else (rows.origin << 32) + rows.index


def open_split(path: str) -> SplitArrays:
    """Map the arrays of a split's folder. Raises DataError if it is not complete."""
    folder = Path(path)
    try:
        info = task_from_dict(json.loads((folder / _TASK_FILE).read_text(encoding="utf-8")))
        arrays = {
            f.name: np.load(folder / f"{f.name}.npy", mmap_mode="r", allow_pickle=False)
            for f in fields(SplitArrays)
            if (folder / f"{f.name}.npy").exists()
        }
        return SplitArrays(info, **arrays)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is not the folder of a split: {' '.join(str(error).split())}") from error


def _described(info: TaskInfo, split: Split) -> TaskInfo:
    """What a strategy may know about a part."""
    info = replace(info, num_val=split.val.y.shape[1])
    if info.protocol == "shift":  # its labels are counted on the target, and validation labels are not there
        return info
    counts = Counter(split.train.y[0].tolist())
    balanced = info.balanced and len(set(counts.values())) == 1
    return replace(info, labels_per_class=max(counts.values()), balanced=balanced)


def preparation(task: Task, split: Split) -> Transform:
    """The preparation of a task's stored inputs `[E, M, ...]`, fitted on the training part of a split."""
    datasets = [load_dataset(text) for text in task.protocol.datasets]
    return _fitted(task, datasets, split.train, _gather(datasets, split.train))


def _fitted(task: Task, datasets: list[Dataset], rows: Rows, x: np.ndarray) -> Transform:
    """The preparation of inputs, fitted on the inputs `x` of some rows."""
    return get_kind(task.info.kind).fit(x, _dataset_of(datasets, rows).info)


def _visible_arrays(task: Task, split: Split) -> Iterator[tuple[str, np.ndarray]]:
    """What workers may see, by the names of SplitArrays."""
    datasets = [load_dataset(text) for text in task.protocol.datasets]
    train_x = _gather(datasets, split.train)
    transform = _fitted(task, datasets, split.train, train_x)
    yield "train_x", transform(train_x)
    yield "train_y", split.train.y
    yield "val_x", transform(_gather(datasets, split.val))
    yield "val_y", split.val.y
    yield "test_x", transform(_gather(datasets, split.test))
    if task.info.protocol == "shift":
        yield "train_domain", split.train.origin
    if any(dataset.groups is not None for dataset in datasets):
        yield "train_group", np.stack([group_numbers(rows, datasets) for rows in cells(split.train)])
    if split.unlabeled is not None:
        yield "unlabeled_x", transform(_gather(datasets, split.unlabeled)[None])[0]
    if split.source is not None:
        source_x = _gather(datasets, split.source)[None]
        yield "source_x", _fitted(task, datasets, split.source, source_x)(source_x)[0]
        yield "source_y", split.source.y


def _gather(datasets: list[Dataset], rows: Rows) -> np.ndarray:
    """The stored inputs of rows, `[E, N, ...]` or `[N, ...]`."""
    first = _dataset_of(datasets, rows)
    if len(np.unique(rows.origin)) < 2:
        return first.inputs(rows.index)
    x = np.empty((*rows.index.shape, *first.x.shape[1:]), dtype=first.x.dtype)
    for origin, dataset in enumerate(datasets):
        chosen = rows.origin == origin
        if chosen.any():
            x[chosen] = dataset.inputs(rows.index[chosen])
    return x


def _dataset_of(datasets: list[Dataset], rows: Rows) -> Dataset:
    return datasets[int(rows.origin.flat[0]) if rows.origin.size else 0]


def _write(folder: Path, arrays: Iterable[tuple[str, np.ndarray]], task: str) -> None:
    """Write arrays one at a time, so that only one is in memory, into a folder of read-only files."""
    folder.mkdir(parents=True)
    try:
        for name, array in arrays:
            _save(folder / f"{name}.npy", array)
        (folder / _TASK_FILE).write_text(task, encoding="utf-8")
        for file in folder.iterdir():
            file.chmod(0o444)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _save(file: Path, array: np.ndarray) -> None:
    # Not with numpy's own function, which does not report a full disk.
    array = np.ascontiguousarray(array)
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
        out.write(array.reshape(-1).view(np.uint8).data)
