"""The multilayer perceptron, for tables and flattened images."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn


def mlp(
    input_shape: tuple[int, ...],
    width: int = 64,
    depth: int = 2,
    widths: tuple[int, ...] | None = None,
    norm: Literal["batch"] | None = None,
) -> tuple[nn.Module, int]:
    """A multilayer perceptron on flattened inputs: linear, normalisation if any, ReLU.

    `widths`, if given, lists the layers' widths instead of `width` and `depth`. Finn et al. 2017
    ("Model-agnostic meta-learning for fast adaptation of deep networks") classify Omniglot with
    `mlp(widths=[256, 128, 64, 64], norm=batch)`.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    features = math.prod(input_shape)
    for wide in widths or (width,) * depth:
        layers.append(nn.Linear(features, wide))
        if norm == "batch":
            layers.append(nn.BatchNorm1d(wide))
        layers.append(nn.ReLU())
        features = wide
    return nn.Sequential(*layers), features


def linear(input_shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """No layers: with the head on the flattened inputs, it is softmax regression."""
    return nn.Flatten(), math.prod(input_shape)
