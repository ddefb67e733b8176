"""Two networks that train together: one predicts, the other is its peer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fsbench import Context


class Peers(nn.Module):
    """The network `first`, whose features and logits are those of the pair, and its `peer`."""

    def __init__(self, first: nn.Module, peer: nn.Module) -> None:
        super().__init__()
        self.first, self.peer = first, peer

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of the first network."""
        return self._first.forward_features(x)  # type: ignore[no-any-return]

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the first network."""
        return self._first.forward_head(features)  # type: ignore[no-any-return]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of the first network."""
        return self.first(x)  # type: ignore[no-any-return]

    @property
    def head(self) -> nn.Module:
        """The last layer of the first network."""
        return self.first.get_submodule("head")

    @property
    def _first(self) -> Any:
        return self.first


def peer_logits(ctx: Context) -> torch.Tensor | None:
    """Logits `[B, C]` of the peer on the batch that is trained on; None where no pair trains on one."""
    if not isinstance(ctx.model, Peers) or ctx.batch is None:
        return None
    with ctx.autocast():
        found: torch.Tensor = ctx.model.peer(ctx.batch.x)
    return found.float()
