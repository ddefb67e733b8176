"""What a strategy remembers of each sample of a training set, by its row there."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot, pad

from fsbench import Batch, Context


def numbered(logits: torch.Tensor, ctx: Context) -> tuple[Batch, torch.Tensor] | None:
    """The batch whose logits `[B, C]` are given, and its rows `[B]`; None if they are of no such batch."""
    batch = ctx.batch
    if batch is None or batch.rows is None or len(batch.rows) != len(logits):
        return None
    return batch, batch.rows


class Averages:
    """A moving average `[K]` for each row of the training set, zero at first."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.values = torch.zeros(0)

    def update(self, rows: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """The averages `[B, K]` of the rows `[B]` after they moved towards `seen [B, K]`."""
        self.values = _with_room(self.values, rows, seen)
        moved = self.decay * self.values[rows] + (1 - self.decay) * seen
        self.values[rows] = moved
        return moved


class LatestLosses:
    """The latest loss of each sample, to tell which are small within their class."""

    def __init__(self) -> None:
        self.losses = self.classes = torch.zeros(0)

    def small(
        self, rows: torch.Tensor, losses: torch.Tensor, targets: torch.Tensor, fraction: float
    ) -> torch.Tensor:
        """Whether each loss `[B]` is in the smallest fraction, rounded up, of those known of its class.

        The class is the likeliest one of the targets `[B, C]`; a class keeps at least one sample.
        """
        losses, classes = losses.detach(), one_hot(targets.argmax(-1), targets.shape[1]).to(losses)
        self.losses = _with_room(self.losses, rows, losses)
        self.classes = _with_room(self.classes, rows, classes)
        self.losses[rows], self.classes[rows] = losses, classes
        same = classes @ self.classes.mT  # [B, N], 1 for samples of one class
        smaller = (same * (self.losses < losses[:, None])).sum(1)
        return smaller < (fraction * same.sum(1) - 1e-4).ceil()


def of_small(losses: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
    """The losses `[B]` where `small [B]`, scaled so that the mean of the batch is theirs; zero elsewhere."""
    return losses * small * (len(losses) / small.sum().clamp(min=1))


def _with_room(values: torch.Tensor, rows: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Values `[n, ...]` with zeros added for rows that are not there yet."""
    if not values.numel():
        values = like.new_zeros(0, *like.shape[1:])
    missing = int(rows.max()) + 1 - len(values)
    return pad(values, (0, 0) * (like.ndim - 1) + (0, missing)) if missing > 0 else values
