"""Mean Teacher: predictions agree with those of an averaged network."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsbench import Context, Step, StepOutput, param
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class MeanTeacher(UsesUnlabelled):
    """Predictions agree with a teacher's on another view of an unlabelled input (Tarvainen & Valpola 2017).

    The teacher's weights are the exponential moving average of the network's with `decay`, or their plain
    average over all steps so far as long as that forgets faster. The auxiliary loss is the mean squared
    difference of the probabilities, times `weight`, with the paper's ramp `exp(-5 (1 - p)^2)` over the first
    two fifths of the training. Views are those of `fixmatch`, with a smaller `strength`. After the last step,
    the teacher's weights take the place of the network's. The paper compares on labelled inputs too.
    """

    name = "mean_teacher"
    cite = (
        "Tarvainen, A. and Valpola, H. (2017). Mean teachers are better role models: weight-averaged "
        "consistency targets improve semi-supervised deep learning results. NeurIPS 30."
    )
    family = "semi_supervised"
    kinds = frozenset({"image", "table"})

    weight: float = param(10.0, low=0.0, tune=(1.0, 100.0))
    decay: float = param(0.99, low=0.0, high=1.0, tune=(0.9, 0.999))
    strength: float = param(1.0, low=0.0, high=5.0, tune=(0.5, 2.0))
    corruption: float = param(0.1, low=0.0, high=1.0, tune=(0.05, 0.4))
    steps: int = param(200, low=0, tune=(100, 2000))

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor | float:
        """The disagreement with the teacher; zero for a batch without unlabelled inputs."""
        import torch

        from fsbench_plugins._views import view

        x = out.batch.raw_unlabeled
        if x is None:
            return 0.0
        teacher, stream = self._teacher(out.model, ctx), ctx.rng
        own, other = (view(x, self.strength, self.corruption, ctx.task, stream) for _ in range(2))
        with ctx.autocast():
            with torch.no_grad():
                wanted = teacher(other)
            found = out.model(own)
        difference: torch.Tensor = (found.float().softmax(-1) - wanted.float().softmax(-1)).square().mean()
        return self.weight * math.exp(-5 * (1 - min(1.0, 2.5 * out.progress)) ** 2) * difference

    def _teacher(self, model: nn.Module, ctx: Context) -> nn.Module:
        teacher: nn.Module = ctx.memory(lambda: copy.deepcopy(model))
        return teacher

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """The step, then an update of the teacher, which takes over after the last one."""
        import torch

        inner(step)
        teacher = self._teacher(ctx.model, ctx)
        keep = min(self.decay, (ctx.step + 1) / (ctx.step + 2))
        with torch.no_grad():
            for kept, p in zip(teacher.parameters(), ctx.model.parameters(), strict=True):
                kept.lerp_(p, 1 - keep)
            if step.last:
                ctx.model.load_state_dict(teacher.state_dict())
