"""What a search draws: the same recipes for every strategy, and values within the declared ranges."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from fsbench_plugins import fsbench_strategies
from hypothesis import given
from hypothesis import strategies as st
from toy import source_trial

from fsbench.composition import Composition
from fsbench.errors import SpecError, UsageError
from fsbench.params import param
from fsbench.registry import Registry, load_registry
from fsbench.strategy import Strategy, to_call
from fsbench.tuning.samplers import RANDOM_FIRST
from fsbench.tuning.space import Configuration, Space, space_mark, tuned_fields
from fsbench.types import Recipe

RECIPE = Recipe("mlp", steps=200, batch_size=32)
REGISTRY = load_registry()
SEEDS = st.integers(0, 10_000)


@dataclass(frozen=True)
class Ranged(Strategy):
    name: ClassVar[str] = "ranged"
    rate: float = param(0.5, tune=(0.0, 1.0))
    wide: float = param(1.0, tune=(1e-3, 1e3))
    count: int = param(5, tune=(1, 15))
    method: str = param("a", tune=("a", "b", "c"))
    fixed: float = 7.0


@dataclass(frozen=True)
class Annotated(Strategy):
    """Its defaults are of other types than its draws."""

    name: ClassVar[str] = "annotated"
    share: float = param(0, low=0, high=1, tune=(0.1, 0.9))
    scale: float = param(1, low=0, tune=(0.1, 10))
    depth: int | None = param(None, low=1, tune=(2, 8))


@dataclass(frozen=True)
class Narrow(Strategy):
    name: ClassVar[str] = "narrow"
    low: float = param(0.1, tune=(0.5, 0.9))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > 0.2:
            raise SpecError("low is too high")


def configurations(space: Space, n: int) -> list[Configuration]:
    return [space.draw(number) for number in range(n)]


def drawn(spec: str, n: int = 8, seed: int = 0, recipe: Recipe = RECIPE) -> list[Configuration]:
    (composition,) = REGISTRY.parse(spec)
    return configurations(Space(REGISTRY, composition, recipe, ("task", seed, 0)), n)


def of_class(strategy: Strategy, n: int, seed: int = 0) -> list[Configuration]:
    return configurations(Space(Registry(), Composition((strategy,)), RECIPE, ("task", seed, 0)), n)


def test_the_first_configuration_is_the_default():
    first = drawn("focal+transfer")[0]
    assert (first.composition.text, first.recipe) == ("focal+transfer", RECIPE)


@given(SEEDS)
def test_fewer_configurations_are_the_first_of_more(seed):
    assert drawn("focal", 3, seed) == drawn("focal", 5, seed)[:3]


@given(SEEDS)
def test_every_strategy_gets_the_same_recipes(seed):
    recipes = [[each.recipe for each in drawn(spec, 4, seed)] for spec in ("erm", "focal", "focal+transfer")]
    assert recipes[0] == recipes[1] == recipes[2]
    assert len(set(recipes[0])) == 4


@given(SEEDS)
def test_draws_are_within_their_ranges(seed):
    for each in of_class(Ranged(), 4, seed):
        (component,) = each.composition.components
        assert 0 <= component.rate <= 1
        assert 1e-3 <= component.wide <= 1e3
        assert component.count in range(1, 16)
        assert component.method in ("a", "b", "c")
        assert component.fixed == 7.0
        assert 1e-4 <= each.recipe.lr <= 1e-2
        assert 1e-4 <= each.recipe.weight_decay <= 1
        assert 50 <= each.recipe.steps <= 400


@given(SEEDS)
def test_draws_are_of_the_annotated_type(seed):
    for each in of_class(Annotated(), 4, seed)[1:]:
        (component,) = each.composition.components
        assert 0.1 <= component.share <= 0.9
        assert 0.1 <= component.scale <= 10
        assert component.depth in range(2, 9)


def test_every_value_of_a_list_and_both_ends_of_a_wide_range_are_drawn():
    found = [each.composition.components[0] for each in of_class(Ranged(), 60)]
    assert {each.method for each in found} == {"a", "b", "c"}
    assert min(each.wide for each in found) < 0.05
    assert max(each.wide for each in found) > 20
    assert len({each.count for each in found}) > 8


@dataclass(frozen=True)
class Forest(Strategy):
    name: ClassVar[str] = "forest"
    features: int | float = param(1.0, tune=(1, 0.5, 1.0))
    width: int = param(16, choices=(16, 64), tune=(16, 64))
    sizes: tuple[int, ...] = param((8, 8), low=1, high=64)


def test_one_is_not_all_of_them():
    """For a forest, 1 is one feature, and 1.0 is all of them."""
    assert str(to_call(Forest(features=1))) == "forest(features=1)"
    assert str(to_call(Forest(features=1.0))) == "forest"
    assert "forest.features" not in tuned_fields(Composition((Forest(features=1),)))
    assert str(to_call(Annotated(scale=1))) == "annotated"


def test_two_allowed_values_are_drawn_and_nothing_between():
    found = [each.composition.components[0] for each in of_class(Forest(), 30)]
    assert {each.width for each in found} == {16, 64}


def test_bounds_of_a_tuple_are_those_of_its_items():
    for sizes, expected in (((0,), "at least 1"), ((8, 65), "at most 64")):
        with pytest.raises(SpecError, match=f"expected {expected}"):
            Forest(sizes=sizes)


def test_what_a_spec_sets_is_not_tuned():
    assert {each.composition.components[0].gamma for each in drawn("focal(gamma=1)")} == {1.0}
    assert len({each.composition.components[0].gamma for each in drawn("focal")}) == 8


def test_both_components_of_a_sum_are_tuned():
    found = [each.composition.components for each in drawn("focal+transfer")]
    assert len({focal.gamma for focal, _ in found}) == 8
    assert len({transfer.backbone_lr_scale for _, transfer in found}) == 8


def test_passes_follow_the_steps():
    recipe = Recipe("mlp", steps=200, batch_size=32, passes=40)
    for each in drawn("erm", recipe=recipe):
        assert each.recipe.passes == pytest.approx(40 * each.recipe.steps / 200, abs=0.51)


def test_a_draw_that_its_field_refuses_is_out_and_says_why():
    default, other = of_class(Narrow(), 2)
    assert default.composition is not None
    assert other.composition is None
    assert other.reason == "low is too high"


def test_another_range_is_another_space():
    @dataclass(frozen=True)
    class Other(Ranged):
        rate: float = param(0.5, tune=(0.0, 2.0))

    marks = {space_mark(Composition((strategy,))) for strategy in (Ranged(), Other(), Ranged(rate=0.1))}
    assert len(marks) == 3


def test_without_optuna_only_the_default_can_be_had(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert len(drawn("erm", 1)) == 1
    with pytest.raises(UsageError, match=r"pip install 'fsbench\[tune\]'"):
        drawn("erm", 2)


def test_optuna_keeps_its_verbosity():
    import optuna

    before = optuna.logging.get_verbosity()
    drawn("erm", 2)
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"tune": (2, 1)}, r"tune is \(2, 1\); expected \(from, to\), the smaller number first"),
        ({"tune": (1, 1)}, r"tune is \(1, 1\); expected \(from, to\)"),
        ({"tune": 0.5}, r"tune is 0.5; expected \(from, to\), the smaller number first, or several values"),
        ({"tune": ()}, r"tune is \(\); expected .* or several values"),
        ({"tune": (0, 2), "high": 1}, r"tune is \(0, 2\); 2 is not allowed: expected at most 1"),
        ({"tune": (0, 2), "low": 1}, "0 is not allowed: expected at least 1"),
        ({"tune": ("a", "b"), "choices": ("a", "c")}, r"'b' is not allowed: expected one of \('a', 'c'\)"),
    ],
)
def test_a_range_without_allowed_values_is_refused(given, expected):
    with pytest.raises(SpecError, match=expected):
        param(1.0, **given)


def test_a_recipe_that_is_not_read_stays_as_it_is():
    found = drawn("logistic_regression")
    assert {each.recipe for each in found} == {RECIPE}
    assert len({each.composition.text for each in found}) == 8


@pytest.mark.parametrize(
    ("spec", "something"),
    [("best_classical", False), ("logistic_regression(C=2)", False), ("knn", True), ("erm", True)],
)
def test_where_nothing_can_be_tuned_there_is_nothing_to_search(spec, something):
    (composition,) = REGISTRY.parse(spec)
    assert bool(Space(REGISTRY, composition, RECIPE, ())) == something


def test_a_field_of_a_stage_that_another_component_owns_is_not_tuned():
    @dataclass(frozen=True)
    class Yields(Strategy):
        name: ClassVar[str] = "yields"
        yields: ClassVar[frozenset[str]] = frozenset({"fit"})
        depth: int = param(1, tune=(1, 9), stage="fit")
        size: int = param(1, tune=(1, 9))

    (owner,) = REGISTRY.parse("logistic_regression")
    assert set(tuned_fields(Composition((Yields(),)))) == {"yields.depth", "yields.size"}
    both = Composition((Yields(), *owner.components))
    assert set(tuned_fields(both)) == {"yields.size", "logistic_regression.C"}


@pytest.mark.parametrize("cls", [cls for cls in fsbench_strategies() if not cls.reads_recipe])
def test_who_says_so_does_not_read_the_recipe(cls):
    recipes = Recipe("mlp", 2, 4), Recipe("mlp", 9, 2, lr=0.5, weight_decay=0.1)
    first, second = (source_trial(cls(), recipe, kind="table")[0].predictions for recipe in recipes)
    assert np.array_equal(first, second)


def space_of(strategy: Strategy, seed: int = 0) -> Space:
    return Space(Registry(), Composition((strategy,)), RECIPE, ("task", seed, 0))


def searched(space: Space, n: int, score, sampler: str = "tpe") -> list[Configuration]:
    """A search that is told each score."""
    found: list[Configuration] = []
    for number in range(n):
        found.append(space.draw(number, sampler, [(each.values, score(each)) for each in found]))
    return found


def near(configuration: Configuration) -> float | None:
    """Best at rate 0.8 and method b; half of the rest fails."""
    (component,) = configuration.composition.components
    return None if component.rate < 0.3 else (component.method == "b") - abs(component.rate - 0.8)


def test_the_first_draws_of_tpe_are_those_of_random_search():
    random = configurations(space_of(Ranged()), 7)
    tpe = searched(space_of(Ranged()), 7, near)
    assert tpe[:RANDOM_FIRST] == random[:RANDOM_FIRST]
    assert tpe[RANDOM_FIRST:] != random[RANDOM_FIRST:]


def test_the_same_scores_give_the_same_draws_and_fewer_are_the_first_of_more():
    first, second = (searched(space_of(Ranged()), n, near) for n in (12, 9))
    assert first[:9] == second
    other = searched(space_of(Ranged()), 12, lambda each: -(near(each) or 0))
    assert other[:RANDOM_FIRST] == first[:RANDOM_FIRST]
    assert other != first


def test_draws_of_tpe_are_within_their_ranges_and_where_scores_are_high():
    late: dict[str, list[Configuration]] = {"random": [], "tpe": []}
    for sampler, found in late.items():
        for seed in range(6):
            found += searched(space_of(Ranged(), seed), 24, near, sampler)[12:]
    for each in late["tpe"]:
        (component,) = each.composition.components
        assert 0 <= component.rate <= 1
        assert 1e-3 <= component.wide <= 1e3
        assert component.count in range(1, 16)
        assert 1e-4 <= each.recipe.lr <= 1e-2
    means = {name: np.mean([near(each) or 0.0 for each in found]) for name, found in late.items()}
    assert means["tpe"] > means["random"] + 0.3


def test_a_default_outside_its_range_is_not_told():
    found = searched(space_of(Narrow(low=0.1)), 9, lambda each: None if each.composition is None else 1.0)
    assert [each.composition is None for each in found] == [False, *[True] * 8]


def test_what_is_drawn_is_what_is_told_of_it():
    for each in searched(space_of(Ranged()), 8, near):
        (component,) = each.composition.components
        assert each.values["lr"] == each.recipe.lr
        assert each.values["steps"] == each.recipe.steps
        assert each.values["ranged.wide"] == component.wide
