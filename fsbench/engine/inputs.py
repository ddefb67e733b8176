"""Fitting the inputs of one dataset to the shape of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.errors import DataError

if TYPE_CHECKING:
    import torch

_LUMINANCE = (0.299, 0.587, 0.114)


def luminance(x: torch.Tensor) -> torch.Tensor:
    """The luminance `[N, 1, H, W]` of images of red, green and blue `[N, 3, H, W]` (ITU-R BT.601)."""
    return (x * x.new_tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)


def match_inputs(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Inputs `[N, ...]` in the shape that a model of another dataset takes.

    Images `[N, C, H, W]`: resized by bilinear interpolation with antialiasing; grey becomes three
    equal channels, colour becomes its luminance (ITU-R BT.601). Tables must have the same features.
    Raises DataError when there is no honest way.
    """
    if tuple(x.shape[1:]) == tuple(shape):
        return x
    if x.ndim != 4 or len(shape) != 3:
        raise DataError(f"inputs of shape {list(x.shape[1:])} cannot be made {list(shape)}")
    if x.shape[1] == 3 and shape[0] == 1:
        x = luminance(x)
    elif x.shape[1] == 1:
        x = x.expand(-1, shape[0], -1, -1)
    elif x.shape[1] != shape[0]:
        raise DataError(f"images of {x.shape[1]} channels cannot be made {shape[0]}")
    if tuple(x.shape[2:]) != tuple(shape[1:]):
        from torch.nn.functional import interpolate

        x = interpolate(x, size=shape[1:], mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)
    return x.contiguous()
