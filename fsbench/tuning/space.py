"""The configurations of a search: a strategy's fields and the recipe, drawn from ranges.

Configuration 0 has the defaults, so tuning can keep them. Those that are drawn at random do not depend on
results or on the strategy's fields, so the recipes of configuration i are the same for every strategy of a
trial's seeds, and a field that has no effect under the value of another costs nothing.
"""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fsbench.composition import Composition
from fsbench.errors import UsageError
from fsbench.params import is_range, tune_range
from fsbench.recipes.recipe import override
from fsbench.registry import Registry
from fsbench.rng import derive_key
from fsbench.spec import type_options
from fsbench.strategy import Strategy, has_default
from fsbench.tuning.samplers import RANDOM_FIRST, ROUNDING, Told, distribution, draw_random, draw_tpe
from fsbench.types import Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_LR = (0.1, 10.0)
_STEPS = (0.25, 2.0)
_WEIGHT_DECAY = {"adamw": (1e-4, 1.0), "sgd": (1e-6, 1e-2)}


@dataclass(frozen=True)
class Configuration:
    """One of the configurations of a search: its number, and a strategy with a recipe.

    `composition` is None if the configuration cannot run; `reason` then says why. `full_spec` is the trial's
    if it can. `values` has what was drawn, `{"lr": 0.01, "focal.gamma": 1.5}`.
    """

    number: int
    composition: Composition | None
    recipe: Recipe
    reason: str = ""
    full_spec: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Space:
    """What the configurations of a strategy under a recipe are drawn from, for a key (task and seeds).

    A recipe that is not read is not drawn. A space is false if nothing can be tuned. Drawing raises
    UsageError if optuna is needed and missing.
    """

    registry: Registry
    composition: Composition
    recipe: Recipe
    key: tuple[object, ...]

    def __bool__(self) -> bool:
        return bool(self._fields) or _reads_recipe(self.composition)

    def draw(self, number: int, sampler: str = "random", told: Told = ()) -> Configuration:
        """The configuration of a number; `tpe` is told of all before it, but for the first few."""
        if number == 0:
            about_fields = {name: f.default for name, f in self._fields.items()}
            return Configuration(0, self.composition, self.recipe, values=self._recipe_values | about_fields)
        if sampler == "tpe" and number >= RANDOM_FIRST:
            seed = derive_key(*self.key, number, "tpe") % 2**32
            return self._configuration(number, draw_tpe(self._ranges, seed, told))
        seed = derive_key(*self.key, number, "configuration") % 2**32
        return self._configuration(number, draw_random(self._ranges, seed))

    @cached_property
    def _fields(self) -> dict[str, Field[Any]]:
        return tuned_fields(self.composition)

    @property
    def _recipe_values(self) -> dict[str, Any]:
        names = ("lr", "weight_decay", "steps") if _reads_recipe(self.composition) else ()
        return {name: getattr(self.recipe, name) for name in names}

    @cached_property
    def _ranges(self) -> dict[str, BaseDistribution]:
        """Around the recipe's learning rate and steps; AdamW multiplies weight decay by the learning rate."""
        found, recipe = {}, self.recipe
        if self._recipe_values:
            few, many = (max(1, round(recipe.steps * factor)) for factor in _STEPS)
            found["lr"] = distribution(tuple(recipe.lr * factor for factor in _LR), whole=False)
            found["weight_decay"] = distribution(_WEIGHT_DECAY[_decay(recipe)], whole=False)
            found["steps"] = distribution((few, many), whole=True, log=True)
        for name, f in self._fields.items():
            found[name] = distribution(tune_range(f), whole=self._whole(name), span=is_range(f))
        return found

    def _whole(self, name: str) -> bool:
        """Whether a field such as `focal.gamma` takes whole numbers only."""
        component, _, attribute = name.rpartition(".")
        (cls,) = (type(each) for each in self.composition.components if each.name == component)
        options = type_options(typing.get_type_hints(cls)[attribute])
        return int in options and float not in options

    def _configuration(self, number: int, values: Mapping[str, Any]) -> Configuration:
        """The strategy and the recipe with drawn values."""
        recipe = _changed(self.recipe, {name: values[name] for name in self._recipe_values})
        try:
            changed = [_with_values(component, values) for component in self.composition.components]
            return Configuration(number, self.registry.compose(changed), recipe, values=values)
        except UsageError as error:
            return Configuration(number, None, recipe, str(error), values=values)


def _decay(recipe: Recipe) -> str:
    """Whose range of weight decays fits a recipe: other optimizers add it to the gradient, as SGD does."""
    return "adamw" if recipe.optimizer == "adamw" else "sgd"


def tuned_fields(composition: Composition) -> dict[str, Field[Any]]:
    """The fields that a search of a strategy draws, by names such as `focal.gamma`.

    These are the fields with a range that the spec leaves at their defaults, except for those of a stage that
    another component owns.
    """
    return {
        f"{component.name}.{f.name}": f
        for component in composition.components
        for f in fields(component)
        if tune_range(f) and has_default(component, f) and _decides(composition, component, f)
    }


def space_mark(composition: Composition) -> str:
    """What identifies the ranges that a search of a strategy draws from: `space+1a2b3c4d`."""
    ranges = [(name, tune_range(f)) for name, f in tuned_fields(composition).items()]
    text = repr((ranges, _reads_recipe(composition), _LR, _STEPS, _WEIGHT_DECAY, *ROUNDING))
    return f"space+{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _reads_recipe(composition: Composition) -> bool:
    """Whether what fits reads the recipe."""
    owner = composition.owner("fit")
    return owner is None or owner.reads_recipe


def _decides(composition: Composition, component: Strategy, f: Field[Any]) -> bool:
    """Whether a field has an effect in a strategy: the stage that it is for, if any, is the component's."""
    stage = f.metadata.get("stage")
    return stage is None or composition.owner(stage) is component


def _with_values(component: Strategy, values: Mapping[str, Any]) -> Strategy:
    named = {f.name: f"{component.name}.{f.name}" for f in fields(component)}
    return replace(component, **{name: values[whole] for name, whole in named.items() if whole in values})


def _changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with drawn values; passes over the data change as the steps do."""
    if not values:
        return recipe
    passes = max(1, round(recipe.passes * values["steps"] / recipe.steps)) if recipe.passes else 0
    return override(recipe, {**values, "passes": passes})
