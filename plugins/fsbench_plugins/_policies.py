"""torchvision's random augmentation policies on batches of float images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from fsbench import Batch, Stream, TaskInfo

PARTS = 4


def by_policy(batch: Batch, transform: Callable[[torch.Tensor], torch.Tensor], stream: Stream) -> Batch:
    """A batch of images in [0, 1] after a transform of uint8 images, which draws for each of PARTS parts.

    The transform draws from torch's global generator, which is seeded here and restored.
    """
    import torch

    parts = torch.chunk((batch.x * 255).round().to(torch.uint8), PARTS)
    with torch.random.fork_rng(devices=[batch.x.device] if batch.x.is_cuda else []):
        torch.manual_seed(stream.seed())
        changed = torch.cat([transform(part) for part in parts])
    return replace(batch, x=changed.to(batch.x) / 255)


def channels_problem(task: TaskInfo) -> str | None:
    """Why the policies cannot run on the images of a task, or None."""
    channels = task.input_shape[0]
    return None if channels in (1, 3) else f"images of 1 or 3 channels only, not {channels}"
