"""The kinds of samples by name, and what strategies ask of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsbench.errors import PluginError, UnknownName
from fsbench.kinds.image import Image
from fsbench.kinds.kind import Kind
from fsbench.kinds.table import Table
from fsbench.types import TaskInfo

if TYPE_CHECKING:
    import torch

__all__ = ["Kind", "add_kind", "get_kind", "kind_names", "match_inputs", "source_problem"]

_kinds: dict[str, Kind] = {kind.name: kind for kind in (Image(), Table())}


def kind_names() -> list[str]:
    """The names of all kinds, sorted."""
    return sorted(_kinds)


def get_kind(name: str) -> Kind:
    """The kind of a name. Raises UnknownName."""
    if name not in _kinds:
        raise UnknownName("kind", name, _kinds)
    return _kinds[name]


def add_kind(kind: Kind) -> None:
    """Register a kind under its name, in this process. Raises PluginError if another one has the name."""
    taken = _kinds.setdefault(kind.name, kind)
    if type(taken) is not type(kind):
        raise PluginError(f"kind {kind.name!r} is already taken by {type(taken).__module__}")


def match_inputs(x: torch.Tensor, task: TaskInfo) -> torch.Tensor:
    """Source inputs `[N, ...]` in the shape of the task's own.

    Images are resized, grey ones become three equal channels, colour becomes its luminance; rows of tables
    must have the same features. Raises DataError where that cannot be done.
    """
    return get_kind(task.kind).match(x, task.input_shape)


def source_problem(task: TaskInfo) -> str | None:
    """Why a strategy that needs source data like the task's own cannot run, for `skip`; None if it can."""
    if task.source_shape is None:
        return "needs source data"
    return get_kind(task.kind).mismatch(task.source_shape, task.input_shape)
