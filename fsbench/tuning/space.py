"""The configurations of a search: a strategy's fields and the recipe, drawn from ranges by optuna.

Configuration 0 has the defaults, so tuning can keep them. The others are independent random draws (Bergstra &
Bengio 2012, "Random search for hyper-parameter optimization", JMLR 13): a field that has no effect under the
value of another costs nothing then, and the draws do not depend on results, so the recipes of configuration i
are the same for every strategy of a trial's seeds. optuna is imported only where something is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from fsbench.composition import Composition
from fsbench.errors import UsageError
from fsbench.recipes.recipe import override
from fsbench.registry import Registry
from fsbench.rng import derive_key
from fsbench.strategy import Strategy, is_span, tune_range
from fsbench.types import Recipe

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_LR = (0.1, 10.0)
_STEPS = (0.25, 2.0)
_WEIGHT_DECAY = {"adamw": (1e-4, 1.0), "sgd": (1e-6, 1e-2)}
_LOG_FROM = 10.0
_DIGITS = 3


@dataclass(frozen=True)
class Configuration:
    """One of the configurations of a search: its number, and a strategy with a recipe.

    `composition` is None if the drawn arguments do not go together; `reason` then says why.
    """

    number: int
    composition: Composition | None
    recipe: Recipe
    reason: str = ""


def configurations(
    registry: Registry, composition: Composition, recipe: Recipe, n: int, *key: object
) -> list[Configuration]:
    """The first n configurations of a strategy under a recipe, for a key (the trial's task and seeds).

    The first is the strategy under the recipe as they are, and the only one if nothing can be tuned. A recipe
    that is not read stays as it is. Raises UsageError if optuna is needed and missing.
    """
    found, tuned = [Configuration(0, composition, recipe)], tuned_fields(composition)
    if n > 1 and (tuned or _reads_recipe(composition)):
        about_recipe = _recipe_ranges(recipe) if _reads_recipe(composition) else {}
        about_fields = {name: _distribution(tune_range(f), _is_whole(f)) for name, f in tuned.items()}
        for number in range(1, n):
            values = _draw(about_recipe | about_fields, *key, number)
            changed = _changed(recipe, {name: values.pop(name) for name in about_recipe})
            found.append(_configuration(registry, composition, changed, number, values))
    return found


def tuned_fields(composition: Composition) -> dict[str, Field[Any]]:
    """The fields that a search of a strategy draws, by names such as `focal.gamma`.

    These are the fields with a range that the spec leaves at their defaults, except for those of a stage that
    another component owns.
    """
    return {
        f"{component.name}.{f.name}": f
        for component in composition.components
        for f in fields(component)
        if tune_range(f) and getattr(component, f.name) == f.default and _decides(composition, component, f)
    }


def space_mark(composition: Composition) -> str:
    """What identifies the ranges that a search of a strategy draws from: `space+1a2b3c4d`."""
    ranges = [(name, tune_range(f)) for name, f in tuned_fields(composition).items()]
    text = repr((ranges, _reads_recipe(composition), _LR, _STEPS, _WEIGHT_DECAY, _LOG_FROM, _DIGITS))
    return f"space+{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _reads_recipe(composition: Composition) -> bool:
    """Whether what fits reads the recipe."""
    owner = composition.owner("fit")
    return owner is None or owner.reads_recipe


def _decides(composition: Composition, component: Strategy, f: Field[Any]) -> bool:
    """Whether a field has an effect in a strategy: the stage that it is for, if any, is the component's."""
    stage = f.metadata.get("stage")
    return stage is None or composition.owner(stage) is component


def _configuration(
    registry: Registry, composition: Composition, recipe: Recipe, number: int, values: Mapping[str, Any]
) -> Configuration:
    """A strategy with drawn values `{"focal.gamma": 1.5}`."""
    try:
        changed = [
            replace(
                c, **{f.name: values[name] for f in fields(c) if (name := f"{c.name}.{f.name}") in values}
            )
            for c in composition.components
        ]
        return Configuration(number, registry.compose(changed), recipe)
    except UsageError as error:
        return Configuration(number, None, recipe, str(error))


def _changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with drawn values; passes over the data change as the steps do."""
    if not values:
        return recipe
    passes = max(1, round(recipe.passes * values["steps"] / recipe.steps)) if recipe.passes else 0
    return override(recipe, {**values, "passes": passes})


def _is_whole(f: Field[Any]) -> bool:
    return isinstance(f.default, int)


def _recipe_ranges(recipe: Recipe) -> dict[str, BaseDistribution]:
    """Around the recipe's learning rate and steps; AdamW multiplies weight decay by the learning rate."""
    few, many = (max(1, round(recipe.steps * factor)) for factor in _STEPS)
    return {
        "lr": _distribution(tuple(recipe.lr * factor for factor in _LR), whole=False),
        "weight_decay": _distribution(_WEIGHT_DECAY[recipe.optimizer], whole=False),
        "steps": _distribution((few, many), whole=True, log=True),
    }


def _distribution(tune: tuple[Any, ...], whole: bool, log: bool = False) -> BaseDistribution:
    """Numbers from one to another, on a logarithmic scale if they span a factor of ten; or given values."""
    of = _optuna().distributions
    found: BaseDistribution
    if is_span(tune):
        low, high = tune
        log = log or (low > 0 and high / low >= _LOG_FROM)
        found = of.IntDistribution(low, high, log) if whole else of.FloatDistribution(low, high, log)
    else:
        found = of.CategoricalDistribution(tune)
    return found


def _draw(ranges: Mapping[str, BaseDistribution], *key: object) -> dict[str, Any]:
    """One draw; those of the first ranges do not depend on the ranges after them."""
    optuna = _optuna()
    sampler = optuna.samplers.RandomSampler(seed=derive_key(*key, "configuration") % 2**32)
    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study
    try:
        params = optuna.create_study(sampler=sampler).ask(dict(ranges)).params
    finally:
        optuna.logging.set_verbosity(told)
    return {name: _rounded(value, ranges[name]) for name, value in params.items()}


def _rounded(value: Any, within: BaseDistribution) -> Any:
    """A number with few digits, which is easy to read and to write, inside its range."""
    if not isinstance(value, float):
        return value
    few = float(f"{value:.{_DIGITS}g}")
    return min(max(few, within.low), within.high)  # type: ignore[attr-defined]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"tuning draws configurations with optuna, which cannot be imported ({error}); "
            "pip install 'fsbench[tune]'"
        ) from None
    return optuna
