"""`fsbench.run` takes instances and classes of strategies as well as texts."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import plugins_given
import pytest
from fsbench_plugins.focal import Focal

import fsbench
from fsbench import Strategy
from fsbench.errors import PluginError, UsageError
from fsbench.registry import Registry, get_registry, load_registry

Scaled = plugins_given.Outer.Scaled


@pytest.fixture
def registry() -> Registry:
    return load_registry()


@pytest.fixture
def process_registry() -> Iterator[None]:
    get_registry.cache_clear()
    yield
    get_registry.cache_clear()


def test_registered_strategies_need_no_loading(registry: Registry) -> None:
    given = [Focal(gamma=1.0), Focal, "erm"]
    assert [registry.spec(each) for each in given] == ["focal(gamma=1.0)", "focal", "erm"]
    assert registry.modules == []


def test_a_class_of_a_module_is_loaded_by_module_and_name(registry: Registry) -> None:
    assert registry.spec(Scaled(by=3.0)) == registry.spec(Scaled(3.0)) == "scaled_in_tests(by=3.0)"
    assert registry.modules == ["plugins_given:Outer.Scaled"]
    (found,) = registry.parse("scaled_in_tests(by=3)")
    assert re.fullmatch(r"scaled_in_tests\(by=3.0\)#unpackaged\+[0-9a-f]{8}", found.full_spec)
    assert load_registry(registry.modules).parse("scaled_in_tests(by=3)")[0].full_spec == found.full_spec


def test_a_reloaded_module_provides_its_new_class(registry: Registry) -> None:
    registry.spec(Scaled)
    again = importlib.reload(plugins_given)
    assert registry.spec(again.Outer.Scaled) == "scaled_in_tests"
    assert registry.strategies["scaled_in_tests"] is again.Outer.Scaled
    with pytest.raises(UsageError, match="is not the class that was given"):
        registry.spec(Scaled)


@dataclass(frozen=True)
class OfAScript(Strategy):
    """Like a class in a notebook's cell."""

    name = "of_a_script"


OfAScript.__module__ = "__main__"


def test_classes_that_workers_cannot_import_are_refused_with_advice(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Local(Strategy):
        """A class inside a function."""

        name = "local"

    for given, where in ((OfAScript, "this script or notebook"), (Local(), "a function")):
        with pytest.raises(UsageError, match=f"is defined in {where}, where .* move it into a module"):
            registry.spec(given)
    for wrong in (3, int, plugins_given.Outer):
        with pytest.raises(
            UsageError, match="is not a strategy; give a spec, or a Strategy's class or instance"
        ):
            registry.spec(wrong)  # type: ignore[arg-type]
    assert registry.failures == []


def test_an_unusable_class_is_an_error_and_leaves_nothing_registered(registry: Registry) -> None:
    with pytest.raises(PluginError, match="the strategy name 'focal' belongs to fsbench; choose another"):
        registry.spec(plugins_given.Thief)
    with pytest.raises(PluginError, match="size has no default"):
        registry.spec(plugins_given.Needy)
    assert (registry.failures, registry.modules) == ([], [])
    assert registry.strategies["focal"] is Focal


@pytest.mark.slow
@pytest.mark.usefixtures("process_registry")
def test_instances_classes_and_texts_can_run_together(tmp_path: Path) -> None:
    scaled = plugins_given.Outer.Scaled
    results = fsbench.run(
        [Focal(gamma=1.0), scaled(by=3.0), scaled, "resampling"],
        tasks="kshot(wine, k=5)",
        seeds=1,
        recipe="steps=2",
        jobs=1,
        results=tmp_path,
        baseline="erm",
    )
    assert [(r.spec, r.status) for r in results.records] == [
        ("erm", "ok"),
        ("focal(gamma=1.0)", "ok"),
        ("scaled_in_tests(by=3.0)", "ok"),
        ("scaled_in_tests", "ok"),
        ("resampling", "skipped"),
    ]
    plain, _, three, two = (r.metrics["nll"] for r in results.records[:4])
    assert len({plain, two, three}) == 3
    assert results.records[2].versions["plugins_given"].startswith("unpackaged+")
