"""What strategies that only change the recipe share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fsbench import Context, Recipe

RATES = {"sgd": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "adagrad": 0.01}
"""Learning rates of optimizers that suit about the same networks."""


def changed(recipe: Recipe, ctx: Context, **fields: Any) -> Recipe:
    """The recipe with some fields changed; a note says if it had these values already."""
    found = replace(recipe, **fields)
    if found == recipe:
        ctx.note("the recipe has this already")
    return found
