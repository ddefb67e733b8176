"""The strategies that come with fsbench, registered like anybody else's."""

from __future__ import annotations

from fsbench import Strategy, hookimpl
from fsbench_plugins.erm import Erm
from fsbench_plugins.loss.focal import Focal


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies."""
    return [Erm, Focal]
