"""Low-rank updates of the weights of linear, convolutional and attention layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils import parametrize

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Update(nn.Module):
    """Adds `scale * B A` to a weight `[O, ...]`, with `B [O, R]` zero and `A [R, I]` random at first."""

    def __init__(self, weight: torch.Tensor, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.a = nn.Parameter(torch.randn(rank, inputs).to(weight) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank).to(weight))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The updated weight."""
        return weight + self.scale * (self.b @ self.a).view_as(weight)


def add_updates(body: nn.Module, rank: int, scale: float) -> None:
    """Give every such layer an update that starts at zero, in place.

    In attention by torch, one update is of the weights of queries, keys and values together.
    """
    for layer, name in list(_weights(body)):
        update = Update(layer.get_parameter(name), rank, scale)
        parametrize.register_parametrization(layer, name, update)


def merge_updates(network: nn.Module) -> None:
    """Add the updates to the weights, in place, so that the layers are plain again."""
    for layer, name in list(_weights(network)):
        if parametrize.is_parametrized(layer, name):
            updated: torch.Tensor = getattr(layer, name).detach()
            parametrize.remove_parametrizations(layer, name, leave_parametrized=False)
            with torch.no_grad():
                layer.get_parameter(name).copy_(updated)


def _weights(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The layers and the names of their weights."""
    for layer in module.modules():
        if isinstance(layer, _LAYERS):
            yield layer, "weight"
        elif isinstance(layer, nn.MultiheadAttention) and layer.in_proj_weight is not None:
            yield layer, "in_proj_weight"
