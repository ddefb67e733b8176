"""What the components of a trial did, and whether it had an effect.

A stage that returns the same tensors that it was given did nothing, even in a new container.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from fsbench.stages import Ground
from fsbench.types import Batch, Fitted, LabeledSet, Predictor, Step

if TYPE_CHECKING:
    import torch
    from torch import nn

Mark = Callable[[], None]
"""A function to call when a component had an effect."""


@dataclass
class Effects:
    """Which components had an effect, so that no row names a component that played no part in it.

    A change to the recipe or to the start (`configure`, `init_model` and what runs inside it) has an effect
    only if a fit uses it: an owner of `fit` that never uses the model gives the same result with any start.
    """

    used: set[Ground] = field(default_factory=set)
    inner_steps: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """How often a component's `step` called `inner` in one step: every number that occurred."""
    _did: set[tuple[str, Ground | None]] = field(default_factory=set)
    _ground: Ground | None = None

    def did(self, component: str, ground: Ground | None) -> None:
        """Remember that a component changed something that must still be used (None: it counts at once)."""
        self._did.add((component, self._ground or ground))

    def had_effect(self, component: str) -> bool:
        """Whether something that the component did was used."""
        return any(name == component and (on is None or on in self.used) for name, on in self._did)

    @contextmanager
    def resting_on(self, ground: Ground | None) -> Iterator[None]:
        """Inside, what a component does has an effect only if the recipe or the model is used."""
        before = self._ground
        self._ground = before if ground is None else ground
        try:
            yield
        finally:
            self._ground = before


def other_tensors(given: LabeledSet | Batch, got: LabeledSet | Batch) -> bool:
    """Whether a set or a batch holds other tensor objects than another."""
    return any(getattr(given, f.name) is not getattr(got, f.name) for f in fields(given))


def trains(term: torch.Tensor | float) -> bool:
    """Whether a loss has a gradient and is other than zero."""
    if isinstance(term, int | float) or not term.requires_grad:
        return False
    return bool((term.detach() != 0).any())


class Weights:
    """A copy of a network's parameters and buffers, and its modules as text, to find later changes."""

    def __init__(self, network: nn.Module | None) -> None:
        self._frozen, self._values = _frozen(network), [t.detach().clone() for t in _tensors(network)]
        self._modules = str(network)

    def differ(self, network: nn.Module | None) -> bool:
        """Whether a network (this one or another) has other weights or modules, or other weights frozen."""
        import torch

        if _frozen(network) != self._frozen or str(network) != self._modules:
            return True
        pairs = zip(_tensors(network), self._values, strict=True)
        return not all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def _tensors(network: nn.Module | None) -> list[torch.Tensor]:
    return [] if network is None else [*network.parameters(), *network.buffers()]


def _frozen(network: nn.Module | None) -> dict[str, bool]:
    """The names of a network's tensors, and whether each is trained."""
    if network is None:
        return {}
    return {name: t.requires_grad for name, t in (*network.named_parameters(), *network.named_buffers())}


class WatchedFit:
    """A fitted predictor that a component is given, and what the component makes of it.

    Pass `given` to the component and its result to `check`. `mark` is called if the network behind the result
    is another one or has other weights, or if the predictor returns other tensors than the given one, which
    shows only when a prediction is made.
    """

    def __init__(self, fitted: Fitted, mark: Mark) -> None:
        self.fitted, self.mark = fitted, mark
        self.weights = Weights(fitted.network)
        self.given = Fitted(self._given(), fitted.network)
        self._returned: list[torch.Tensor] | None = None

    def _given(self) -> Predictor:
        @functools.wraps(self.fitted.predict, assigned=(), updated=())
        def predict(x: torch.Tensor) -> torch.Tensor:
            logits = self.fitted.predict(x)
            if self._returned is not None:
                self._returned.append(logits)
            return logits

        return predict

    def check(self, got: Fitted) -> Fitted:
        """What the component returned, watched if it has shown no effect yet."""
        if got.network is not self.fitted.network or self.weights.differ(got.network):
            self.mark()
            return got
        if got.predict == self.given.predict:
            return self.fitted
        return Fitted(self._watched(got), got.network)

    def _watched(self, got: Fitted) -> Predictor:
        seen = False

        @functools.wraps(got.predict, assigned=(), updated=())
        def predict(x: torch.Tensor) -> torch.Tensor:
            nonlocal seen
            if seen:
                return got.predict(x)
            self._returned = []
            logits = got.predict(x)
            seen = not any(logits is each for each in self._returned) or self.weights.differ(got.network)
            self._returned = None
            if seen:
                self.mark()
            return logits

        return predict


class WatchedStep:
    """An optimizer step as one component sees it; using it, instead of only passing it on, is an effect."""

    def __init__(self, step: Step, mark: Mark) -> None:
        self.step, self.mark = step, mark

    def __getattr__(self, name: str) -> Any:
        if name != "last":
            self.mark()
        return getattr(self.step, name)
