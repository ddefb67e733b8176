"""LoRA: low-rank updates of a frozen body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, Fitted, InertComponent, LabeledSet, param
from fsbench_plugins.transfer import Transfer

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Lora(Transfer):
    """`transfer` whose body learns only low-rank updates of its weights (Hu et al. 2022).

    The weights of linear, convolutional and attention layers, as matrices with a row for each output, get the
    update `scale * B A`, where B starts at zero and A at random, with rank `rank` (at most the smaller side
    of the matrix). Only these and the head are trained; after the training the updates are added to the
    weights. A component that fits again (`self_training`, `snapshot`) trains new ones. The paper updates the
    weights of attention alone, and writes `alpha / rank` for `scale`. The updates are new, so their learning
    rate is that of the head, for pretrained weights too.
    """

    name = "lora"
    results_version = "2"
    cite = (
        "Hu, E. J., Shen, Y., Wallis, P., Allen-Zhu, Z., Li, Y., Wang, S., Wang, L. and Chen, W. (2022). "
        "LoRA: low-rank adaptation of large language models. ICLR."
    )
    in_core = False
    pretrained_lr_scale = 1.0

    mode: Literal["finetune"] = "finetune"
    rank: int = param(4, low=1, tune=(1, 16))
    scale: float = param(1.0, low=0.0, tune=(0.25, 4.0))

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a frozen body from the source, and updates that start at zero.

        Raises InertComponent if no layer of the body can have one.
        """
        from fsbench_plugins._low_rank import add_updates, has_updates

        model = super().init_model(model, ctx)
        body = model.get_submodule("body").requires_grad_(False)
        with ctx.torch_seeded():
            add_updates(body, self.rank, self.scale)
        if not has_updates(body):
            raise InertComponent(
                f"{self.name} had no effect; the body has no linear, convolutional or attention layers"
            )
        return model

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        """Train the updates and the head, then merge the updates into the weights."""
        from fsbench_plugins._low_rank import add_updates, has_updates, merge_updates

        if not has_updates(ctx.model):  # a fit before this one has merged them
            with ctx.torch_seeded():
                add_updates(ctx.model.get_submodule("body"), self.rank, self.scale)
        fitted = inner(train)
        merge_updates(fitted.require_network(self.name))
        return fitted
