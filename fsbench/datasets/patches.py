"""`patches`: small parts of two photographs, which scikit-learn ships.

A class is one of six regions of one of the photographs, and a sample is a square part of it; parts of one
region overlap. The images have nothing in common with characters or digits: they are a source from which a
strategy should learn nothing that helps there.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.resizing import resize
from fsbench.errors import SpecError

_PHOTOS = ("china", "flower")
_ROWS, _COLUMNS = 2, 3
_PER_SIDE = 10
_SIDE = 48
_SMALLEST = 4


def patches_info(text: str, size: int = 28) -> DatasetInfo:
    """Patches with a `size` of 4 to 48 pixels a side. Raises SpecError for other sizes."""
    if not _SMALLEST <= size <= _SIDE:
        raise SpecError(f"{text}: expected a size from {_SMALLEST} to {_SIDE}")
    classes = tuple(
        f"{photo}-{row}{column}" for photo in _PHOTOS for row in range(_ROWS) for column in range(_COLUMNS)
    )
    return DatasetInfo(
        text=text,
        description="square parts of six regions of each of two photographs",
        kind="image",
        shape=(3, size, size),
        classes=classes,
        class_counts=(_PER_SIDE**2,) * len(classes),
        licence="CC BY 2.0",
        citation="photographs by danielbuechele and vultilion on Flickr; via scikit-learn",
        symmetries=frozenset({"hflip", "colour"}),
    )


def load_patches(info: DatasetInfo) -> Dataset:
    """Cut the patches out of the photographs, as Pillow decodes them, and reduce them to their size."""
    regions = [region for photo in _PHOTOS for region in _regions(_read(photo))]
    patches = np.stack([patch for region in regions for patch in _cut(region)])
    x = resize(patches.transpose(0, 3, 1, 2), info.shape[-1])
    return Dataset(info, np.ascontiguousarray(x), np.repeat(np.arange(len(regions)), _PER_SIDE**2))


def _read(photo: str) -> np.ndarray:
    """A photograph, uint8 `[H, W, 3]`. Raises ImportError without scikit-learn."""
    from PIL import Image

    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ImportError("scikit-learn is not installed")
    with Image.open(Path(found.origin).parent / "datasets" / "images" / f"{photo}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def _regions(photo: np.ndarray) -> list[np.ndarray]:
    """The regions of a photograph, row by row, equal in size."""
    height, width = photo.shape[0] // _ROWS, photo.shape[1] // _COLUMNS
    return [
        photo[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row in range(_ROWS)
        for column in range(_COLUMNS)
    ]


def _cut(region: np.ndarray) -> list[np.ndarray]:
    """The patches of a region, evenly spread over it."""
    tops, lefts = (np.linspace(0, side - _SIDE, _PER_SIDE).astype(int) for side in region.shape[:2])
    return [region[top : top + _SIDE, left : left + _SIDE] for top in tops for left in lefts]
