"""Omniglot: characters for episodes, with the usual split of classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fsbench.datasets.about import image_sets
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.image_files import read_checked, read_header
from fsbench.datasets.resizing import check_size, resize

TRAINING = 1200
"""Vinyals et al.'s split, as the code of Prototypical Networks and torchmeta lists it: of the characters in
the order of their alphabets (the 30 background ones by name, then the 20 of evaluation by name) the first
1200 are for meta-training and the last 423, from the 42nd of Gurmukhi on, for the test."""

_TURNS = 4
_SIZE = 28


def omniglot_info(text: str, size: int = _SIZE, rotations: bool = True) -> DatasetInfo:
    """Omniglot at a `size`; with `rotations`, a character turned by 90, 180 or 270 degrees is another class.

    Ink is bright on black. The test classes are Vinyals et al.'s 423 characters with their rotations. Raises
    AbsentData, DataError if the file is damaged, SpecError for a bad size.
    """
    about = image_sets()["omniglot"]
    header = read_header(about)
    check_size(text, size, about.shape)
    turns = _TURNS if rotations else 1
    names = header.classes or tuple(map(str, range(about.num_classes)))
    suffixes = [f"/rot{90 * turn:03}" for turn in range(turns)] if rotations else [""]
    return DatasetInfo(
        text=text,
        description=about.description,
        kind="image",
        shape=(1, size, size),
        classes=tuple(name + suffix for name in names for suffix in suffixes),
        class_counts=tuple(count for count in header.class_counts for _ in range(turns)),
        licence=about.licence,
        citation=about.citation,
        symmetries=about.symmetries,
        evaluation_classes=tuple(range(TRAINING * turns, len(names) * turns)),
    )


def load_omniglot(info: DatasetInfo) -> Dataset:
    """The samples of each character, then of each of its rotations. Raises AbsentData or DataError."""
    about = image_sets()["omniglot"]
    header = read_header(about)
    turns = info.num_classes // about.num_classes
    stored = replace(
        info,
        shape=about.shape,
        classes=tuple(map(str, range(about.num_classes))),
        class_counts=header.class_counts,
        evaluation_classes=(),
    )
    characters = read_checked(about, stored)
    x = resize(characters.x, info.shape[-1])
    turned = np.stack([np.rot90(x, turn, axes=(2, 3)) for turn in range(turns)])
    y = np.stack([characters.y * turns + turn for turn in range(turns)])
    return Dataset(info, turned.reshape(-1, *info.shape), y.reshape(-1))
