"""The files of datasets: one `NAME.npz` each in the data folder.

The canonical file has `x` (uint8 `[N, C, H, W]`), `y` (int64 `[N]`), `test` (bool `[N]`) if the dataset has
its own test part, and `about`, a JSON text with the names of the classes and the fingerprint. Files in the
layouts of `_LAYOUTS` are also read: images as uint8 `[N, H, W]` or `[N, H, W, C]`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.errors import DataError
from fsbench.files import replacing

DATA_DIR = "FSBENCH_DATA_DIR"

_LAYOUTS = (
    (("x", "y", False),),
    (("x_train", "y_train", False), ("x_test", "y_test", True)),
    (
        ("train_images", "train_labels", False),
        ("val_images", "val_labels", False),
        ("test_images", "test_labels", True),
    ),
    (("x", "character", False),),
)


@dataclass(frozen=True)
class Header:
    """What is known from a file before its images are read.

    `shape` is `(C, H, W)`; `class_counts` and `test_counts` are as in DatasetInfo; `classes` and
    `fingerprint` are empty if the file has none.
    """

    shape: tuple[int, ...]
    class_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    classes: tuple[str, ...]
    fingerprint: str


def data_dir() -> Path:
    """The folder of datasets: FSBENCH_DATA_DIR, or a folder in the user's cache."""
    if given := os.environ.get(DATA_DIR):
        return Path(given)
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        cache = "~/Library/Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "fsbench" / "data"


def read_header(path: Path, distinct: bool = False) -> Header:
    """The header of a file, read quickly and remembered until the file changes.

    `distinct` leaves out the test samples that `cifair_duplicates` numbers. Raises DataError for a file that
    is damaged or contains something else.
    """
    with _damage(path):
        stamp = path.stat()
    return _header(path, (stamp.st_mtime_ns, stamp.st_size), distinct)


@functools.lru_cache(maxsize=256)
def _header(path: Path, stamp: tuple[int, int], distinct: bool) -> Header:
    with _opened(path) as file:
        parts = _layout(path, file)
        shapes = {_image_shape(path, x, *_array_header(file, x)) for x, _, _ in parts}
        if len(shapes) != 1:
            raise DataError(f"{path}: images have the shapes {sorted(shapes)}, expected one")
        lengths = [_array_header(file, x)[0][0] for x, _, _ in parts]
        y, test = _labels(path, file, parts, lengths, distinct)
        about = _about(path, file)
        classes = tuple(about.get("classes", ())) or _class_names(file)
    num = max(len(classes), int(y.max()) + 1)
    counts = np.bincount(y, minlength=num)
    if not counts.all():
        raise DataError(
            f"{path}: class {int(counts.argmin())} has no samples, expected labels 0 to {num - 1}"
        )
    tested = () if test is None else tuple(np.bincount(y[test], minlength=num).tolist())
    return Header(shapes.pop(), tuple(counts.tolist()), tested, classes, about.get("fingerprint", ""))


