"""Random views of inputs that keep their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fsbench_plugins.augmentation import Augmentation

if TYPE_CHECKING:
    from fsbench import Stream, TaskInfo


def view(x: torch.Tensor, strength: float, corruption: float, task: TaskInfo, stream: Stream) -> torch.Tensor:
    """A random view of each of the inputs `[B, ...]`.

    Images are changed as `augmentation(strength=...)` does. In tables, a share `corruption` of the values is
    replaced by that of another random row in the same column (SCARF, Bahri et al. 2022).
    """
    if x.ndim == 4:
        return Augmentation(strength=strength).images(x, task.symmetries, stream)
    other = torch.stack([x[stream.permutation(len(x)), column] for column in range(x.shape[1])], 1)
    return torch.where(stream.uniform(*x.shape) < corruption, other, x)
