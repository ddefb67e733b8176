"""Images in an array of numbers: what is white in them, and the square pictures that are made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fsbench.errors import DataError
from fsbench.own.given import OwnData, kept_size
from fsbench.own.pictures import Picture, plain, square
from fsbench.own.samples import Progress

SHAPES = "expected images [N, H, W] or [N, H, W, C], or tables [N, F]"
"""What an array `x` of samples may be."""
_RANGES = "expected 0 to 255, or 0 to 1"
_SMALL = 64
_OBLONG = 1.5
"""How much longer one side is than the other where it is said what is cut off."""


def pictures_of(
    x: np.ndarray, white: float, data: OwnData, progress: Progress, remarks: list[str]
) -> list[Picture]:
    """Images of an archive, in one size; remarks say what is left out of them."""
    from PIL import Image

    pixels = _pixels(x, white, str(data.path))
    if pixels.ndim == 4 and pixels.shape[-1] == 4 and (pixels[..., 3] < 255).any():
        remarks.append(
            "the fourth channel of the images is taken for opacity, so they are laid on white; leave it out "
            "if it is something else"
        )
    side, longer = sorted(pixels.shape[1:3])
    if longer >= _OBLONG * side:
        height, width = pixels.shape[1:3]
        remarks.append(
            f"of images of {height}x{width} pixels only the central {side}x{side} are read; resize or pad "
            "them to squares to keep all of them"
        )
    size = data.image_size or kept_size(min(pixels.shape[1:3]), len(pixels))
    found: list[Picture] = []
    for number, each in enumerate(pixels, 1):
        deep = each.dtype == np.uint16
        image = Image.fromarray(each.astype(np.float32)) if deep else plain(Image.fromarray(each))
        found.append(square(image, size))
        progress(number, len(pixels))
    return found


def white_of(parts: Mapping[str, np.ndarray], path: str, remarks: list[str]) -> float:
    """The value of white: 1, 255, 65535, or the largest value if all are small.

    Raises DataError for values that are not pixels, and for parts with different ranges.
    """
    for name, x in parts.items():
        if x.dtype.kind not in "biuf" or not np.isfinite(x).all() or x.min() < 0:
            lowest = f" from {x.min():g}" if x.dtype.kind in "biuf" else ""
            raise DataError(
                f"{path}: {name} is {list(x.shape)}, so it is read as images, and its pixels are "
                f"{x.dtype}{lowest}; {_RANGES}, or, for samples that are not images, a table [N, F]: "
                f"{name}.reshape(len({name}), -1)"
            )
    highest = {name: float(x.max()) for name, x in parts.items()}
    top = max(highest, key=lambda name: highest[name])
    for name, x in parts.items():
        is_unit = x.dtype.kind in "bf" and 0 < highest[name] <= 1
        if (is_unit and highest[top] > 2) or (x.dtype == np.uint8 and highest[top] > 255):
            raise DataError(
                f"{path}: pixels of {name} are {x.dtype} up to {highest[name]:g}, those of {top} up to "
                f"{highest[top]:g}; convert all parts to one range"
            )
    if 1 < highest[top] <= _SMALL:
        remarks.append(f"pixels go up to {highest[top]:g}, which is taken as white")
        return highest[top]
    return 1.0 if highest[top] <= 1 else 255.0 if highest[top] <= 255 else 65535.0


def _pixels(x: np.ndarray, white: float, path: str) -> np.ndarray:
    """Images as Pillow takes them: uint8 or uint16 `[N, H, W]`, or uint8 `[N, H, W, 3 or 4]`."""
    if x.ndim == 4 and x.shape[-1] not in (1, 3, 4) and x.shape[1] in (1, 3, 4):
        x = x.transpose(0, 2, 3, 1)
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3, 4)):
        raise DataError(f"{path}: x is {x.dtype} {list(x.shape)}; {SHAPES}")
    x = x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x
    deep = white == 65535
    if deep and (x.ndim == 4 or x.max() > white):
        raise DataError(f"{path}: pixels go up to {x.max()}; {_RANGES}")
    if white not in (255, 65535):
        x = (x.astype(np.float64) * 255 / white).round()
    return np.ascontiguousarray(x.astype(np.uint16 if deep else np.uint8))
