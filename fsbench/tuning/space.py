"""The configurations of a search: a strategy's fields and the recipe, drawn from ranges by optuna.

Configuration 0 has the defaults, so tuning can keep them. The others are independent random draws (Bergstra &
Bengio 2012, "Random search for hyper-parameter optimization", JMLR 13): a field that has no effect under the
value of another costs nothing then, and the draws do not depend on results, so the recipes of configuration i
are the same for every strategy of a trial's seeds. optuna is imported only where something is drawn.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsbench.composition import Composition
from fsbench.errors import SpecError, UsageError
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

    The first is the strategy under the recipe as they are. Raises UsageError if optuna is needed and missing.
    """
    found = [Configuration(0, composition, recipe)]
    if n > 1:
        about_recipe = _recipe_ranges(recipe)
        ranges = about_recipe | _field_ranges(composition)
        for number in range(1, n):
            values = _draw(ranges, *key, number)
            changed = _changed(recipe, {name: values.pop(name) for name in about_recipe})
            found.append(_configuration(registry, composition, changed, number, values))
    return found


def space_mark(composition: Composition) -> str:
    """What identifies the ranges that a search of a strategy draws from: `space+1a2b3c4d`."""
    ranges = [(c.name, f.name, tune_range(f)) for c in composition.components for f in _tuned(c)]
    text = repr((ranges, _LR, _STEPS, _WEIGHT_DECAY, _LOG_FROM, _DIGITS))
    return f"space+{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _configuration(
    registry: Registry, composition: Composition, recipe: Recipe, number: int, values: Mapping[str, Any]
) -> Configuration:
    changed = []
    try:
        for component in composition.components:
            own = {f.name: values[f"{component.name}.{f.name}"] for f in _tuned(component)}
            changed.append(dataclasses.replace(component, **own))
        return Configuration(number, registry.compose(changed), recipe)
    except SpecError as error:
        return Configuration(number, None, recipe, str(error))


def _changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with drawn values; passes over the data change as the steps do."""
    passes = max(1, round(recipe.passes * values["steps"] / recipe.steps)) if recipe.passes else 0
    return override(recipe, {**values, "passes": passes})


def _tuned(component: Strategy) -> list[dataclasses.Field[Any]]:
    """The fields with a range that the spec leaves at their defaults; what it sets is not tuned."""
    fields = dataclasses.fields(component)
    return [f for f in fields if tune_range(f) and getattr(component, f.name) == f.default]


def _field_ranges(composition: Composition) -> dict[str, BaseDistribution]:
    return {
        f"{component.name}.{f.name}": _distribution(tune_range(f), isinstance(f.default, int))
        for component in composition.components
        for f in _tuned(component)
    }


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
