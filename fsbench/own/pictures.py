"""One image file of any size and mode, read by Pillow into a small square of pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"),
)
FOREIGN = (
    *(".heic", ".heif", ".jxl", ".svg", ".eps", ".psd", ".xcf", ".tga", ".ico", ".exr", ".dcm", ".nii"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef"),
)
"""The suffixes of images that are not read."""
THUMBNAIL = 16
MAX_PIXELS = 89_478_485
"""Larger images are refused before decoding; Pillow warns at this size, a quarter of a gigabyte in colour."""

_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
_BOMB = f"more than {MAX_PIXELS} pixels, which may be a decompression bomb"
_LUMA = (299, 587, 114)
_WHITE = (255, 255, 255, 255)


class Unusable(Exception):
    """A file that cannot be read as an image; the message says why."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels `[S, S]` (grey; uint8, or uint16 of a deep image) or `[S, S, 3]` uint8, and how it looks.

    `look` is a thumbnail, float32 `[THUMBNAIL ** 2]`, of the whole image in grey.
    """

    pixels: np.ndarray
    look: np.ndarray


def shorter_side(path: Path) -> int:
    """The shorter side of an image in pixels, from its header alone. Raises Unusable."""
    try:
        with _open(path) as image:
            return min(image.size)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(_reason(error, path)) from error


def read_picture(path: Path, size: int) -> Picture:
    """The first frame, upright, its shorter side resized to `size`, cropped to its centre. Raises Unusable.

    Transparent areas become white. Colours other than grey and RGB are converted to RGB. A deep image (16
    bits) keeps its range; `stack` scales all deep images alike.
    """
    from PIL import ImageOps

    try:
        with _open(path) as image:
            image.draft(image.mode, (2 * size, 2 * size))
            return square(plain(ImageOps.exif_transpose(image)), size)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(_reason(error, path)) from error


def square(image: Image.Image, size: int) -> Picture:
    """An image of mode L, RGB or F (deep grey, 0 to 65535) as a picture."""
    from PIL import Image, ImageOps

    grey = image if image.mode == "F" else image.convert("L").convert("F")
    look = np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR), dtype=np.float32)
    small = np.asarray(ImageOps.fit(image, (size, size), method=Image.Resampling.BICUBIC))
    if small.dtype == np.float32:
        # Resizing overshoots at edges, which would make a deep image seem deeper than it is.
        small = small.round().clip(*image.getextrema()).astype(np.uint16)
    return Picture(small, look.ravel())


def plain(image: Image.Image) -> Image.Image:
    """An image of mode L, RGB, or F for a deep one, without transparency. Raises Unusable."""
    from PIL import Image

    if image.mode.startswith("I"):
        if "transparency" in image.info:
            raise Unusable("it has 16 bits and a transparent value; save it without transparency")
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise Unusable("its values are outside 0 to 65535; save it with 8 or 16 bits")
        return Image.fromarray(values.astype(np.float32))
    if image.mode == "F":
        raise Unusable("its pixels are floating-point numbers of unknown range; save it with 8 or 16 bits")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, _WHITE), clear).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def depth(pixels: Sequence[np.ndarray]) -> int:
    """The smallest of 8, 10, 12, 14 or 16 bits whose range contains all deep pictures; 0 without any."""
    highest = [int(each.max()) for each in pixels if each.dtype == np.uint16]
    return next(bits for bits in (8, 10, 12, 14, 16) if max(highest) < 2**bits) if highest else 0


def shallow(pixels: np.ndarray, bits: int) -> np.ndarray:
    """The pixels of one picture as uint8; those of a deep one are scaled by the range of so many `bits`."""
    if pixels.dtype != np.uint16:
        return pixels
    scaled = pixels.astype(np.float64) * 255 / (2**bits - 1)
    found: np.ndarray = scaled.round().clip(0, 255).astype(np.uint8)
    return found


def stack(pixels: Sequence[np.ndarray], bits: int | None = None) -> np.ndarray:
    """Pictures of one size as uint8 `[N, C, S, S]`: one channel if all of them are grey, otherwise three.

    Deep images are scaled by the range of so many `bits`, by default their `depth`.
    """
    bits = bits or depth(pixels)
    flat = [shallow(each, bits) for each in pixels]
    if all(_is_grey(each) for each in flat):
        return np.stack([each if each.ndim == 2 else each[..., 0] for each in flat])[:, None]
    colour = np.stack([np.stack([each] * 3) if each.ndim == 2 else each.transpose(2, 0, 1) for each in flat])
    return np.ascontiguousarray(colour)


def stack_alike(pixels: Sequence[np.ndarray], bits: int, remarks: list[str]) -> np.ndarray:
    """Pictures like `stack`, as bright as others that were scaled by the range of so many `bits`.

    If these were not deep (0), deep images are scaled by their own depth.
    """
    own = depth(pixels)
    if own and not bits:
        remarks.append(
            f"some images have {own} bits, the labelled ones 8: scaled by their own range, 0 to "
            f"{2**own - 1}; if their white is another value, save them with 8 bits"
        )
    elif own > bits:
        remarks.append(
            f"some pixels have more than {bits} bits, the range of the labelled images; cut off there"
        )
    return stack(pixels, bits)


def with_channels(x: np.ndarray, channels: int) -> np.ndarray:
    """Pixels uint8 `[N, C, S, S]` with another number of channels: grey repeated, or the luma of colours.

    Arrays of other dimensions are returned unchanged.
    """
    if x.ndim != 4 or x.shape[1] == channels:
        return x
    if channels == 1:
        luma = (x.astype(np.uint32) * np.array(_LUMA, dtype=np.uint32)[:, None, None]).sum(1, keepdims=True)
        grey: np.ndarray = ((luma + 500) // 1000).astype(np.uint8)
        return grey
    return np.repeat(x, channels, axis=1)


def _is_grey(pixels: np.ndarray) -> bool:
    return pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())


def _open(path: Path) -> Image.Image:
    from PIL import Image

    if os.path.exists(path) and not os.path.isfile(path):
        raise Unusable("not a plain file")
    Image.init()
    try:
        image = Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unusable(_BOMB) from None
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise Unusable(_BOMB)
    if not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        # Pillow would keep the upper 8 bits.
        image.close()
        raise Unusable("it has 16 bits for each of several channels; save it with 8 bits, or in grey")
    return image


def _reason(error: Exception, path: Path) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        foreign = path.suffix.lower() in FOREIGN
        return "convert it to PNG or JPEG" if foreign else "not an image that Pillow can read"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged: {' '.join(str(error).split()) or type(error).__name__}"
