"""Networks of backbones: `build_network` makes a `Network` of an expression such as `conv4(width=32)`.

`fsbench.recipes.catalogue` says what there is, without torch; `network` builds it; each family has a file.
"""

from __future__ import annotations

from fsbench.engine.backbones.network import Network, build_network

__all__ = ["Network", "build_network"]
