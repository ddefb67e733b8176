"""Square images at another size, exactly: the same bytes on every machine."""

from __future__ import annotations

import numpy as np

from fsbench.errors import SpecError

SMALLEST, LARGEST = 4, 512
_CHUNK = 1 << 22
_EXACT = 1 << 24


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Square uint8 images `[..., S, S]` as `[..., size, size]`, halves rounded up.

    Images are reduced by averaging the area that each pixel covers, and enlarged by linear interpolation
    between the centres of the pixels. All weights and sums are whole numbers.
    """
    side = images.shape[-1]
    if side == size:
        return images
    weights = _averaging(side, size) if size < side else _interpolating(side, size)
    whole = int(weights[0].sum()) ** 2
    # Whole numbers up to 2**24 are exact as float32, up to 2**53 as float64, in any order of adding.
    weights = weights.astype(np.float32 if 255 * whole < _EXACT else np.float64)
    flat = images.reshape(-1, side, side)
    small = np.empty((len(flat), size, size), dtype=np.uint8)
    step = max(1, _CHUNK // (max(side, size) ** 2))
    for first in range(0, len(flat), step):
        part = flat[first : first + step].astype(weights.dtype)
        sums = (weights @ part @ weights.T).astype(np.int64)
        small[first : first + step] = (2 * sums + whole) // (2 * whole)
    return small.reshape(*images.shape[:-2], size, size)


def recolour(images: np.ndarray, channels: int) -> np.ndarray:
    """uint8 images `[N, C, H, W]` with 1 or 3 channels: grey ones repeated, colours as their luma.

    Luma is that of ITU-R BT.601, (299 R + 587 G + 114 B) / 1000, halves rounded up.
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    grey = np.empty((len(images), 1, *images.shape[2:]), dtype=np.uint8)
    step = max(1, _CHUNK // images[0, 0].size)
    for first in range(0, len(images), step):
        red, green, blue = images[first : first + step].astype(np.int64).transpose(1, 0, 2, 3)
        grey[first : first + step, 0] = (299 * red + 587 * green + 114 * blue + 500) // 1000
    return grey


def check_size(text: str, size: int, shape: tuple[int, ...]) -> None:
    """Raise SpecError if images `(C, H, W)` cannot be resized to a size."""
    if size != shape[-1] and not SMALLEST <= size <= LARGEST:
        raise SpecError(f"{text}: expected a size from {SMALLEST} to {LARGEST}")
    if size != shape[-1] and shape[-1] != shape[-2]:
        raise SpecError(f"{text}: images of {shape[-2]}x{shape[-1]} are not square; leave the size out")


def _averaging(side: int, size: int) -> np.ndarray:
    """Weights `[size, side]` in units of 1 / `side`: the overlap of each new pixel with each old one."""
    old, new = np.arange(side), np.arange(size)[:, None]
    overlap = np.minimum((old + 1) * size, (new + 1) * side) - np.maximum(old * size, new * side)
    weights: np.ndarray = overlap.clip(min=0)
    return weights


def _interpolating(side: int, size: int) -> np.ndarray:
    """Weights `[size, side]` in units of 1 / `(2 * size)`; the edge continues beyond the outer centres."""
    new = np.arange(size)
    place = ((2 * new + 1) * side - size).clip(0, 2 * size * (side - 1))
    before, part = np.divmod(place, 2 * size)
    weights = np.zeros((size, side), dtype=np.int64)
    weights[new, before] = 2 * size - part
    weights[new, np.minimum(before + 1, side - 1)] += part
    return weights
