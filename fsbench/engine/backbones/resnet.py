"""The residual networks for small images of He, Zhang, Ren and Sun 2016, section 4.2.

"Deep residual learning for image recognition", CVPR. Shortcuts are their option A: where the size
halves, every second pixel, with zeros for the new channels, so that no shortcut has parameters.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

_WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation, around which the input is added."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps `[N, C, H, W]` to `[N, width, H / stride, W / stride]`."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.more:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(x + y)


def resnet20(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """20 layers: three stages of three blocks of 16, 32 and 64 channels; 0.27 million parameters."""
    return _resnet(input_shape, 3)


def resnet32(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """32 layers: three stages of five blocks of 16, 32 and 64 channels; 0.46 million parameters."""
    return _resnet(input_shape, 5)


def _resnet(input_shape: tuple[int, ...], blocks: int) -> tuple[nn.Module, int]:
    channels = _WIDTHS[0]
    layers: list[nn.Module] = [
        nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
    for stage, width in enumerate(_WIDTHS):
        for block in range(blocks):
            layers.append(Block(channels, width, 2 if stage and not block else 1))
            channels = width
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    kaiming(body)
    return body, channels


def kaiming(body: nn.Module) -> None:
    """Draw the weights of convolutions as He et al. 2015 do ("Delving deep into rectifiers", ICCV)."""
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
