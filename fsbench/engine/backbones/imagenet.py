"""Networks for ImageNet, as torchvision builds them, without their last linear layer.

A body's `state_dict()` has torchvision's names, so torchvision's weights fit. torchvision is BSD-3-licensed;
its pretrained weights come with the terms of ImageNet, which allows research.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
import torchvision
from torch import nn

from fsbench.engine.backbones.network import without_head
from fsbench.engine.backbones.weights import first_line
from fsbench.errors import DataError, SpecError

_VGG_SIZE = 224
_PATCH = 16


def resnet18(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """He et al. 2016, "Deep residual learning for image recognition", CVPR."""
    return without_head(torchvision.models.resnet18(), "fc")


def resnet34(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """He et al. 2016, "Deep residual learning for image recognition", CVPR."""
    return without_head(torchvision.models.resnet34(), "fc")


def resnet50(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """He et al. 2016, "Deep residual learning for image recognition", CVPR; stride in the 3x3 convolution."""
    return without_head(torchvision.models.resnet50(), "fc")


def vgg16(input_shape: tuple[int, ...], dropout: float = 0.0) -> tuple[nn.Module, int]:
    """Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", ICLR.

    The features are those of its second hidden layer; `dropout` acts after both hidden layers.
    """
    if input_shape[1] != _VGG_SIZE:
        raise SpecError(f"vgg16: size is {input_shape[1]}; its hidden layers need {_VGG_SIZE}")
    network = torchvision.models.vgg16(dropout=dropout)
    # At this size, pooling to 7x7 changes nothing, and its gradient is not repeatable on a GPU.
    network.avgpool = nn.Identity()
    network.classifier[5] = nn.Identity()
    return without_head(network, "classifier.6")


def mobilenet_v3(
    input_shape: tuple[int, ...], variant: Literal["large", "small"] = "large"
) -> tuple[nn.Module, int]:
    """Howard et al. 2019, "Searching for MobileNetV3", ICCV."""
    make = (
        torchvision.models.mobilenet_v3_large if variant == "large" else torchvision.models.mobilenet_v3_small
    )
    network = make()
    network.classifier[2] = nn.Identity()
    return without_head(network, "classifier.3")


def efficientnet_b0(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """Tan & Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML.

    Stochastic depth of 0.2 (Huang et al. 2016) is part of it.
    """
    network = torchvision.models.efficientnet_b0()
    network.classifier[0] = nn.Identity()
    return without_head(network, "classifier.1")


def vit_b_16(input_shape: tuple[int, ...], dropout: float = 0.0) -> tuple[nn.Module, int]:
    """Dosovitskiy et al. 2021, "An image is worth 16x16 words", ICLR; `dropout` acts in its blocks too."""
    if input_shape[1] % _PATCH:
        raise SpecError(f"vit_b_16: size is {input_shape[1]}; expected a multiple of {_PATCH}")
    network = torchvision.models.vit_b_16(image_size=input_shape[1], dropout=dropout)
    return without_head(network, "heads.head")


def published_weights(name: str) -> dict[str, Any]:
    """torchvision's weights of a name, on the CPU; downloaded once. Raises DataError if that fails."""
    weights = torchvision.models.get_weight(name)
    folder, file = Path(torch.hub.get_dir()) / "checkpoints", weights.url.rpartition("/")[2]
    try:
        found: dict[str, Any] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True, map_location="cpu"
        )
    except Exception as error:  # torch.load raises anything on a damaged file
        if (folder / file).exists() and not isinstance(error, OSError | MemoryError):
            raise DataError(
                f"{folder / file} is damaged; remove it, so that it is downloaded again"
            ) from error
        raise DataError(
            f"cannot download {name} ({first_line(error)}); put {weights.url} into {folder} "
            f"under the name {file}"
        ) from error
    return found
