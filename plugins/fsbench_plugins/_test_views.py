"""Predictions averaged over moved copies of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from fsbench import Predictor, Savable
from fsbench_plugins._image_transforms import affine_maps, warp
from fsbench_plugins.augmentation import Augmentation

if TYPE_CHECKING:
    from fsbench import Stream, TaskInfo


@dataclass(frozen=True, eq=False)
class Averaged(Savable):
    """The mean probability of images and of copies moved by `matrices [V, 2, 2]` and `offsets [V, 2]`."""

    predict: Predictor
    matrices: np.ndarray
    offsets: np.ndarray

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]`: the logarithms of the mean probabilities, up to a constant."""
        found = [self.predict(x)]
        for matrix, offset in zip(self.matrices, self.offsets, strict=True):
            each = np.broadcast_to(matrix, (len(x), 2, 2)), np.broadcast_to(offset, (len(x), 2))
            found.append(self.predict(warp(x, *each, "border")))
        return torch.stack([logits.log_softmax(-1) for logits in found]).logsumexp(0)


def movements(number: int, strength: float, task: TaskInfo, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Random movements that keep the labels: matrices `[V, 2, 2]` and offsets `[V, 2]` in pixels."""
    limits = Augmentation(strength=strength).limits(task.symmetries)
    return affine_maps(limits, stream.numpy.uniform(-1, 1, (9, number)), task.input_shape[-2:])
