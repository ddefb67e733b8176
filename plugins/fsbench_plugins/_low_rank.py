"""Low-rank updates of the weights of linear, convolutional and attention layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.MultiheadAttention)


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


class Updated(nn.Module):
    """A layer whose weights have updates; in attention, queries, keys and values share one."""

    def __init__(self, layer: nn.Module, rank: int, scale: float) -> None:
        super().__init__()
        self.layer = layer
        self.names = [name for name, _ in layer.named_parameters() if name.endswith("weight")]
        self.updates = nn.ModuleList(Update(layer.get_parameter(name), rank, scale) for name in self.names)

    def weights(self) -> dict[str, torch.Tensor]:
        """The updated weights by their names in the layer."""
        both = zip(self.names, self.updates, strict=True)
        return {name: update(self.layer.get_parameter(name)) for name, update in both}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer makes of its arguments with the updated weights."""
        return functional_call(self.layer, self.weights(), args, kwargs)

    def merged(self) -> nn.Module:
        """The layer, with the updates added to its weights for good."""
        with torch.no_grad():
            for name, weight in self.weights().items():
                self.layer.get_parameter(name).copy_(weight)
        return self.layer


def add_updates(body: nn.Module, rank: int, scale: float) -> None:
    """Give every such layer updates that start at zero, in place."""
    _replace(body, _LAYERS, lambda layer: Updated(layer, rank, scale))


def has_updates(network: nn.Module) -> bool:
    """Whether layers of a network have updates."""
    return any(isinstance(module, Updated) for module in network.modules())


def merge_updates(network: nn.Module) -> None:
    """Add the updates to the weights, in place, so that the layers are plain again."""
    _replace(network, (Updated,), lambda layer: layer.merged())


def _replace(module: nn.Module, kinds: tuple[type[nn.Module], ...], change: Callable[..., nn.Module]) -> None:
    """Replace the modules of some kinds below a module."""
    for name, child in list(module.named_children()):
        if isinstance(child, kinds):
            setattr(module, name, change(child))
        else:
            _replace(child, kinds, change)
