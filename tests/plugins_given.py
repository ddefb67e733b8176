"""Strategies that no hook returns: their classes and instances are passed to a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsbench import Strategy


class Outer:
    """A class that contains a strategy."""

    @dataclass(frozen=True)
    class Scaled(Strategy):
        """The loss of logits times a number."""

        name = "scaled_in_tests"
        cite = "nobody"
        by: float = 2.0

        def loss(self, logits, targets, inner, ctx):
            """Compute the loss of scaled logits."""
            return inner(self.by * logits, targets)


@dataclass(frozen=True)
class Thief(Strategy):
    """Takes the name of another strategy."""

    name = "focal"


@dataclass(frozen=True)
class Needy(Strategy):
    """Cannot be made from a text."""

    name = "needy"
    size: int = field()
