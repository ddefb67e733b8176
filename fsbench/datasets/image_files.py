"""Image datasets from files in the data folder, at any size, grey or coloured."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path

from fsbench.datasets import files
from fsbench.datasets.about import About, image_sets
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.resizing import check_size, recolour, resize
from fsbench.errors import AbsentData, DataError, SpecError

_DISTINCT = "cifair10"


def find_file(name: str) -> Path | None:
    """The file of a dataset in the data folder, or None.

    It is `NAME.npz`, or another file that the catalogue names: `cifar10_first300.npz` is used as cifair10,
    with the first 300 training images of each class and the test images that have no near-duplicate in
    training.
    """
    names = dict.fromkeys([name, *image_sets()[name].fingerprints])
    found = (files.data_dir() / f"{each}.npz" for each in names)
    return next((path for path in found if path.is_file()), None)


def stamp(name: str) -> Hashable:
    """A value that changes with the file of a dataset; None without a file."""
    path = find_file(name)
    if path is None:
        return None
    state = path.stat()
    return str(path), state.st_mtime_ns, state.st_size


def require_file(about: About) -> Path:
    """The file of a dataset. Raises AbsentData, which says what to do."""
    path = find_file(about.name)
    if path is None:
        raise AbsentData(
            f"{about.name} is not in {files.data_dir()}: 'fsbench data fetch {about.name}' downloads it "
            f"(about {about.download} MB), or put a prepared {about.name}.npz there "
            f"(--data-dir or {files.DATA_DIR} names another folder)"
        )
    return path


def read_header(about: About) -> files.Header:
    """The header of a dataset's file. Raises AbsentData, or DataError if it is not as expected."""
    path = require_file(about)
    header = files.read_header(path, distinct=about.name == _DISTINCT)
    found = (len(header.class_counts), header.shape)
    if found != (about.num_classes, about.shape):
        given, expected = (
            f"{num} classes of {'x'.join(map(str, shape))} images"
            for num, shape in (found, (about.num_classes, about.shape))
        )
        raise DataError(f"{path} has {given}, {about.name} has {expected}; is it another dataset?")
    return header


def describer(about: About) -> Callable[..., DatasetInfo]:
    """The `describe` of a dataset: as in its file, with another `size`, or with 1 or 3 `channels`.

    The returned function raises AbsentData, DataError if the file is damaged, SpecError for a bad argument.
    """

    def describe(text: str, size: int = about.shape[-1], channels: int = about.shape[0]) -> DatasetInfo:
        header = read_header(about)
        check_size(text, size, about.shape)
        if channels not in (1, 3):
            raise SpecError(f"{text}: expected channels=1 or channels=3")
        return DatasetInfo(
            text=text,
            description=about.description,
            kind="image",
            shape=(channels, size, size),
            classes=about.classes or header.classes or tuple(map(str, range(about.num_classes))),
            class_counts=header.class_counts,
            licence=about.licence,
            citation=about.citation,
            symmetries=about.symmetries,
            test_counts=header.test_counts,
        )

    return describe


def load_image(info: DatasetInfo) -> Dataset:
    """Read a dataset's file, check its content, and scale it. Raises AbsentData or DataError."""
    about = image_sets()[info.name]
    dataset = read_checked(about, replace(info, shape=about.shape))
    if about.shape == info.shape:
        return dataset
    x = recolour(resize(dataset.x, info.shape[-1]), info.shape[0])
    return Dataset(info, x, dataset.y, dataset.test)


def read_checked(about: About, stored: DatasetInfo) -> Dataset:
    """The unchanged arrays of a dataset's file. Raises DataError if they are not as expected.

    They must have the fingerprint given in the file, and the one that fsbench knows, if any.
    """
    path = require_file(about)
    dataset = Dataset(stored, *files.read_arrays(path, distinct=about.name == _DISTINCT))
    for expected in (read_header(about).fingerprint, about.fingerprints.get(path.stem)):
        if expected and dataset.fingerprint != expected:
            raise DataError(
                f"{path} has other data than {about.name} should have (fingerprint "
                f"{dataset.fingerprint[:16]}, expected {expected[:16]}); remove it, then fetch it again"
            )
    return dataset
