"""Images: stored as uint8 pixels, seen by strategies in [0, 1]."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fsbench.errors import DataError
from fsbench.kinds.kind import Kind
from fsbench.types import DatasetInfo, Recipe

if TYPE_CHECKING:
    import torch
    from torch import nn

_AT_ONCE = 256
_LEAST_SIZE = 32
SEEN_SIZE = 64
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class InputSpec:
    """The images that a backbone expects; the network converts the task's images to them.

    `channels` is None for the number of the task's images. Both sides have at least `size` pixels or, with
    `exact`, exactly `size`, which is then at least 32. Images in [0, 1] are standardised by `mean` and `std`,
    one number for each channel or one for all.
    """

    channels: int | None = None
    size: int = 1
    exact: bool = False
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def shape(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """The shape `(channels, height, width)` to which images of a shape are converted."""
        height, width = (self.size if self.exact else max(self.size, side) for side in given[1:])
        return (self.channels or given[0], height, width)

    def __str__(self) -> str:
        sides = f"{self.size}x{self.size}" if self.exact else f"at least {self.size}x{self.size}"
        channels = f"{self.channels} channels" if self.channels else "any channels"
        mean, std = (" ".join(f"{v:.3g}" for v in values) for values in (self.mean, self.std))
        return f"{channels}, {sides}, mean {mean}, std {std}"


class Image(Kind):
    """Images `[C, H, W]`, stored as uint8; strategies see float32 in [0, 1]."""

    name = "image"
    sample = "image"
    dtype = np.uint8
    recipe = Recipe("conv4(norm=batch, width=64)", steps=100, batch_size=32, lr=0.003, passes=5)
    episode_recipe = Recipe("conv4(norm=batch, width=64)", steps=80, batch_size=32, lr=0.01, passes=80)
    symmetries: ClassVar[Mapping[str, str]] = {
        "hflip": "mirrored left to right",
        "vflip": "mirrored top to bottom",
        "rotation": "turned by a small angle",
        "translation": "shifted by a few pixels",
        "scale": "zoomed in or out a little",
        "colour": "brightness, contrast and saturation changed a little",
    }
    assumed_symmetries = frozenset({"translation", "scale"})
    toy_symmetries = frozenset({"rotation", "translation", "scale", "colour"})

    def check_values(self, info: DatasetInfo, x: np.ndarray) -> None:
        """Every byte is a pixel."""

    def describe(self, info: DatasetInfo, x: np.ndarray) -> str:
        """`16x16 pixels, grey`, and how small most strategies see them."""
        channels, height, width = self.stored_shape(info)
        seen = f" (small networks see {info.shape[1]}x{info.shape[2]})" if info.stored else ""
        return f"{height}x{width} pixels, {'grey' if channels == 1 else 'colour'}{seen}"

    def arguments(self, shape: tuple[int, ...]) -> dict[str, int]:
        """`channels` and `size`."""
        return {"channels": shape[0], "size": shape[2]}

    def stored_shape(self, info: DatasetInfo) -> tuple[int, ...]:
        """`stored` of the dataset, if its images are larger than most strategies see them."""
        return info.stored or info.shape

    def seen_shape(self, stored: tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, ...]:
        """At most 64 pixels a side, so that training on a CPU is feasible."""
        return (stored[0], *(min(side, SEEN_SIZE) for side in stored[1:]))

    def tensor(self, x: np.ndarray, device: torch.device) -> torch.Tensor:
        """Pixels `[N, C, H, W]` as float32 in [0, 1]; a few at a time, as copies take memory."""
        import torch

        found = torch.empty(x.shape, device=device)
        for first in range(0, len(x), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            found[rows] = torch.from_numpy(np.array(x[rows])).to(device)
        return found.div_(255)

    def prepared(self, info: DatasetInfo) -> str:
        """The size, and how pixels become numbers."""
        _, height, width = self.stored_shape(info)
        seen = f", then resized to {info.shape[1]}x{info.shape[2]} for small networks" if info.stored else ""
        return f"upright, shorter side resized, centre cropped to {height}x{width}{seen}; pixels from 0 to 1"

    def shape_for(
        self, wants: InputSpec | None, shape: tuple[int, ...], stored: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Larger than the task's, if the images and an InputSpec with an exact size are."""
        size = wants.size if wants is not None and wants.exact else 0
        sides = zip(shape[1:], stored[1:], strict=True)
        return (shape[0], *(min(most, max(size, side)) for side, most in sides))

    def shrink(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Pixels at a smaller size, by bilinear interpolation with antialiasing."""
        if x.shape[1:] == shape or x.shape[1] != shape[0]:
            return x
        import torch
        from torch.nn.functional import interpolate

        found = np.empty((len(x), *shape), dtype=np.uint8)
        for first in range(0, len(x), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            part = torch.from_numpy(np.array(x[rows]))
            found[rows] = interpolate(part, size=shape[1:], mode="bilinear", antialias=True).numpy()
        return found

    def shrink_tensor(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Images in [0, 1] of pixels that are made smaller."""
        if tuple(x.shape[1:]) == shape:
            return x
        import torch

        pixels = (x * 255).round().to(torch.uint8).cpu().numpy()
        return self.tensor(self.shrink(pixels, shape), x.device)

    def mismatch(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
        """Sizes, and grey and colour, can be converted; other numbers of channels cannot."""
        if given[0] in (1, wanted[0]) or (given[0], wanted[0]) == (3, 1):
            return None
        return f"source images have {given[0]} channels, the task's {wanted[0]}"

    def match(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Images `[N, C, H, W]` in another shape, by bilinear interpolation with antialiasing.

        Grey images get equal channels, colours become their luminance. Raises DataError for other channels.
        """
        given = tuple(x.shape[1:])
        if given == shape:
            return x
        if reason := self.mismatch(given, shape):
            raise DataError(f"images cannot be matched: {reason}")
        if given[0] != shape[0]:
            x = x.expand(-1, shape[0], -1, -1) if given[0] == 1 else luminance(x)
        if given[1:] != shape[1:]:
            from torch.nn.functional import interpolate

            x = interpolate(x, size=shape[1:], mode="bilinear", antialias=True, align_corners=False)
            x = x.clamp(0, 1)
        return x.contiguous()

    def unfit(self, shape: tuple[int, ...], wants: InputSpec | None) -> str | None:
        """Checks the number of channels that a backbone expects, and its size."""
        wants = wants or InputSpec()
        if wants.channels and shape[0] not in (1, wants.channels):
            return f"needs images of 1 or {wants.channels} channels, got {shape[0]}"
        if wants.exact and wants.size < _LEAST_SIZE:
            return f"size is {wants.size}; expected at least {_LEAST_SIZE}"
        return None

    def adapted_shape(self, shape: tuple[int, ...], wants: InputSpec | None) -> tuple[int, ...]:
        """The shape that the InputSpec gives."""
        return (wants or InputSpec()).shape(shape)

    def adapter(self, wants: InputSpec | None) -> nn.Module:
        """Converts channels, size, mean and deviation as the InputSpec says."""
        from fsbench.kinds.image_adapter import ImageAdapter

        given = wants or InputSpec()
        return ImageAdapter(functools.partial(self._resized, given), given.mean, given.std)

    def _resized(self, wants: InputSpec, x: torch.Tensor) -> torch.Tensor:
        return self.match(x, wants.shape(tuple(x.shape[1:])))

    def toy_centre(self, rng: np.random.Generator) -> np.ndarray:
        """A pattern of 4x4 black and white squares on 8x8 pixels, -1 or 1."""
        return np.kron(rng.choice([-1.0, 1.0], (1, 4, 4)), np.ones((1, 2, 2)))

    def toy_samples(self, centres: np.ndarray, moved: float, rng: np.random.Generator) -> np.ndarray:
        """The patterns in grey, each pixel with noise; `moved` makes all of them brighter."""
        x = centres + moved + 0.4 * rng.standard_normal(centres.shape)
        return np.clip(128 + 50 * x, 0, 255).astype(np.uint8)


def luminance(x: torch.Tensor) -> torch.Tensor:
    """The luminance `[N, 1, H, W]` of images of red, green and blue `[N, 3, H, W]` (ITU-R BT.601)."""
    return (x * x.new_tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
