"""Text datasets that are kept as files: `NAME.train.tsv.gz` and `NAME.test.tsv.gz` in the data folder.

A line is a label from 0, a tab, and a text in UTF-8. `NAME.500.tsv.gz` and the like are subsets of the
training part. The files may also be in the folder `texts` of the data folder.
"""

from __future__ import annotations

import functools
import gzip
import tomllib
import zlib
from collections.abc import Hashable
from importlib import resources
from pathlib import Path

import numpy as np

from fsbench.datasets.about import About
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.files import DATA_DIR, data_dir
from fsbench.errors import AbsentData, DataError
from fsbench.kinds.text import LONGEST, encode_texts

_PREPARED = "; as prepared by Wei & Zou 2019, EDA: easy data augmentation techniques, EMNLP-IJCNLP"
_MOST_BYTES = 2**30


@functools.cache
def text_sets() -> dict[str, About]:
    """The text datasets that are kept as files, by name."""
    known = tomllib.loads((resources.files("fsbench.datasets") / "texts.toml").read_text(encoding="utf-8"))
    return {
        name: About(
            name=name,
            description=facts["description"],
            kind="text",
            licence="none stated",
            citation=facts["citation"] + _PREPARED,
            family=name,
            num_classes=len(facts["classes"]),
            classes=tuple(facts["classes"]),
            fingerprints=facts.get("fingerprints", {}),
            by_hand=f"put {name}.train.tsv.gz and {name}.test.tsv.gz there, as docs/datasets.md says",
        )
        for name, facts in known.items()
    }


def find_files(name: str) -> tuple[Path, ...]:
    """The two files of a dataset; none without both."""
    return _paths(name, 0) or ()


def stamp(name: str) -> Hashable:
    """A value that changes with the files of a dataset; None without them."""
    found = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in find_files(name)]
    return tuple(found) or None


def text_info(text: str, train: int = 0) -> DatasetInfo:
    """A dataset with all training texts, or with the subset file of `train` of them.

    Raises AbsentData without the files, DataError if they are damaged.
    """
    about = text_sets()[text.partition("(")[0]]
    texts, y, test = _read(about, train)
    return DatasetInfo(
        text=text,
        description=about.description,
        kind="text",
        shape=(min(LONGEST, max(len(each.encode()) for each in texts)),),
        classes=about.classes,
        class_counts=tuple(np.bincount(y).tolist()),
        licence=about.licence,
        citation=about.citation,
        test_counts=tuple(np.bincount(y[test], minlength=len(about.classes)).tolist()),
    )


def load_text(info: DatasetInfo, train: int) -> Dataset:
    """The texts of both files. Raises DataError if they are not those that fsbench knows."""
    about = text_sets()[info.name]
    texts, y, test = _read(about, train)
    dataset = Dataset(info, encode_texts(texts, info.shape[0]), y, test)
    expected = about.fingerprints.get(str(train or "train"))
    if expected and dataset.fingerprint != expected:
        raise DataError(
            f"{info.text} in {data_dir()} has other data than fsbench knows (fingerprint "
            f"{dataset.fingerprint[:16]}, expected {expected[:16]}); get the files again"
        )
    return dataset


def _paths(name: str, train: int) -> tuple[Path, Path] | None:
    """The files with the training and the test part, None if they are not here."""
    for folder in (data_dir(), data_dir() / "texts"):
        paths = folder / f"{name}.{train or 'train'}.tsv.gz", folder / f"{name}.test.tsv.gz"
        if all(path.is_file() for path in paths):
            return paths
    return None


def _read(about: About, train: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The texts of both parts, their labels int64 `[N]`, and which are for the test, bool `[N]`."""
    paths = _paths(about.name, train)
    if paths is None:
        part = f" with a subset of {train}" if train else ""
        raise AbsentData(
            f"{about.name}{part} is not in {data_dir()}: {about.by_hand} (--data-dir or {DATA_DIR} names "
            "another folder)"
        )
    parts = [_lines(path, path.stat().st_mtime_ns, len(about.classes)) for path in paths]
    texts = [text for found, _ in parts for text in found]
    labels = np.array([label for _, found in parts for label in found], dtype=np.int64)
    return texts, labels, np.arange(len(labels)) >= len(parts[0][0])


@functools.lru_cache(maxsize=32)
def _lines(path: Path, stamp: int, classes: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The texts and the labels of a file. Raises DataError for a file in another form."""
    try:
        with gzip.open(path) as file:
            whole = file.read(_MOST_BYTES + 1).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}; get it again") from error
    rows = [line.partition("\t") for line in whole.splitlines() if line]
    wrong = [n for n, (label, _, text) in enumerate(rows, 1) if not _is_row(label, text, classes)]
    if wrong or not rows or len(whole) > _MOST_BYTES:
        where = f"line {wrong[0]}" if wrong else "it"
        raise DataError(
            f"{path}: {where} is not a label from 0 to {classes - 1}, a tab and a text; get it again"
        )
    return tuple(text for _, _, text in rows), tuple(int(label) for label, _, _ in rows)


def _is_row(label: str, text: str, classes: int) -> bool:
    return label.isascii() and label.isdigit() and int(label) < classes and bool(text.strip())
