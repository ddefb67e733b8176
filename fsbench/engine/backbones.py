"""Networks by name. Each has `forward_features`, `forward_head` and `num_features`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from fsbench.errors import SpecError, UnknownName
from fsbench.spec import Call, coerce, parse_call

Norm = Literal["batch", "group"]


class Network(nn.Module):
    """A body and a linear head.

    `body` maps inputs `[N, ...]` to features `[N, num_features]`; the head maps them to logits
    `[N, num_classes]`. Images come in [0, 1] and are moved to [-1, 1] first.
    """

    def __init__(self, body: nn.Module, num_features: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = body
        self.num_features = num_features
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_features, num_classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of inputs `[N, ...]`."""
        features: torch.Tensor = self.body(x * 2 - 1 if x.ndim == 4 else x)
        return features

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of features `[N, D]`."""
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        return self.forward_head(self.forward_features(x))

    def with_head(self, num_classes: int) -> Network:
        """A network that shares this body under a new head for `num_classes`."""
        device = self.head.weight.device
        return Network(self.body, self.num_features, num_classes, self.dropout.p).to(device)


def mlp(input_shape: tuple[int, ...], width: int = 64, depth: int = 2) -> tuple[nn.Module, int]:
    """A multilayer perceptron on flattened inputs."""
    layers: list[nn.Module] = [nn.Flatten()]
    features = math.prod(input_shape)
    for _ in range(depth):
        layers += [nn.Linear(features, width), nn.ReLU()]
        features = width
    return nn.Sequential(*layers), features


def conv4(input_shape: tuple[int, ...], width: int = 64, norm: Norm = "batch") -> tuple[nn.Module, int]:
    """The four convolution blocks of Vinyals et al. 2016, "Matching networks for one shot learning".

    A block is 3x3 convolution, normalisation, ReLU and 2x2 max-pooling; images
    of less than 3 pixels are not pooled further. `norm=group` has 16 channels a group (Wu & He 2018).
    """
    channels, height, side = input_shape
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Conv2d(channels, width, 3, padding=1), _norm(norm, width), nn.ReLU()]
        if min(height, side) > 2:
            layers.append(nn.MaxPool2d(2))
            height, side = height // 2, side // 2
        channels = width
    return nn.Sequential(*layers, nn.Flatten()), width * height * side


def lenet(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """Two convolutions and a hidden layer after LeNet-5 (LeCun et al. 1998), with ReLU and max-pooling."""
    channels, height, side = input_shape
    flat = 50 * ((height // 2) // 2) * ((side // 2) // 2)
    body = nn.Sequential(
        nn.Conv2d(channels, 20, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(flat, 500),
        nn.ReLU(),
    )
    return body, 500


def _norm(kind: Norm, width: int) -> nn.Module:
    return (
        nn.BatchNorm2d(width)
        if kind == "batch"
        else nn.GroupNorm(math.gcd(width, max(1, width // 16)), width)
    )


BACKBONES: dict[str, Callable[..., tuple[nn.Module, int]]] = {"conv4": conv4, "lenet": lenet, "mlp": mlp}
_NEEDS_IMAGES = ("conv4", "lenet")


def build_network(
    backbone: str, input_shape: tuple[int, ...], num_classes: int, dropout: float = 0.0
) -> Network:
    """The network of a backbone expression, with random weights from torch's global generator.

    Raises UnknownName or SpecError.
    """
    call = parse_call(backbone)
    if call.name not in BACKBONES:
        raise UnknownName("backbone", call.name, BACKBONES)
    if call.name in _NEEDS_IMAGES and (len(input_shape) != 3 or min(input_shape[1:]) < 4):
        raise SpecError(
            f"{call}: needs images of at least 4x4 pixels, got inputs of shape {list(input_shape)}"
        )
    body, features = BACKBONES[call.name](tuple(input_shape), **_arguments(call))
    return Network(body, features, num_classes, dropout)


def _arguments(call: Call) -> dict[str, object]:
    hints = inspect.get_annotations(BACKBONES[call.name], eval_str=True)
    known = [name for name in hints if name not in ("input_shape", "return")]
    wrong = [name for name, _ in call.kwargs if name not in known]
    if wrong or call.args:
        raise SpecError(f"{call}: {call.name} takes {', '.join(known) or 'no arguments'}")
    values = {name: coerce(f"{call.name}({name}={value})", value, hints[name]) for name, value in call.kwargs}
    for name, value in values.items():
        if isinstance(value, int) and value < 1:
            raise SpecError(f"{call}: {name} is {value}; expected at least 1")
    return values
