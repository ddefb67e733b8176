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
from fsbench.recipes.recipe import default_recipe, override, parse_overrides, parse_recipe, recipe_text
from fsbench.testing import toy_split

QUICK = Recipe("mlp", steps=30, batch_size=16)


@given(
    st.builds(
        Recipe,
        backbone=st.sampled_from(["mlp", "conv4(norm=group, width=32)"]),
        steps=st.integers(1, 999),
        batch_size=st.integers(1, 999),
        optimizer=st.sampled_from(["adamw", "sgd"]),
        lr=st.floats(1e-6, 10),
        dropout=st.floats(0, 0.9),
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
        ("optimizer=adam", "expected one of adamw, sgd"),
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


def test_episodes_get_fewer_steps() -> None:
    info = toy_split(kind="image").info
    assert default_recipe(replace(info, protocol="episodes")).steps < default_recipe(info).steps
