"""The composed objective: a model, its auxiliary modules, and the loss of all components."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from fsbench.composition import Composition
from fsbench.engine.backbones import Network
from fsbench.errors import PluginError
from fsbench.scope import Scope
from fsbench.types import Batch, StepOutput


class Objective(nn.Module):
    """`forward(batch) -> scalar`: the mean of the composed loss plus the auxiliary losses.

    A module, so that second-order methods and `torch.func.functional_call` work on it. The model's
    parameters are named `model.*`; those of the components' own modules `auxiliary.NAME.*`.
    """

    def __init__(self, model: nn.Module, composition: Composition, ctx: Scope) -> None:
        super().__init__()
        self.model = model
        self.composition = composition
        self.ctx = ctx
        self.auxiliary = nn.ModuleDict(composition.auxiliary_modules(model, ctx)).to(ctx.device)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The scalar objective of one batch: the model in the recipe's precision, losses in float32."""
        with self.ctx.in_force(None, self.model):
            with self.ctx.autocast():
                features, logits = self._features_and_logits(batch)
            return self._loss(_widened(features), _widened(logits), batch)

    def _loss(self, features: torch.Tensor, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        size = len(batch.x)
        others: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)
        if batch.unlabeled is not None:
            others = features[size:], logits[size:]
            features, logits = features[:size], logits[:size]
        losses = self.composition.loss(logits, batch.targets, self.ctx)
        if losses.shape != (size,):
            raise PluginError(
                f"{self.composition.text}: the loss has shape {list(losses.shape)}; expected one number "
                f"for each of the {size} samples"
            )
        if not self.composition.chain("auxiliary_loss"):
            return losses.mean()
        progress = self.ctx.progress
        out = StepOutput(features, logits, batch.targets, progress, self.model, batch, *others)
        return losses.mean() + self.composition.auxiliary_loss(out, self.auxiliary, self.ctx)

    def _features_and_logits(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if not hasattr(self.model, "forward_features"):
            logits: torch.Tensor = self.model(_inputs(batch))
            return logits, logits
        model = cast(Network, self.model)
        features = model.forward_features(_inputs(batch))
        return features, model.forward_head(features)


def _widened(x: torch.Tensor) -> torch.Tensor:
    return x.float() if x.dtype == torch.bfloat16 else x


def _inputs(batch: Batch) -> torch.Tensor:
    return batch.x if batch.unlabeled is None else torch.cat([batch.x, batch.unlabeled])
