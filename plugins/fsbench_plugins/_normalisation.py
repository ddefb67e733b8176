"""The normalisation layers of a network, new statistics for them, and passes that leave these alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from fsbench import Context, Fitted, InertComponent


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch normalisation layers that are used in evaluation too, in the order of the modules."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def require_batch_norms(model: nn.Module, name: str) -> None:
    """Raise InertComponent, which names the strategy, if a model has no batch normalisation."""
    if not batch_norms(model):
        raise InertComponent(f"{name} had no effect; the network has no batch normalisation")


def require_own_statistics(fitted: Fitted, ctx: Context) -> None:
    """Raise InertComponent if a fit has batch normalisation in other networks than the model."""
    if fitted.network is not ctx.model and batch_norms(ctx.model):
        raise InertComponent(
            "new statistics of batch normalisation had no effect; another component predicts with copies of "
            "the model, so write it after this one, as in swa+ensemble"
        )


def normalisations(model: nn.Module) -> list[nn.Module]:
    """The normalisation layers of any kind, in the order of the modules."""
    kinds = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
    return [module for module in model.modules() if isinstance(module, kinds)]


def renew_statistics(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Compute the statistics of batch normalisation anew from inputs `[N, ...]`, but not of frozen layers."""
    layers = batch_norms(model)
    frozen = [layer for layer in layers if not all(p.requires_grad for p in layer.parameters())]
    if len(frozen) == len(layers):
        return
    before = [(buffer, buffer.clone()) for layer in frozen for buffer in layer.buffers()]
    update_bn(batches, model)
    for buffer, values in before:
        buffer.copy_(values)


def equal_parts(x: torch.Tensor, most: int) -> tuple[torch.Tensor, ...]:
    """Inputs `[N, ...]` in parts of at most `most` that differ by one at most, so that each counts alike."""
    return torch.tensor_split(x, max(1, -(-len(x) // most)))


def aside(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Passes of a model, from inputs `[N, ...]` to its outputs, that leave its buffers as they are.

    Buffers are the running averages of batch normalisation, for instance.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def passed(x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = functional_call(model, buffers, x)
        return outputs

    return passed


def features_aside(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Passes of a model, from inputs `[N, ...]` to features `[N, D]`, that leave its buffers as they are."""
    return aside(_Features(model))


class _Features(nn.Module):
    """A model whose outputs are its features."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features `[N, D]` of inputs `[N, ...]`."""
        features: torch.Tensor = self.model.forward_features(x)  # type: ignore[operator]
        return features
