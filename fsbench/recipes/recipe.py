"""The recipe that every strategy starts from on a task, and its text."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from fsbench.errors import SpecError
from fsbench.kinds import get_kind
from fsbench.recipes.catalogue import known_backbone
from fsbench.spec import Call, Value, as_call, coerce, parse_call
from fsbench.types import Recipe, TaskInfo

_EPISODE_STEPS = 40
_HINTS = typing.get_type_hints(Recipe)
_COUNTS = ("steps", "batch_size")
_POSITIVE = (*_COUNTS, "lr")
# Fields added later: stored texts without them stay valid.
_LATER = {"unlabeled_batch_size": 0, "passes": 0}


def default_recipe(info: TaskInfo) -> Recipe:
    """The recipe of a task. Episodes are adapted in fewer steps, because there are many of them."""
    kind = get_kind(info.kind)
    if info.protocol != "episodes":
        return kind.recipe
    return kind.episode_recipe or dataclasses.replace(kind.recipe, steps=_EPISODE_STEPS, passes=0)


def override(recipe: Recipe, changes: Mapping[str, Value]) -> Recipe:
    """The recipe with some fields changed. Raises SpecError for a wrong name, type or value.

    `steps` without `passes` means exactly that many steps.
    """
    values: dict[str, Any] = {"passes": 0} if "steps" in changes else {}
    for name, value in changes.items():
        if name not in _HINTS:
            raise SpecError(f"recipe has no field {name!r}; it has {', '.join(_HINTS)}")
        if name == "backbone":
            call = parse_call(value) if isinstance(value, str) else as_call(value)
            known_backbone(call)
            value = str(call)
        values[name] = _checked(f"recipe {name}={value}", name, value, _POSITIVE)
    return dataclasses.replace(recipe, **values)


def check_fields(what: str, recipe: Recipe) -> None:
    """Raise SpecError, which begins with `what`, if a field has a wrong type or value.

    The learning rate may be zero, with which a strategy trains nothing.
    """
    for name in _HINTS:
        value = getattr(recipe, name)
        _checked(f"{what} {name}={value}", name, value, _COUNTS)


def _checked(what: str, name: str, value: Value, positive: tuple[str, ...]) -> Any:
    """A value of a field, as it is annotated. Raises SpecError, which begins with `what`."""
    found = coerce(what, value, _HINTS[name])
    if isinstance(found, int | float) and found < 0:
        raise SpecError(f"{what}: expected at least 0")
    if name in positive and found <= 0:
        raise SpecError(f"{what}: expected more than 0")
    return found


def task_recipe(
    info: TaskInfo, of_suite: str | Mapping[str, str] = "", changes: Mapping[str, Value] | None = None
) -> Recipe:
    """The recipe of a task in a suite: the default one, with the changes of the suite, then `changes`.

    A suite changes all recipes by one text, or those of a kind of samples or a protocol by a text each; those
    of a protocol count more. Raises SpecError.
    """
    texts = (
        [of_suite] if isinstance(of_suite, str) else [of_suite.get(n, "") for n in (info.kind, info.protocol)]
    )
    all_changes: dict[str, Value] = {}
    for more in (*texts, changes):
        all_changes |= parse_overrides(more)
    return override(default_recipe(info), all_changes)


def parse_overrides(text: str | Mapping[str, Value] | None) -> dict[str, Value]:
    """Read `steps=100, lr=0.01` as changes to a recipe; a mapping is returned as it is."""
    if not isinstance(text, str | Mapping | None):
        raise SpecError(f"recipe={text!r}: expected a text such as 'steps=100', or a mapping")
    if not isinstance(text, str):
        return dict(text or {})
    call = parse_call(f"recipe({text})")
    if call.args:
        raise SpecError(f"recipe {text!r}: expected NAME=value pairs, such as steps=100")
    return call.keywords


def recipe_text(recipe: Recipe) -> str:
    """The canonical text of a recipe, with every field; those of _LATER only if they differ from it."""
    values = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    values = {name: value for name, value in values.items() if _LATER.get(name, ...) != value}
    values["backbone"] = parse_call(recipe.backbone)
    if not values["backbone"].args and not values["backbone"].kwargs:
        values["backbone"] = values["backbone"].name
    return str(Call("recipe", (), tuple(values.items())))


def parse_recipe(text: str) -> Recipe:
    """Read what `recipe_text` wrote."""
    call = parse_call(text)
    return override(Recipe(backbone="", steps=1, batch_size=1), call.keywords)
