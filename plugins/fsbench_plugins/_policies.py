"""torchvision's random augmentation policies on batches of float images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from fsbench import Batch, Context, Recipe, Strategy, Stream, TaskInfo
from fsbench_plugins._recipes import at_least

if TYPE_CHECKING:
    import torch

PARTS = 4
_FARTHEST = 32  # pixels


def by_policy(batch: Batch, transform: Callable[[torch.Tensor], torch.Tensor], stream: Stream) -> Batch:
    """A batch of images in [0, 1] after a transform of uint8 images, which draws for each of PARTS parts.

    The transform draws from torch's global generator, which is seeded here and restored.
    """
    import torch

    parts = torch.chunk((batch.x * 255).round().to(torch.uint8), PARTS)
    with torch.random.fork_rng(devices=[batch.x.device] if batch.x.is_cuda else []):
        seed = stream.seed()
        # torch.manual_seed formats the stack for every kind of device, even for those that are not there.
        torch.default_generator.manual_seed(seed)
        if batch.x.is_cuda:
            torch.cuda.manual_seed(seed)
        changed = torch.cat([transform(part) for part in parts])
    return replace(batch, x=changed.to(batch.x) / 255)


def wide_within(height: int, width: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """torchvision's TrivialAugmentWide for images of a size in pixels, which shifts by at most their side."""
    import torch
    from torchvision.transforms import v2

    class Within(v2.TrivialAugmentWide):  # type: ignore[misc]
        _AUGMENTATION_SPACE: ClassVar = {
            **v2.TrivialAugmentWide._AUGMENTATION_SPACE,
            "TranslateX": (lambda bins, *_: torch.linspace(0, min(_FARTHEST, width), bins), True),
            "TranslateY": (lambda bins, *_: torch.linspace(0, min(_FARTHEST, height), bins), True),
        }

    return Within()


class Policy(Strategy):
    """A strategy that changes images by a policy of torchvision, for at least `steps` steps."""

    family = "augmentations"
    kinds = frozenset({"image"})
    steps: int = 0

    def skip(self, task: TaskInfo) -> str | None:
        """torchvision's operations are for grey and colour images."""
        channels = task.input_shape[0]
        return None if channels in (1, 3) else f"images of 1 or 3 channels only, not {channels}"

    def configure(self, recipe: Recipe, ctx: Context) -> Recipe:
        """At least `steps` steps, unless the recipe fixes their number; a note says if these are more."""
        return at_least(self.steps, recipe, ctx)
