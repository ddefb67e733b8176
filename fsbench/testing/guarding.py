"""Strategies whose stages may not change what they are given, or draw torch's global random numbers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from fsbench.engine.context import EngineContext
from fsbench.strategy import Strategy, overrides
from fsbench.testing.demands import require
from fsbench.types import Batch, LabeledSet, StepOutput

Guard = Callable[..., Any]
"""Calls a function, named for messages, with arguments. Raises AssertionError if it does what it may not."""


def guarded(strategy: Strategy, guard: Guard, among: Iterable[str]) -> Strategy:
    """A strategy of which some stages, as far as it has them, are called by a guard."""
    cls = type(strategy)
    stages = {stage: _guarded(getattr(cls, stage), stage, guard) for stage in among if overrides(cls, stage)}
    made: type[Strategy] = dataclasses.dataclass(frozen=True)(type(cls.__name__, (cls,), dict(stages)))
    return made(**{f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy)})


def _guarded(method: Callable[..., Any], stage: str, guard: Guard) -> Callable[..., Any]:
    return lambda self, *given: guard(stage, functools.partial(method, self), *given)


def undrawn(what: str, function: Callable[..., Any], *given: Any) -> Any:
    """What a function returns. Raises AssertionError if it changes the state of torch's global generator."""
    before = torch.get_rng_state()
    got = function(*given)
    same = torch.equal(before, torch.get_rng_state())
    require(same, f"{what} used the global random state of torch; use ctx.rng, or with ctx.torch_seeded():")
    return got


def unchanged(what: str, function: Callable[..., Any], *given: Any, lent: Iterable[Any] = ()) -> Any:
    """What a function returns. Raises AssertionError if it changes tensors that it is given or lent in place.

    Also through numpy, which shares their memory and leaves torch's count of changes as it was.
    """
    tensors = list(_tensors([*given, *lent]))
    before = [(each._version, each.detach().clone()) for each in tensors]
    got = function(*given)
    require(
        all(
            version == each._version and _equal(copy, each)
            for (version, copy), each in zip(before, tensors, strict=True)
        ),
        f"{what} changes in place what it is given, which others see too; return new tensors",
    )
    return got


def unchanged_or_lent(what: str, function: Callable[..., Any], *given: Any) -> Any:
    """As `unchanged`, also of the source and unlabelled data that a context lends to all components."""
    states = [each.state for each in given if isinstance(each, EngineContext)]
    lent = [lend() for state in states for lend in (state.source, state.unlabeled) if lend is not None]
    return unchanged(what, function, *given, lent=lent)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _tensors(given: Iterable[Any]) -> Iterator[torch.Tensor]:
    for each in given:
        if isinstance(each, torch.Tensor):
            yield each
        elif isinstance(each, Batch | LabeledSet | StepOutput):
            yield from _tensors(vars(each).values())
