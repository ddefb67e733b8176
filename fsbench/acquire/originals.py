"""Converts the original files of image datasets, from torchvision and medmnist, to canonical arrays."""

from __future__ import annotations

import bz2
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsbench.datasets.about import About
from fsbench.datasets.files import single_label
from fsbench.errors import DataError

Arrays = tuple[np.ndarray, np.ndarray, "np.ndarray | None", tuple[str, ...]]
"""`x` uint8 `[N, C, H, W]`, `y` int64 `[N]`, `test` bool `[N]` or None, and the names of the classes."""

Tell = Callable[[int, int], None]
"""Called with the number of converted images, and the number of all images."""

_TRAIN_TEST = ({"split": "train"}, {"split": "test"})
_TRAIN_VAL_TEST = ({"split": "train"}, {"split": "val"}, {"split": "test"})
_PARTS: dict[str, tuple[dict[str, Any], ...]] = {
    "SVHN": _TRAIN_TEST,
    "STL10": _TRAIN_TEST,
    "GTSRB": _TRAIN_TEST,
    "Food101": _TRAIN_TEST,
    "DTD": _TRAIN_VAL_TEST,
    "Flowers102": _TRAIN_VAL_TEST,
    "OxfordIIITPet": ({"split": "trainval"}, {"split": "test"}),
    "EuroSAT": ({},),
    "Omniglot": ({"background": True}, {"background": False}),
}
_WITHOUT_TEST = ("EuroSAT", "Omniglot")
_ARCHIVES = {
    "MNIST": "MNIST/raw",
    "FashionMNIST": "FashionMNIST/raw",
    "KMNIST": "KMNIST/raw",
    "Omniglot": "omniglot-py",
    "EuroSAT": "eurosat",
    "DTD": "dtd",
    "Flowers102": "flowers-102",
    "OxfordIIITPet": "oxford-iiit-pet",
    "GTSRB": "gtsrb",
}


def archive_folder(about: About, root: Path) -> Path:
    """The folder below `root` in which the loader of a dataset looks for its files."""
    return root / _ARCHIVES.get(about.loader.partition(":")[2], "")


def read_original(about: About, root: Path, tell: Tell) -> Arrays:
    """Download a dataset below `root`, unless its files are there, and convert it.

    Raises what the loaders raise (OSError, RuntimeError, ...), DataError for images that are not as
    expected, ImportError if the library that downloads it is not installed.
    """
    library, _, name = about.loader.partition(":")
    build = getattr(_library(library), name)
    default = _TRAIN_VAL_TEST if library == "medmnist" else ({"train": True}, {"train": False})
    parts = [build(root=str(root), download=True, **given) for given in _PARTS.get(name, default)]
    if name == "Omniglot":
        x, y, classes = _omniglot(root, tell)
        return x, y, None, classes
    if name == "USPS":
        parts = [_usps(root / file) for file in ("usps.bz2", "usps.t.bz2")]
    pairs = [_arrays(part, about, tell) for part in parts]
    x, y = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    last = len(pairs[-1][1])
    test = None if name in _WITHOUT_TEST else np.arange(len(y)) >= len(y) - last
    return x, y, test, tuple(map(str, getattr(parts[0], "classes", ())))


def _library(name: str) -> Any:
    """The module with a library's loaders."""
    if name == "cifair":
        from fsbench.acquire import cifair

        return cifair
    return importlib.import_module({"torchvision": "torchvision.datasets"}.get(name, name))


def _arrays(part: Any, about: About, tell: Tell) -> tuple[np.ndarray, np.ndarray]:
    """The images `[N, C, H, W]` and labels `[N]` of one part."""
    data = getattr(part, "data", None)
    data = getattr(part, "imgs", None) if data is None else data
    if data is not None and hasattr(data, "shape"):
        labels = part.labels if hasattr(part, "labels") else part.targets
        return _channels_first(np.asarray(data), about), single_label(np.asarray(labels)).astype(np.int64)
    size = about.shape[-1]
    x = np.empty((len(part), *about.shape), dtype=np.uint8)
    y = np.empty(len(part), dtype=np.int64)
    for number in range(len(part)):
        image, y[number] = part[number]
        x[number] = _fitted(image, size)
        tell(number + 1, len(part))
    return x, y


def _channels_first(data: np.ndarray, about: About) -> np.ndarray:
    """Arrays of a loader as `[N, C, H, W]`. Raises DataError if they are not the dataset's images."""
    channels = about.shape[0]
    if data.ndim == 3:
        data = data[:, None]
    elif data.shape[-1] == channels and data.shape[1] != channels:
        data = data.transpose(0, 3, 1, 2)
    if data.dtype != np.uint8 or data.shape[1:] != about.shape:
        raise DataError(
            f"{about.name}: the loader gave {data.dtype} {list(data.shape)}, expected uint8 "
            f"{['N', *about.shape]}; the library or the files have changed"
        )
    return data


def _fitted(image: Any, size: int) -> np.ndarray:
    """The central square of a picture, resized to `[3, size, size]`."""
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    return np.asarray(fitted, dtype=np.uint8).transpose(2, 0, 1)


class _Part:
    """Images and labels, as in a loader."""

    def __init__(self, data: np.ndarray, labels: np.ndarray) -> None:
        self.data = data
        self.labels = labels


def _usps(file: Path) -> _Part:
    """The digits of LIBSVM's file, with grey values -1 to 1 rounded to 0 to 255 (torchvision truncates)."""
    text = bz2.decompress(file.read_bytes()).decode("ascii")
    rows = [re.findall(r"-?[\d.]+(?:e-?\d+)?(?![\d.]*:)", line) for line in text.splitlines()]
    values = np.array(rows, dtype=np.float64)
    grey = np.rint((values[:, 1:] + 1) / 2 * 255).astype(np.uint8)
    return _Part(grey.reshape(-1, 16, 16), values[:, 0].astype(np.int64) - 1)


def _omniglot(root: Path, tell: Tell) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The drawings with bright ink: background, then evaluation alphabets, by name; each by its drawers."""
    from PIL import Image

    characters = [
        folder
        for half in ("images_background", "images_evaluation")
        for folder in _sorted_folders(_sorted_folders([root / "omniglot-py" / half]))
    ]
    drawings = [sorted(folder.glob("*.png")) for folder in characters]
    files = [file for each in drawings for file in each]
    x = np.empty((len(files), 1, 105, 105), dtype=np.uint8)
    for number, file in enumerate(files):
        with Image.open(file) as image:
            x[number, 0] = 255 - np.asarray(image.convert("L"), dtype=np.uint8)
        tell(number + 1, len(files))
    y = np.repeat(np.arange(len(characters)), [len(each) for each in drawings])
    return x, y.astype(np.int64), tuple(f"{folder.parent.name}/{folder.name}" for folder in characters)


def _sorted_folders(above: Sequence[Path]) -> list[Path]:
    def inside(folder: Path) -> Iterator[Path]:
        return (each for each in folder.iterdir() if each.is_dir())

    return [each for folder in above for each in sorted(inside(folder))]
