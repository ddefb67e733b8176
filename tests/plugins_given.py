"""Strategies that no hook returns: a run is given their classes and instances."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsbench import Strategy


class Outer:
    """A class around one."""

    @dataclass(frozen=True)
    class Scaled(Strategy):
        """The loss of logits times a number."""

        name = "scaled_in_tests"
        cite = "nobody"
        by: float = 2.0

        def loss(self, logits, targets, inner, ctx):
            """Of scaled logits."""
            return inner(self.by * logits, targets)


@dataclass(frozen=True)
class Thief(Strategy):
    """Takes a name."""

    name = "focal"


@dataclass(frozen=True)
class Needy(Strategy):
    """Cannot be made from a text."""

    name = "needy"
    size: int = field()
