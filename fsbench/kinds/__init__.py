"""The kinds of samples by name, and what strategies ask of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsbench.errors import PluginError
from fsbench.kinds.kind import Kind
from fsbench.sorts import Sort
from fsbench.types import TaskInfo

if TYPE_CHECKING:
    import torch

__all__ = ["FEATURES", "KINDS", "Kind", "get_kind", "kind_names", "match_inputs", "source_problem"]


def _check_kind(kind: Any) -> None:
    if not isinstance(kind, Kind):
        raise PluginError(f"fsbench_kinds returned {kind!r}; expected instances of fsbench.Kind")
    if missing := [name for name in ("name", "dtype", "recipe") if not hasattr(kind, name)]:
        raise PluginError(f"{type(kind).__name__} has no {missing[0]}; every kind of samples needs one")


KINDS: Sort[Kind] = Sort("kind", "fsbench_kinds", _check_kind, lambda kind: kind.name)


FEATURES = "table"
"""The kind of samples that were embedded: rows of numbers."""


def kind_names() -> list[str]:
    """The names of all kinds, sorted."""
    return sorted(KINDS)


def get_kind(name: str) -> Kind:
    """The kind of a name. Raises UnknownName."""
    return KINDS.find(name)


def match_inputs(x: torch.Tensor, task: TaskInfo) -> torch.Tensor:
    """Source inputs `[N, ...]` in the shape of the task's inputs.

    Images are resized, grey images get three equal channels, and colours become their luminance; rows of
    tables must have the same features. Raises DataError if this is not possible.
    """
    return get_kind(task.kind).match(x, task.input_shape)


def source_problem(task: TaskInfo) -> str | None:
    """Why a strategy that needs source data like the task's own cannot run, for `skip`; None if it can."""
    if task.source_shape is None:
        return "needs source data"
    return get_kind(task.kind).mismatch(task.source_shape, task.input_shape)
