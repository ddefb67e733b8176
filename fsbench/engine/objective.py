"""The composed objective: a model, its auxiliary modules, and the loss of all components."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from fsbench.composition import Composition
from fsbench.engine.backbones import Network
from fsbench.errors import PluginError
from fsbench.types import Batch, StepOutput

if TYPE_CHECKING:
    from fsbench.engine.context import Context


class Objective(nn.Module):
    """`forward(batch) -> scalar`: the mean of the composed loss plus the auxiliary losses.

    A module, so that second-order methods and `torch.func.functional_call` work on it. The model's
    parameters are named `model.*`; those of the components' own modules `auxiliary.NAME.*`.
    """

    def __init__(self, model: nn.Module, composition: Composition, ctx: Context) -> None:
        super().__init__()
        self.model = model
        self.composition = composition
        self.ctx = ctx
        self.auxiliary = nn.ModuleDict(composition.auxiliary_modules(model, ctx)).to(ctx.device)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The scalar objective of one batch."""
        if hasattr(self.model, "forward_features"):
            features, logits = self._features_and_logits(batch)
        else:
            features = logits = self.model(_inputs(batch))
        size = len(batch.x)
        losses = self.composition.loss(logits[:size], batch.targets, self.ctx)
        if losses.shape != (size,):
            raise PluginError(
                f"{self.composition.text}: the loss has shape {list(losses.shape)}; expected one number "
                f"for each of the {size} samples"
            )
        out = StepOutput(
            features=features[:size],
            logits=logits[:size],
            targets=batch.targets,
            progress=self.ctx.progress,
            unlabeled_features=features[size:] if batch.unlabeled is not None else None,
            unlabeled_logits=logits[size:] if batch.unlabeled is not None else None,
            batch=batch,
        )
        return losses.mean() + self.composition.auxiliary_loss(out, self.auxiliary, self.ctx)

    def _features_and_logits(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        model = cast(Network, self.model)
        features = model.forward_features(_inputs(batch))
        return features, model.forward_head(features)


def _inputs(batch: Batch) -> torch.Tensor:
    return batch.x if batch.unlabeled is None else torch.cat([batch.x, batch.unlabeled])
