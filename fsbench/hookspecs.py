"""The hooks that a plugin may implement. Entry-point group `fsbench`; marker `fsbench.hookimpl`.

A plugin is a module; it implements any of the hooks by functions of these names. What it brings is taken as
a whole or not at all: one thing that cannot be taken, or whose name is taken, and nothing is, with the
reason in `fsbench list plugins`. Hooks are called once in a process, and must be quick and import no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from fsbench.datasets.known import DatasetEntry
    from fsbench.kinds import Kind
    from fsbench.metrics import Metric
    from fsbench.recipes.catalogue import Backbone
    from fsbench.strategy import Strategy
    from fsbench.tasks.protocols import Protocol
    from fsbench.types import Record

hookspec = pluggy.HookspecMarker("fsbench")
hookimpl = pluggy.HookimplMarker("fsbench")


@hookspec
def fsbench_strategies() -> Sequence[type[Strategy]]:  # type: ignore[empty-body]
    """Return the strategy classes that the plugin brings.

    Each is a frozen dataclass, a subclass of `fsbench.Strategy`, with a `name` of its own.
    """


@hookspec
def fsbench_kinds() -> Sequence[Kind]:  # type: ignore[empty-body]
    """Return the kinds of samples that the plugin brings, each an instance of a subclass of `fsbench.Kind`.

    A dataset says by name of which kind its samples are.
    """


@hookspec
def fsbench_datasets() -> Sequence[DatasetEntry]:  # type: ignore[empty-body]
    """Return an `fsbench.DatasetEntry` for each dataset that the plugin brings.

    An entry says how its dataset is described and how it is loaded; neither happens before it is asked for.
    """


@hookspec
def fsbench_protocols() -> Sequence[type[Protocol]]:  # type: ignore[empty-body]
    """Return the protocol classes that the plugin brings.

    Each is a frozen dataclass, a subclass of `fsbench.Protocol` or `fsbench.OneDataset`, with a `name` and a
    `summary` of its own.
    """


@hookspec
def fsbench_backbones() -> Sequence[Backbone]:  # type: ignore[empty-body]
    """Return an `fsbench.Backbone` for each backbone that the plugin brings.

    It names the function that builds the network, so that the module with the function, which imports torch,
    is imported only where a network is built.
    """


@hookspec
def fsbench_metrics() -> Sequence[Metric]:  # type: ignore[empty-body]
    """Return the `fsbench.Metric`s that the plugin brings.

    Every trial is scored by all that are installed.
    """


@hookspec
def fsbench_suites() -> Sequence[Path | Traversable]:  # type: ignore[empty-body]
    """Return the suites that the plugin brings, each the path of a TOML file.

    A suite is named as its file, without `.toml`: `importlib.resources.files("my_package") / "mine-v1.toml"`.
    """


@hookspec
def fsbench_trial_finished(record: Record) -> None:
    """Observe a record just after it was stored, in the parent process. The result is ignored."""
