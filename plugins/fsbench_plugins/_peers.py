"""Two networks that train together: one predicts, the other is its peer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fsbench import Context


class Peers(nn.Module):
    """A network and its `peer`. In everything but its parameters, the pair is the `first` network.

    `asked` says whether the peer has computed logits.
    """

    def __init__(self, first: nn.Module, peer: nn.Module) -> None:
        super().__init__()
        self.first, self.peer = first, peer
        self.asked = False

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__.get("_modules", {})
        return found[name] if name in found else getattr(super().__getattr__("first"), name)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the first network."""
        logits: torch.Tensor = self.first(x)
        return logits


def peer_logits(x: torch.Tensor, ctx: Context) -> torch.Tensor | None:
    """Logits `[N, C]` of the peer for inputs `[N, ...]`; None where no pair is trained."""
    pair = ctx.model
    if not isinstance(pair, Peers):
        return None
    pair.asked = True
    with ctx.autocast():
        found: torch.Tensor = pair.peer(x)
    return found.float()
