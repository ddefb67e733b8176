"""Schedules of the learning rate: three in closed form, the others by torch."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import MultiStepLR, OneCycleLR, ReduceLROnPlateau

from fsbench.types import Recipe

_LOOKS = 30
_PATIENT_LOOKS = 3


class Rates:
    """The learning rates of an optimizer's groups during a training, whose number of steps the recipe has.

    The momentum stays as it is. `plateau` compares the mean losses of thirtieths of the training.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: Recipe) -> None:
        self._groups, self._recipe = optimizer.param_groups, recipe
        self._base = [group["lr"] for group in self._groups]
        self._by_torch: OneCycleLR | MultiStepLR | None = None
        self._plateau: ReduceLROnPlateau | None = None
        match recipe.schedule:
            case "one_cycle":
                self._by_torch = OneCycleLR(
                    optimizer, max_lr=self._base, total_steps=recipe.steps, cycle_momentum=False
                )
            case "step":
                self._by_torch = MultiStepLR(optimizer, [math.ceil(recipe.steps * at) for at in (0.5, 0.75)])
            case "plateau":
                self._plateau = ReduceLROnPlateau(optimizer, patience=_PATIENT_LOOKS - 1)

    def set(self, step: int) -> None:
        """Set the rates of a step, if they follow a closed form."""
        if self._by_torch is None and self._plateau is None:
            factor = schedule(self._recipe, step)
            for group, rate in zip(self._groups, self._base, strict=True):
                group["lr"] = rate * factor

    def after(self, losses: torch.Tensor) -> None:
        """Set the rates of the next step, given the losses `[S]` of all steps so far."""
        if len(losses) == self._recipe.steps:
            return
        if self._by_torch is not None:
            self._by_torch.step()
        every = math.ceil(self._recipe.steps / _LOOKS)
        if self._plateau is not None and len(losses) % every == 0:
            self._plateau.step(losses[-every:].mean().item())


def schedule(recipe: Recipe, step: int) -> float:
    """The factor of the learning rate at a step: one, or a half cosine to zero, perhaps after a rise."""
    if recipe.schedule == "constant":
        return 1.0
    rise = math.ceil(recipe.steps / 10) if recipe.schedule == "warmup_cosine" else 0
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (recipe.steps - rise)))
