"""The module between a task's images and the body of a backbone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class ImageAdapter(nn.Module):
    """Images `[N, C, H, W]` in [0, 1] as a backbone expects them: resized by `resize`, then standardised.

    `mean` and `std` are one number for each channel, or one for all.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        resize: Callable[[torch.Tensor], torch.Tensor],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.resize = resize
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The images, resized and standardised."""
        return (self.resize(x) - self.mean) / self.std
