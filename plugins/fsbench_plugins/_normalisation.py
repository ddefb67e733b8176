"""The batch normalisation layers of a network."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch normalisation layers that are used in evaluation too, in the order of the modules."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
