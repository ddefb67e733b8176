"""The tensor operations of `augmentation` on images: whole batches, one random draw for each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from fsbench import luminance

if TYPE_CHECKING:
    from fsbench import Stream


@dataclass(frozen=True)
class Limits:
    """The largest magnitude of each transformation; 0 leaves it out. Rotation is in degrees."""

    crop: float = 0.0
    hflip: float = 0.0
    vflip: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    noise: float = 0.0

    @property
    def geometric(self) -> bool:
        """Whether pixels move."""
        return any((self.crop, self.hflip, self.vflip, self.rotation, self.scale, self.translation))

    @property
    def photometric(self) -> bool:
        """Whether values change."""
        return any((self.brightness, self.contrast, self.saturation))


def augment_images(x: torch.Tensor, limits: Limits, padding: str, rng: Stream) -> torch.Tensor:
    """Images `[B, C, H, W]` in [0, 1], moved, recoloured and made noisy within the limits.

    Every transformation has separate random numbers, so leaving one out does not change the others.
    """
    draws = rng.numpy.uniform(-1, 1, (12, len(x)))
    if limits.geometric:
        x = warp(x, *affine_maps(limits, draws[:9], x.shape[-2:]), padding)
    if limits.photometric:
        most = [[limits.brightness], [limits.contrast], [limits.saturation]]
        x = recolour(x, *torch.from_numpy(1 + draws[9:] * most).to(x))
    if limits.noise:
        x = x + limits.noise * rng.normal(*x.shape)
    return x.clamp(0, 1)


def affine_maps(limits: Limits, draws: np.ndarray, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random maps from each pixel to its place in the source image: `matrix [B, 2, 2]`, `offset [B, 2]`.

    Coordinates are (x, y) in pixels from the centre of an image of `size` (height, width). `draws` `[9, B]`
    are uniform in [-1, 1). A window is cut from the shifted, turned, zoomed and mirrored image. There are
    only a few numbers for each sample, so numpy is faster than a device.
    """
    extent = np.array([size[1], size[0]])
    angle = draws[0] * np.radians(limits.rotation)
    zoom = np.exp(draws[1] * np.log1p(limits.scale))
    side = 1 - limits.crop * (draws[2] + 1) / 2
    threshold = 2 * np.array([limits.hflip, limits.vflip]) - 1
    mirror = np.where(threshold > draws[3:5].T, -1.0, 1.0)
    corner = draws[5:7].T * (1 - side)[:, None] * (extent - 1) / 2
    shift = np.round(draws[7:9].T * limits.translation * extent)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    turn = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1) * mirror[:, :, None]
    offset = (turn @ (corner - shift)[:, :, None])[:, :, 0]
    return turn * side[:, None, None], offset


def warp(x: torch.Tensor, matrix: np.ndarray, offset: np.ndarray, padding: str) -> torch.Tensor:
    """Images `[B, C, H, W]` sampled bilinearly at `matrix @ (x, y) + offset`."""
    height, width = x.shape[-2:]
    half = np.maximum([width - 1, height - 1], 1) / 2  # grid_sample counts the image from -1 to 1
    turn = torch.from_numpy(matrix / half[:, None]).to(x)
    shift = torch.from_numpy(offset / half).to(x)
    across = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2
    down = torch.arange(height, device=x.device, dtype=x.dtype) - (height - 1) / 2
    points = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1).view(-1, 2)
    grid = (points @ turn.mT + shift[:, None]).view(-1, height, width, 2)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def recolour(
    x: torch.Tensor, brightness: torch.Tensor, contrast: torch.Tensor, saturation: torch.Tensor
) -> torch.Tensor:
    """Images with their brightness, contrast and saturation multiplied by factors `[B]`, clamped to [0, 1].

    Brightness scales towards black, contrast towards the image's mean grey, saturation (three channels
    only) towards each pixel's grey.
    """
    x = (x * brightness.view(-1, 1, 1, 1)).clamp(0, 1)
    x = grey(x).mean((1, 2, 3), keepdim=True).lerp(x, contrast.view(-1, 1, 1, 1)).clamp(0, 1)
    if x.shape[1] == 3:
        x = grey(x).lerp(x, saturation.view(-1, 1, 1, 1)).clamp(0, 1)
    return x


def grey(x: torch.Tensor) -> torch.Tensor:
    """The luminance `[B, 1, H, W]` of colour images, or the mean channel of other images."""
    return luminance(x) if x.shape[1] == 3 else x.mean(1, keepdim=True)
