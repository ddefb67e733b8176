"""A moving average of something for each sample of a training set."""

from __future__ import annotations

import torch
from torch.nn.functional import pad


class Averages:
    """A moving average `[K]` for each row of the training set, zero at first."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.values = torch.zeros(0, 0)

    def update(self, rows: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """The averages `[B, K]` of the rows `[B]` after they moved towards `seen [B, K]`."""
        missing = int(rows.max()) + 1 - len(self.values)
        if missing > 0:
            known = self.values if self.values.numel() else seen.new_zeros(0, seen.shape[1])
            self.values = pad(known, (0, 0, 0, missing))
        moved = self.decay * self.values[rows] + (1 - self.decay) * seen
        self.values[rows] = moved
        return moved
