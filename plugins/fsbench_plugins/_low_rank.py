"""Low-rank updates of the weights of linear and convolutional layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Updated(nn.Module):
    """A layer whose weight `[O, ...]` has `scale * B A` added, with `B [O, R]` zero and `A [R, I]` random."""

    def __init__(self, layer: nn.Module, rank: int, scale: float) -> None:
        super().__init__()
        self.layer, self.scale = layer, scale
        weight = layer.get_parameter("weight")
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.a = nn.Parameter(torch.randn(rank, inputs).to(weight) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank).to(weight))

    def weight(self) -> torch.Tensor:
        """The updated weight."""
        weight = self.layer.get_parameter("weight")
        return weight + self.scale * (self.b @ self.a).view_as(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the layer makes of `x` with the updated weight."""
        made: torch.Tensor = functional_call(self.layer, {"weight": self.weight()}, (x,))
        return made

    def merged(self) -> nn.Module:
        """The layer, with the update added to its weight for good."""
        with torch.no_grad():
            self.layer.get_parameter("weight").copy_(self.weight())
        return self.layer


def add_updates(body: nn.Module, rank: int, scale: float) -> None:
    """Give every linear and convolutional layer an update that starts at zero, in place."""
    _replace(body, _LAYERS, lambda layer: Updated(layer, rank, scale))


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
