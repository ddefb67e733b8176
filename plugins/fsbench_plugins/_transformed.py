"""Features that are centred and scaled."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import normalize

from fsbench import Savable


class Transformed(nn.Module, Savable):
    """A model whose features `[N, D]` are less a `centre [D]` and scaled to a `length`, if given."""

    centre: torch.Tensor | None

    def __init__(self, model: nn.Module, centre: torch.Tensor | None, length: float | None) -> None:
        super().__init__()
        self.model = model
        self.length = length
        self.register_buffer("centre", centre)

    def arguments(self) -> dict[str, Any]:
        """The model, the centre and the length."""
        return {"model": self.model, "centre": self.centre, "length": self.length}

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The transformed features of inputs `[N, ...]`."""
        features: torch.Tensor = self.model.forward_features(x)  # type: ignore[operator]
        if self.centre is not None:
            features = features - self.centre
        return features if self.length is None else self.length * normalize(features)
