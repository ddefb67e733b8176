"""What strategies that only change the recipe share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from fsbench import Context, Recipe

Method = Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"]

RATES: dict[Method, float] = {"sgd": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "adagrad": 0.01}
"""Learning rates of optimizers that suit about the same networks."""

MOST_DECAY = 0.01
"""Of others in place of AdamW: there, decay is a penalty on the loss, and that of tables is too strong."""


def converted(recipe: Recipe, optimizer: Method, lr: float | None = None) -> Recipe:
    """The recipe with another optimizer, its learning rate and its weight decay.

    Without `lr`, the rate is that which suits about the same networks. The decay changes inversely, so that
    the product stays the same; that of AdamW becomes `MOST_DECAY` at most.
    """
    factor = RATES[optimizer] / RATES[recipe.optimizer] if lr is None else lr / recipe.lr
    decay = recipe.weight_decay / factor if factor else recipe.weight_decay
    if recipe.optimizer == "adamw" and optimizer != "adamw":
        decay = min(decay, MOST_DECAY)
    return replace(recipe, optimizer=optimizer, lr=factor * recipe.lr, weight_decay=decay)


def at_least(steps: int, recipe: Recipe, ctx: Context) -> Recipe:
    """The recipe with at least so many steps, unless it fixes their number (`passes=0`).

    A note says if these are more than it has.
    """
    if not recipe.passes or steps <= recipe.steps:
        return recipe
    ctx.note(f"at least {steps} training steps; the recipe has {recipe.steps}")
    return replace(recipe, steps=steps)


def changed(recipe: Recipe, ctx: Context, **fields: Any) -> Recipe:
    """The recipe with some fields changed; a note says if it had these values already."""
    found = replace(recipe, **fields)
    if found == recipe:
        ctx.note("the recipe has this already")
    return found
