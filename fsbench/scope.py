"""What the laws of composition need from the engine, in addition to what authors need."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from fsbench.context import Context
from fsbench.effects import Effects
from fsbench.strategy import Strategy
from fsbench.types import Batch, LabeledSet, Recipe

if TYPE_CHECKING:
    from torch import nn


class Scope(Context, Protocol):
    """The engine's view of a trial: an author's view, and what the laws of composition need."""

    @property
    def state(self) -> Any:
        """What all contexts of the trial share."""

    @property
    def effects(self) -> Effects:
        """The effects of the components so far."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks so far."""

    def scoped(self, component: Strategy, stage: str) -> Scope:
        """The view of one component inside one stage."""

    def withheld(self, what: str) -> Any:
        """A stand-in for data that the component has not declared: raises UndeclaredUse when touched."""

    def in_force(
        self,
        recipe: Recipe | None,
        model: nn.Module | None,
        val: LabeledSet | None = None,
        batch: Batch | None = None,
    ) -> AbstractContextManager[None]:
        """Inside, another recipe, model or validation set takes the place of the trial's.

        `batch` is what is trained on inside.
        """

    def rehearsing(self) -> AbstractContextManager[None]:
        """Inside, components remember in copies, which are forgotten afterwards, as are their notes."""

    @property
    def trained(self) -> nn.Module | None:
        """The model that a fit trains; reading it here does not count as using it."""

    def reached_training(self, model: nn.Module | None) -> None:
        """Report that the engine trains the model, or another one if given."""
