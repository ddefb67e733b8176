"""What strategies share that pretrain the body on unlabelled inputs by a task of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from fsbench import Context, Stream, require_finite
from fsbench_plugins._recipes import converted
from fsbench_plugins._unlabelled import UsesUnlabelled

if TYPE_CHECKING:
    import torch
    from torch import nn

Loss: TypeAlias = "Callable[[torch.Tensor, Stream], torch.Tensor]"
"""A batch of inputs `[B, ...]` and random numbers to a scalar."""


class Pretext(UsesUnlabelled):
    """A body that is pretrained on the unlabelled inputs, then trained on the task as always.

    A subclass has a field `pretext_steps` and gives the pretext task in `pretext`.
    """

    family = "generative"
    kinds = frozenset({"image", "table"})
    replaces = frozenset({"init_model"})

    pretext_steps: int

    def pretext(self, model: nn.Module, ctx: Context) -> tuple[nn.Module, Loss]:
        """A module that is trained together with the body, and the loss."""
        raise NotImplementedError

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a pretrained body, trained by AdamW with the recipe's batch size, rate and decay.

        Those of a recipe with another optimizer are converted to AdamW's.

        Raises NonFinite if the loss was NaN or infinite.
        """
        import torch

        recipe = converted(ctx.recipe, "adamw")
        x, steps, size = ctx.unlabeled, self.pretext_steps, recipe.batch_size
        with ctx.entering("pretext"), ctx.torch_seeded():
            head, loss_of = self.pretext(model, ctx)
            head.to(ctx.device).train()
            body = model.get_submodule("body")
            parameters = [*body.parameters(), *head.parameters()]
            optimizer = torch.optim.AdamW(
                parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
            )
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
            stream, losses = ctx.stream("batches"), torch.zeros(steps, device=ctx.device)
            model.train()
            for step in range(steps):
                ctx.at_step(step, steps)
                loss = loss_of(x[stream.permutation(len(x))[:size]], stream)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                losses[step] = loss.detach()
        require_finite(losses, "try a smaller learning rate (lr of the recipe)", "loss of the pretraining")
        ctx.note(f"{steps} steps of {min(size, len(x))} on {len(x)} unlabelled inputs")
        return model
