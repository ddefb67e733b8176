"""The normalisation layers of a network, and passes that leave their statistics alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch normalisation layers that are used in evaluation too, in the order of the modules."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def normalisations(model: nn.Module) -> list[nn.Module]:
    """The normalisation layers of any kind, in the order of the modules."""
    kinds = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
    return [module for module in model.modules() if isinstance(module, kinds)]


def aside(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Passes of a model, from inputs `[N, ...]` to its outputs, that leave its buffers as they are.

    Buffers are the running averages of batch normalisation, for instance.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def passed(x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = functional_call(model, buffers, x)
        return outputs

    return passed
