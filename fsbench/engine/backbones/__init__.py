"""Networks of backbones: `build_network` makes a `Network` from an expression such as `conv4(width=32)`.

`fsbench.recipes.catalogue` lists them without torch; `network` builds them; each family has a file.
"""

from __future__ import annotations

from fsbench.engine.backbones.network import Network, build_network

__all__ = ["Network", "build_network"]
