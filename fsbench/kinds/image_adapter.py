"""The module between a task's images and the body of a backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from fsbench.kinds.image import Image, InputSpec


class ImageAdapter(nn.Module):
    """Images `[N, C, H, W]` in [0, 1] as a backbone wants them: channels, size, mean and deviation."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, kind: Image, wants: InputSpec) -> None:
        super().__init__()
        self.kind, self.wants = kind, wants
        for name in ("mean", "std"):
            values = torch.tensor(getattr(wants, name)).view(1, -1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The images, resized and standardised."""
        return (self.kind.match(x, self.wants.shape(tuple(x.shape[1:]))) - self.mean) / self.std
