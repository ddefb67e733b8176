"""Strategies whose stages may not change in place what they are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch

from fsbench.strategy import Strategy, overrides
from fsbench.testing.demands import require
from fsbench.types import Batch, LabeledSet

_GUARDED = ("embed", "resample", "augment", "loss", "fit")


def guarded(strategy: Strategy) -> Strategy:
    """A strategy that raises AssertionError where a stage changes its batch, set or tensors in place."""
    cls = type(strategy)
    stages = {stage: _guard(getattr(cls, stage), stage) for stage in _GUARDED if overrides(cls, stage)}
    made: type[Strategy] = dataclasses.dataclass(frozen=True)(type(cls.__name__, (cls,), dict(stages)))
    return made(**{f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy)})


def _guard(method: Callable[..., Any], stage: str) -> Callable[..., Any]:
    def guard(self: Strategy, *given: Any) -> Any:
        return unchanged(stage, lambda *args: method(self, *args), *given)

    return guard


def unchanged(what: str, function: Callable[..., Any], *given: Any) -> Any:
    """What a function returns. Raises AssertionError if it changes tensors that it is given in place."""
    tensors = list(_tensors(given))
    before = [each._version for each in tensors]
    got = function(*given)
    require(
        before == [each._version for each in tensors],
        f"{what} changes in place what it is given, which others see too; return new tensors",
    )
    return got


def _tensors(given: tuple[Any, ...]) -> Iterator[torch.Tensor]:
    for each in given:
        parts = vars(each).values() if isinstance(each, Batch | LabeledSet) else [each]
        yield from (part for part in parts if isinstance(part, torch.Tensor))
