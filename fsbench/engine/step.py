"""One optimizer step: repeatable gradients, and the update."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from fsbench.engine.objective import Objective
from fsbench.types import Batch


class OptimizerStep:
    """The engine's `fsbench.Step`: an objective on one augmented batch, and the optimizer.

    `loss` is the result of the first call of `gradients`, a detached scalar; None before.
    """

    def __init__(
        self, objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch, last: bool
    ) -> None:
        self.objective, self.optimizer, self.batch, self.last = objective, optimizer, batch, last
        self.loss: torch.Tensor | None = None
        self._random = _RandomState(objective.ctx.device) if objective.composition.chain("step") else None

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """What the optimizer trains."""
        return tuple(p for group in self.optimizer.param_groups for p in group["params"])

    def gradients(self) -> torch.Tensor:
        """Compute the gradients anew.

        A repeated call uses the same random numbers, and leaves buffers and what components remember alone.
        """
        again = self.loss is not None
        buffers = [(b, b.clone()) for b in self.objective.buffers()] if again else []
        if again and self._random is not None:
            self._random.restore()
        self.optimizer.zero_grad()
        with self.objective.ctx.rehearsing() if again else nullcontext():
            loss: torch.Tensor = self.objective(self.batch)
        torch.autograd.backward(loss)
        for buffer, before in buffers:
            buffer.copy_(before)
        self.loss = loss.detach() if self.loss is None else self.loss
        return loss.detach()

    def update(self) -> None:
        """Update the parameters with the optimizer."""
        self.optimizer.step()


class _RandomState:
    """The state of torch's generators at the start of a step."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def restore(self) -> None:
        """Restore this state."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, self.device)
