"""The table of stages: it agrees with the code, and `--explain` follows it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from click.testing import CliRunner
from test_step import composed

from fsbench import Strategy, laws
from fsbench.cli.explaining import explained
from fsbench.cli.listing import list_
from fsbench.errors import UsageError
from fsbench.stages import STAGES


def test_every_stage_is_a_method_of_strategies_and_has_a_law() -> None:
    methods = {
        name
        for name, method in vars(Strategy).items()
        if inspect.isfunction(method) and "ctx" in inspect.signature(method).parameters
    }
    assert methods == {*STAGES, "auxiliary_modules"}
    assert all(hasattr(laws, name) for name in (*STAGES, "auxiliary_modules"))


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_without_overrides_returns_its_input(stage: Any) -> None:
    given, other = object(), object()
    _, *names = inspect.signature(getattr(Strategy, stage.name)).parameters
    assert ("inner" in names) == (stage.law == "wrap")
    passed: list[tuple[Any, ...]] = []

    def inner(*values: Any) -> object:
        passed.append(values)
        return values[0]

    arguments = [
        {"inner": inner, "ctx": None}.get(name, given if not i else other) for i, name in enumerate(names)
    ]
    result = getattr(Strategy(), stage.name)(*arguments)
    if stage.law == "wrap":
        assert passed == [tuple(each for each in arguments if each in (given, other))]
    assert result is (None if stage.name == "step" else given) or (stage.law == "sum" and result == 0)


@pytest.mark.parametrize(
    ("spec", "stage", "chain"),
    [
        ("erm", "fit", "training by the recipe"),
        ("erm", "augment", "unchanged"),
        ("erm", "auxiliary_loss", "0"),
        ("transfer+augmentation+focal", "loss", "focal"),
        ("early_threshold+tent", "postprocess", "early_threshold > tent"),
        ("tent+early_threshold", "postprocess", "tent > early_threshold"),
        ("ema+sam+clip", "step", "clip(ema(sam))"),
        ("ema+clip", "step", "clip(ema(gradients and an update))"),
        ("dann+mean_teacher", "auxiliary_loss", "dann + mean_teacher"),
        ("ensemble+sklearn", "fit", "ensemble(sklearn)"),
    ],
)
def test_the_explanation_shows_the_chain_of_a_stage(spec: str, stage: str, chain: str) -> None:
    rows = {name: text for name, text, _ in explained(composed(spec))}
    assert list(rows) == list(STAGES)
    assert rows[stage] == chain


def test_the_list_explains_specs() -> None:
    shown = CliRunner().invoke(list_, ["strategies", "--explain", "transfer+focal, erm"]).output
    assert "transfer+focal  uses: source" in shown
    assert "transfer(training by the recipe)" in shown
    with pytest.raises(UsageError, match="--explain belongs to strategies"):
        CliRunner().invoke(list_, ["--explain", "erm"], catch_exceptions=False)
