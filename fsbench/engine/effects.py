"""What the components of a trial did, and whether anything came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Ground = Literal["recipe", "model"]


@dataclass
class Effects:
    """Which components had an effect, so that none stands in a row that it had no part in.

    A stage that hands back what it was given did nothing. What is done to the recipe or to the start
    (`configure`, `init_model` and what runs inside it) has an effect only if a fit makes use of that:
    an owner of `fit` that never looks at the model is the same with any start.
    """

    used: set[Ground] = field(default_factory=set)
    _did: set[tuple[str, Ground | None]] = field(default_factory=set)
    _ground: Ground | None = None

    def did(self, component: str, ground: Ground | None = None) -> None:
        """Remember that a component did something, to what is then to be used (None: it counts at once)."""
        self._did.add((component, self._ground or ground))

    def had_effect(self, component: str) -> bool:
        """Whether something that the component did was made use of."""
        return any(name == component and (on is None or on in self.used) for name, on in self._did)

    @contextmanager
    def resting_on(self, ground: Ground) -> Iterator[None]:
        """Inside, whatever any component does has an effect only if the recipe or the model is used."""
        before, self._ground = self._ground, ground
        try:
            yield
        finally:
            self._ground = before
