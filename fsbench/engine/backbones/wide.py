"""Wide residual networks of Zagoruyko and Komodakis 2016 ("Wide residual networks", BMVC).

WRN-d-k has d layers and k times the 16, 32 and 64 channels of a residual network for small images. Its
blocks normalise before they convolve (He et al. 2016, "Identity mappings in deep residual networks").
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from fsbench.engine.backbones.resnet import kaiming

_WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """Normalisation, ReLU and 3x3 convolution, twice, with dropout between, and a shortcut around them.

    If the number of channels changes, the shortcut is a 1x1 convolution of the activated input.
    """

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = None if channels == width else nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps `[N, C, H, W]` to `[N, width, H / stride, W / stride]`."""
        active = F.relu(self.bn1(x))
        y: torch.Tensor = self.conv2(self.dropout(F.relu(self.bn2(self.conv1(active)))))
        return y + (x if self.shortcut is None else self.shortcut(active))


def wrn_16_8(input_shape: tuple[int, ...], dropout: float = 0.0) -> tuple[nn.Module, int]:
    """WRN-16-8: two blocks per stage of 128, 256 and 512 channels; 11.0 million parameters."""
    return _wrn(input_shape, 16, 8, dropout)


def wrn_28_2(input_shape: tuple[int, ...], dropout: float = 0.0) -> tuple[nn.Module, int]:
    """WRN-28-2: four blocks per stage of 32, 64 and 128 channels; 1.5 million parameters."""
    return _wrn(input_shape, 28, 2, dropout)


def _wrn(input_shape: tuple[int, ...], depth: int, widen: int, dropout: float) -> tuple[nn.Module, int]:
    channels = _WIDTHS[0]
    layers: list[nn.Module] = [nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False)]
    for stage, width in enumerate(_WIDTHS):
        for block in range((depth - 4) // 6):
            layers.append(Block(channels, width * widen, 2 if stage and not block else 1, dropout))
            channels = width * widen
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    body = nn.Sequential(*layers)
    kaiming(body)
    return body, channels