def read_arrays(path: Path, distinct: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The canonical `x`, `y` and `test` of a file. Raises DataError as `read_header`."""
    with _opened(path) as file:
        parts = _layout(path, file)
        images = [_channels_first(file[x]) for x, _, _ in parts]
        y, test = _labels(path, file, parts, [len(part) for part in images], False)
        x = images[0] if len(images) == 1 else np.concatenate(images)
        kept = _kept(file, test) if distinct and test is not None else None
    if kept is not None and test is not None:
        x, y, test = x[kept], y[kept], test[kept]
    return np.ascontiguousarray(x), y, test


def write(path: Path, x: np.ndarray, y: np.ndarray, test: np.ndarray | None, about: dict[str, Any]) -> None:
    """Write a canonical file, uncompressed, completely or not at all. Raises OSError."""
    arrays = {"x": x, "y": y, "about": np.array(json.dumps(about))}
    arrays |= {} if test is None else {"test": test}
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The arrays of an npz, each read on demand. Raises DataError for a damaged file."""
    with _damage(path), path.open("rb") as raw:
        if not zipfile.is_zipfile(raw):
            raise ValueError("it is not an npz file")
        raw.seek(0)
        with np.load(raw, allow_pickle=False) as file:
            yield file


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn the errors of reading a damaged file into one line."""
    try:
        yield
    except (
        *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, RuntimeError),  # the last for a password or another compression
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"cannot read {path}: {reason}; remove it, then fetch or prepare it again") from error


def _layout(path: Path, file: Any) -> tuple[tuple[str, str, bool], ...]:
    for layout in _LAYOUTS:
        if all(x in file and y in file for x, y, _ in layout):
            return layout
    raise DataError(
        f"{path} has {', '.join(sorted(file.files)) or 'nothing'}; "
        "expected x and y, or x_train, y_train, x_test and y_test"
    )


def _array_header(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an array in an npz, of which only the first bytes are read."""
    with file.zip.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(member)
    return shape, dtype


def _image_shape(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The canonical `(C, H, W)` of images as stored."""
    last = _channels_are_last(shape)
    if dtype == np.uint8 and shape and min(shape) > 0:
        if len(shape) == 3:
            return (1, *shape[1:])
        if len(shape) == 4 and (last or shape[1] in (1, 3)):
            return (shape[3], shape[1], shape[2]) if last else shape[1:]
    raise DataError(
        f"{path}: {name} is {dtype} {list(shape)}, expected uint8 [N, H, W], [N, H, W, C] or [N, C, H, W] "
        "with 1 or 3 channels"
    )


def _channels_are_last(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[3] in (1, 3)


def _channels_first(images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if _channels_are_last(images.shape) else images


def _labels(
    path: Path, file: Any, parts: tuple[tuple[str, str, bool], ...], lengths: list[int], distinct: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The labels of all parts, int64 `[N]`, and which samples are in the test part, if there is one."""
    labels: list[np.ndarray] = []
    for (_, name, _), length in zip(parts, lengths, strict=True):
        y = single_label(file[name])
        if y.dtype.kind not in "iub" or y.shape != (length,):
            raise DataError(
                f"{path}: {name} is {y.dtype} {list(y.shape)}, expected whole numbers from 0, [{length}]"
            )
        if int(y.min()) < 0 or int(y.max()) >= sum(lengths):
            raise DataError(
                f"{path}: {name} goes from {y.min()} to {y.max()}, expected whole numbers from 0, each of "
                "which has a sample"
            )
        labels.append(y.astype(np.int64))
    y = np.concatenate(labels)
    test = np.repeat([is_test for _, _, is_test in parts], lengths) if len(parts) > 1 else None
    if "test" in file:
        test = file["test"]
        if test.dtype != np.bool_ or test.shape != y.shape:
            raise DataError(f"{path}: test is {test.dtype} {list(test.shape)}, expected bool {list(y.shape)}")
    if distinct and test is not None:
        kept = _kept(file, test)
        y, test = y[kept], test[kept]
    return y, test


def single_label(y: np.ndarray) -> np.ndarray:
    """One label per sample; for several yes-or-no labels `[N, L]`, whether any is set."""
    if y.ndim != 2:
        return y
    single: np.ndarray = y[:, 0] if y.shape[1] == 1 else np.any(y > 0, axis=1)
    return single


def _kept(file: Any, test: np.ndarray) -> np.ndarray:
    """Which samples are not in `cifair_duplicates`, which numbers test samples."""
    kept = np.ones(len(test), dtype=np.bool_)
    if "cifair_duplicates" in file:
        kept[np.flatnonzero(test)[file["cifair_duplicates"]]] = False
    return kept


def _about(path: Path, file: Any) -> dict[str, Any]:
    if "about" not in file:
        return {}
    about = json.loads(file["about"].item())
    if not isinstance(about, dict):
        raise DataError(f"{path}: about is {type(about).__name__}, expected a JSON object")
    classes = about.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"{path}: classes in about are {classes!r}, expected a list of names")
    if not isinstance(about.get("fingerprint", ""), str):
        raise DataError(f"{path}: the fingerprint in about is {about['fingerprint']!r}, expected a text")
    return about


def _class_names(file: Any) -> tuple[str, ...]:
    """The names of the classes in a file without `about`; characters are named after their alphabet."""
    if "classes" in file:
        return tuple(map(str, file["classes"]))
    if "alphabets" not in file:
        return ()
    names = file["alphabets"]
    _, first = np.unique(file["character"], return_index=True)
    numbers = itertools.groupby(file["alphabet"][first].tolist())
    return tuple(f"{names[a]}/character{n:02}" for a, group in numbers for n, _ in enumerate(group, 1))
