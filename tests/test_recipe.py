"""Recipes: read, written, changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsbench import Recipe
from fsbench.errors import (
    SpecError,
)
from fsbench.recipes.recipe import (
    default_recipe,
    override,
    parse_overrides,
    parse_recipe,
    recipe_text,
    task_recipe,
)
from fsbench.testing import toy_split

QUICK = Recipe("mlp", steps=30, batch_size=16)


@given(
    st.builds(
        Recipe,
        backbone=st.sampled_from(["mlp", "conv4(norm=group, width=32)"]),
        steps=st.integers(1, 999),
        batch_size=st.integers(1, 999),
        optimizer=st.sampled_from(["adamw", "sgd", "adam", "rmsprop", "adagrad"]),
        lr=st.floats(1e-6, 10),
        dropout=st.floats(0, 0.9),
        passes=st.integers(0, 50),
    )
)
def test_a_recipe_reads_back_from_its_text(recipe: Recipe) -> None:
    assert parse_recipe(recipe_text(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stepz=3", "recipe has no field 'stepz'"),
        ("steps=0", "expected more than 0"),
        ("steps=many", "expected a whole number"),
        ("lr=-1", "expected at least 0"),
        ("optimizer=lion", "expected one of adamw, sgd, adam, rmsprop, adagrad"),
        ("3", "expected NAME=value pairs"),
        ("backbone=conv4(3)", "write the arguments of a backbone with their names"),
    ],
)
def test_wrong_recipes_say_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        override(QUICK, parse_overrides(text))


def test_a_backbone_may_be_given_as_text_with_arguments() -> None:
    text = "conv4(norm=batch, width=8)"
    assert override(QUICK, {"backbone": text}).backbone == text
    assert override(QUICK, parse_overrides(f"backbone={text}")).backbone == text


def test_episodes_get_fewer_steps_unless_they_have_many_samples() -> None:
    info = toy_split(kind="image").info
    recipe, usual = default_recipe(replace(info, protocol="episodes")), default_recipe(info)
    assert recipe.sized(5).steps == recipe.sized(25).steps < usual.steps < recipe.sized(100).steps


@given(st.integers(1, 500), st.integers(1, 20), st.integers(1, 100), st.integers(1, 5000))
def test_a_sized_recipe_has_as_many_steps_as_its_passes_need(
    steps: int, passes: int, batch: int, samples: int
) -> None:
    sized = Recipe("mlp", steps, batch, passes=passes).sized(samples)
    seen = sized.steps * min(batch, samples)
    assert sized.steps >= steps
    assert seen >= passes * samples
    assert sized.steps == steps or seen < passes * samples + min(batch, samples)
    assert sized.sized(10 * samples) == sized


def test_steps_alone_are_exactly_those_steps() -> None:
    usual = replace(QUICK, passes=20)
    assert override(usual, {"steps": 5}).passes == 0
    assert override(usual, {"steps": 5, "passes": 3}).passes == 3
    assert override(usual, {"lr": 0.1}).passes == 20


def test_a_suite_may_change_the_recipes_of_kinds_and_protocols() -> None:
    info = toy_split(kind="image").info
    of_suite = {"image": "steps=7, lr=0.5", "episodes": "steps=3", "table": "lr=0.1"}
    recipe = task_recipe(info, of_suite, {"batch_size": 9})
    assert (recipe.steps, recipe.lr, recipe.batch_size) == (7, 0.5, 9)
    episodes = task_recipe(replace(info, protocol="episodes"), of_suite)
    assert (episodes.steps, episodes.lr) == (3, 0.5)
    assert task_recipe(info, "steps=7", {"steps": 8}).steps == 8
    assert task_recipe(info) == default_recipe(info)
