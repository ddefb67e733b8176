"""The hooks that a plugin may implement. Entry-point group `fsbench`; marker `fsbench.hookimpl`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from fsbench.strategy import Strategy
    from fsbench.types import Record

hookspec = pluggy.HookspecMarker("fsbench")
hookimpl = pluggy.HookimplMarker("fsbench")


@hookspec
def fsbench_strategies() -> list[type[Strategy]]:  # type: ignore[empty-body]
    """Return the strategy classes that the plugin brings.

    Each is a frozen dataclass, a subclass of `fsbench.Strategy`, with a `name` of its own.
    """


@hookspec
def fsbench_trial_finished(record: Record) -> None:
    """Observe a record just after it was stored, in the parent process. The result is ignored."""
