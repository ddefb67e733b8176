"""The composed objective: a model, its auxiliary modules, and the loss of all components."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import nn

from fsbench import laws
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
        modules = laws.auxiliary_modules(composition, model, ctx)
        if taken := sorted(name for name in modules if hasattr(nn.ModuleDict, name)):
            raise PluginError(
                f"{taken[0]}: torch.nn.ModuleDict has an attribute of this name, so no auxiliary module can "
                "have it; give the strategy another name"
            )
        self.auxiliary = nn.ModuleDict(modules).to(ctx.device)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The scalar objective of one batch: the model in the recipe's precision, losses in float32."""
        with self.ctx.in_force(None, self.model, batch=batch):
            with self.ctx.autocast():
                features, logits, *others = self._outputs(batch)
            return self._loss(
                batch, _widened(features), _widened(logits), [_widened(each) for each in others]
            )

    def _loss(
        self, batch: Batch, features: torch.Tensor, logits: torch.Tensor, others: list[torch.Tensor]
    ) -> torch.Tensor:
        losses = laws.loss(self.composition, logits, batch.targets, self.ctx)
        if not self.composition.chain("auxiliary_loss"):
            return losses.mean()
        out = StepOutput(features, logits, batch.targets, self.ctx.progress, self.model, batch)
        if others:
            out = replace(out, unlabeled_features=others[0], unlabeled_logits=others[1])
        return losses.mean() + laws.auxiliary_loss(self.composition, out, self.auxiliary, self.ctx)

    def _outputs(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """Features and logits of the labelled batch, then those of the unlabelled one, if there is one.

        Unlabelled inputs of another domain than the source pass the model by themselves, so that batch
        normalisation gives both domains the same mean and deviation; those of the same domain join the batch.
        """
        if batch.unlabeled is None:
            return self._features_and_logits(batch.x)
        if batch.domain is not None:
            return *self._features_and_logits(batch.x), *self._features_and_logits(batch.unlabeled)
        features, logits = self._features_and_logits(torch.cat([batch.x, batch.unlabeled]))
        size = len(batch.x)
        return features[:size], logits[:size], features[size:], logits[size:]

    def _features_and_logits(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not hasattr(self.model, "forward_features"):
            logits: torch.Tensor = self.model(x)
            return logits, logits
        model = cast(Network, self.model)
        features = model.forward_features(x)
        return features, model.forward_head(features)


def _widened(x: torch.Tensor) -> torch.Tensor:
    return x.float() if x.dtype == torch.bfloat16 else x
