"""Fine-tuning of normalisation layers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsbench import Context, InertComponent
from fsbench_plugins.transfer import Transfer

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BnOnly(Transfer):
    """`transfer` that trains only the head and the scales and shifts of normalisation (Frankle et al. 2021).

    All other weights of the body stay as the source, or the pretrained weights, left them. In the paper they
    are random. The learning rate of scales and shifts is that of the head, for pretrained weights too.
    """

    name = "bn_only"
    results_version = "2"
    cite = (
        "Frankle, J., Schwab, D. J. and Morcos, A. S. (2021). Training BatchNorm and only BatchNorm: on the "
        "expressive power of random features in CNNs. ICLR."
    )
    in_core = False
    pretrained_lr_scale = 1.0
    kinds = frozenset({"image", "table"})

    mode: Literal["finetune", "frozen_then_finetune", "gradual"] = "finetune"

    def init_model(self, model: nn.Module, ctx: Context) -> nn.Module:
        """The model with a body whose normalisation is trained. Raises InertComponent if there is none."""
        from fsbench_plugins._normalisation import normalisations

        if not any(list(layer.parameters()) for layer in normalisations(model.get_submodule("body"))):
            raise InertComponent(f"{self.name} had no effect; the body has no normalisation with weights")
        return super().init_model(model, ctx)

    def _release(self, body: nn.Module, trained: bool) -> None:
        from fsbench_plugins._normalisation import normalisations

        body.requires_grad_(False)
        for layer in normalisations(body):
            layer.requires_grad_(trained)
