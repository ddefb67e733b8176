"""A last layer that compares directions: logits are scaled cosines between features and class weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from fsbench import Savable


class CosineHead(nn.Module, Savable):
    """Features `[N, D]` to logits `[N, C]`: `scale` times the cosine to the weight of each class.

    Weights `[C, D]` start as random directions, from torch's global generator.
    """

    def __init__(self, num_features: int, num_classes: int, scale: float) -> None:
        super().__init__()
        self.sizes, self.scale = (num_features, num_classes), scale
        self.weight = nn.Parameter(F.normalize(torch.randn(num_classes, num_features)))

    def arguments(self) -> dict[str, Any]:
        """Those of the constructor."""
        return {"num_features": self.sizes[0], "num_classes": self.sizes[1], "scale": self.scale}

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` between `-scale` and `scale`."""
        return self.scale * F.linear(F.normalize(features), F.normalize(self.weight))
