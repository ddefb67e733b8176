"""The hooks that a plugin may implement. Entry-point group `fsbench`; marker `fsbench.hookimpl`.

A plugin is a module that implements any of these hooks as functions of the same names. It is loaded
completely or not at all: if one entry is invalid, or its name is already taken, nothing is loaded, and
`fsbench list plugins` shows the reason. Hooks are called once in a process; they must be fast and must not
import torch.
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
    from fsbench.record import Record
    from fsbench.strategy import Strategy
    from fsbench.tasks.protocols import Protocol

hookspec = pluggy.HookspecMarker("fsbench")
hookimpl = pluggy.HookimplMarker("fsbench")


@hookspec
def fsbench_strategies() -> Sequence[type[Strategy]]:  # type: ignore[empty-body]
    """Return the strategy classes of the plugin.

    Each is a frozen dataclass, a subclass of `fsbench.Strategy`, with a unique `name`.
    """


@hookspec
def fsbench_kinds() -> Sequence[Kind]:  # type: ignore[empty-body]
    """Return the kinds of samples of the plugin, each an instance of a subclass of `fsbench.Kind`.

    A dataset names the kind of its samples.
    """


@hookspec
def fsbench_datasets() -> Sequence[DatasetEntry]:  # type: ignore[empty-body]
    """Return an `fsbench.DatasetEntry` for each dataset of the plugin.

    An entry says how its dataset is described and how it is loaded; both happen only on demand.
    """


@hookspec
def fsbench_protocols() -> Sequence[type[Protocol]]:  # type: ignore[empty-body]
    """Return the protocol classes of the plugin.

    Each is a frozen dataclass, a subclass of `fsbench.Protocol` or `fsbench.OneDataset`, with a `name` and a
    `summary`.
    """


@hookspec
def fsbench_backbones() -> Sequence[Backbone]:  # type: ignore[empty-body]
    """Return an `fsbench.Backbone` for each backbone of the plugin.

    It names the function that builds the network, so that the module with the function, which imports torch,
    is imported only where a network is built.
    """


@hookspec
def fsbench_metrics() -> Sequence[Metric]:  # type: ignore[empty-body]
    """Return the `fsbench.Metric`s of the plugin.

    Every trial is scored by all installed metrics.
    """


@hookspec
def fsbench_suites() -> Sequence[Path | Traversable]:  # type: ignore[empty-body]
    """Return the suites of the plugin, each the path of a TOML file.

    The name of a suite is that of its file, without `.toml`: `importlib.resources.files("my_package") /
    "mine-v1.toml"`.
    """


@hookspec
def fsbench_trial_finished(record: Record) -> None:
    """Observe a record just after it was stored, in the parent process. The result is ignored."""
