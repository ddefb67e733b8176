"""Hyperparameters: the fields of strategies, their allowed values and the ranges worth tuning."""

from __future__ import annotations

from dataclasses import Field, field
from typing import Any

from fsbench.errors import SpecError
from fsbench.spec import format_value


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    tune: tuple[Any, ...] | None = None,
    spec: bool = False,
    backbone: bool = False,
    stage: str | None = None,
) -> Any:
    """A hyperparameter with its default, its allowed values, and the range worth tuning.

    `low` and `high` are inclusive bounds, and `choices` lists the values. `tune` is what `--tune` draws from:
    `(from, to)` for numbers, on a logarithmic scale if they span a factor of ten; otherwise, and beside
    `choices`, the values.
    `spec` says that its text names strategies, as in `of="transfer+focal, sklearn"`: `fsbench.specs`
    separates them, and `ctx.fit_with` fits one of them. `backbone` says that its text names a backbone, as in
    `backbone=resnet18(size=96)`. `stage` names the only stage that reads it, one of `yields`: giving it
    beside another owner of the stage is a ConflictError. Raises SpecError for a range that is empty or
    not within the bounds.
    """
    if tune is not None:
        _check_range(tune, low, high, choices)
    metadata = {"low": low, "high": high, "choices": choices, "tune": tune}
    return field(default=default, metadata=metadata | {"spec": spec, "backbone": backbone, "stage": stage})


def _check_range(
    tune: tuple[Any, ...], low: float | None, high: float | None, choices: tuple[Any, ...] | None
) -> None:
    if (
        not isinstance(tune, tuple | list)
        or not tune
        or (choices is None and is_span(tune) and not tune[0] < tune[1])
    ):
        raise SpecError(f"tune is {tune}; expected (from, to), the smaller number first, or several values")
    outside = [
        value
        for value in tune
        if (choices is not None and value not in choices)
        or (isinstance(value, int | float) and low is not None and value < low)
        or (isinstance(value, int | float) and high is not None and value > high)
    ]
    if outside:
        bounds = [f"{word} {end}" for word, end in (("at least", low), ("at most", high)) if end is not None]
        allowed = f"one of {choices}" if choices is not None else " and ".join(bounds)
        raise SpecError(f"tune is {tune}; {outside[0]!r} is not allowed: expected {allowed}")


def is_range(f: Field[Any]) -> bool:
    """Whether a field is tuned from one number to another, rather than among values."""
    return f.metadata.get("choices") is None and is_span(tune_range(f))


def is_span(tune: tuple[Any, ...]) -> bool:
    """Whether these are two numbers."""
    return len(tune) == 2 and all(isinstance(end, int | float) and not isinstance(end, bool) for end in tune)


def tune_range(f: Field[Any]) -> tuple[Any, ...]:
    """The range of a field that is worth tuning, as `param` was given it; empty if it has none."""
    return tuple(f.metadata.get("tune") or ())


def check_bounds(name: str, f: Field[Any], value: Any) -> None:
    """Raise SpecError for a value of a field of strategy `name` that `param` does not allow.

    The bounds of a tuple are those of its items.
    """
    meta = f.metadata
    if not meta or value is None:
        return
    choices, low, high = meta.get("choices"), meta.get("low"), meta.get("high")
    shown = f"{name}({f.name}={format_value(value)})"
    if choices is not None and value not in choices:
        raise SpecError(f"{shown}: expected one of {', '.join(map(str, choices))}")
    numbers = [
        each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, int | float)
    ]
    if low is not None and any(each < low for each in numbers):
        raise SpecError(f"{shown}: expected at least {low}")
    if high is not None and any(each > high for each in numbers):
        raise SpecError(f"{shown}: expected at most {high}")
