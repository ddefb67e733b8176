"""Small convolutional networks without shortcuts."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

from fsbench.errors import SpecError

Norm = Literal["batch", "group"]
_LEAST_VALID = 16


def conv4(input_shape: tuple[int, ...], width: int = 64, norm: Norm = "batch") -> tuple[nn.Module, int]:
    """The four convolution blocks of Vinyals et al. 2016, "Matching networks for one shot learning".

    A block is 3x3 convolution, normalisation, 2x2 max-pooling and ReLU, which gives the same after the
    pooling as before it, with a quarter of the work. Images of less than 3 pixels are not pooled further.
    `norm=group` has 16 channels per group (Wu & He 2018).
    """
    channels, height, side = input_shape
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Conv2d(channels, width, 3, padding=1), _norm(norm, width)]
        if min(height, side) > 2:
            layers.append(nn.MaxPool2d(2))
            height, side = height // 2, side // 2
        layers.append(nn.ReLU())
        channels = width
    return nn.Sequential(*layers, nn.Flatten()), width * height * side


def lenet(
    input_shape: tuple[int, ...],
    norm: Literal["batch"] | None = None,
    padding: Literal["same", "valid"] = "same",
) -> tuple[nn.Module, int]:
    """Two convolutions and a hidden layer after LeNet-5 (LeCun et al. 1998), with ReLU and max-pooling.

    `norm=batch` normalises before each ReLU (Ioffe & Szegedy 2015). `padding=valid` has no padding, as
    LeNet-5 has on its 32x32 images; SpecError for images of less than 16 pixels.
    """
    channels, height, side = input_shape
    if padding == "valid" and min(height, side) < _LEAST_VALID:
        raise SpecError(
            f"lenet(padding=valid): the image has {height}x{side} pixels; "
            f"expected at least {_LEAST_VALID}x{_LEAST_VALID}, or padding=same"
        )
    lost = 4 if padding == "valid" else 0
    height, side = ((((pixels - lost) // 2) - lost) // 2 for pixels in (height, side))

    def normalised(layer: nn.Module, norm_layer: nn.Module) -> list[nn.Module]:
        return [layer, nn.ReLU()] if norm is None else [layer, norm_layer, nn.ReLU()]

    body = nn.Sequential(
        *normalised(nn.Conv2d(channels, 20, 5, padding=padding), nn.BatchNorm2d(20)),
        nn.MaxPool2d(2),
        *normalised(nn.Conv2d(20, 50, 5, padding=padding), nn.BatchNorm2d(50)),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *normalised(nn.Linear(50 * height * side, 500), nn.BatchNorm1d(500)),
    )
    return body, 500


def _norm(kind: Norm, width: int) -> nn.Module:
    return (
        nn.BatchNorm2d(width)
        if kind == "batch"
        else nn.GroupNorm(math.gcd(width, max(1, width // 16)), width)
    )
