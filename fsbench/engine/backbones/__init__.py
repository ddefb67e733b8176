"""Backbones by name: `build_network` makes a `Network` of an expression such as `conv4(width=32)`.

`catalogue` says what there is, without torch; `network` builds it; each family has a file. Names are
imported when first used, so that listing what there is does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "BACKBONES": "catalogue",
    "Backbone": "catalogue",
    "InputSpec": "catalogue",
    "Network": "network",
    "build_network": "network",
}

__all__ = ["BACKBONES", "Backbone", "InputSpec", "Network", "build_network"]

if TYPE_CHECKING:
    from fsbench.engine.backbones.catalogue import BACKBONES, Backbone, InputSpec
    from fsbench.engine.backbones.network import Network, build_network


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsbench.engine.backbones' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
