"""Plugins with more than strategies: loaded completely or not at all, found, run, listed, cited, checked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from plugin_env import python

import fsbench
from fsbench import Backbone, DatasetEntry, Metric, OneDataset, Protocol, Strategy, hookimpl
from fsbench.cli import main
from fsbench.datasets.known import dataset_info, load_dataset
from fsbench.errors import DataError, PluginError, UnknownName, UsageError
from fsbench.metrics import METRICS, resolution, score
from fsbench.registry import SORTS, Registry, load_registry
from fsbench.sorts import HOUSE
from fsbench.tasks.suites import load_suite
from fsbench.testing import conformance

BY_NOUN = {sort.noun: sort for sort in SORTS}


@dataclass(frozen=True)
class Fine(OneDataset):
    """A correct protocol."""

    name = "fine"
    summary = "fine"

    def check(self) -> None:
        """Accept everything."""

    info = draw = check  # type: ignore[assignment]


class Undecorated(Fine):
    name = "undecorated"


@dataclass(frozen=True)
class Unfinished(Protocol):
    """Implements nothing."""

    name = "unfinished"
    summary = "nothing"


def bare(text, size=3):
    """Without an annotation."""


ENTRY = DatasetEntry("mine", lambda text: None, lambda info: None)  # type: ignore[arg-type, return-value]
BACKBONE = Backbone("mine", "somewhere:make", "one layer")
METRIC = Metric("mine", "mine", "nothing", lambda logits, y: 0.5)


def registry(**things: Any) -> Registry:
    """A registry with a plugin that returns these from its hooks."""
    module = ModuleType("theirs")
    for hook, returned in things.items():
        vars(module)[f"fsbench_{hook}"] = hookimpl(lambda returned=returned: returned)
    made = load_registry()
    made.load("fsbench-theirs:theirs", lambda: module, ("fsbench-theirs", "1.2"))
    return made


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registry]:
    """Registers what a plugin provides in this process."""

    def install(**things: Any) -> Registry:
        made = registry(**things)
        assert made.failures == []
        monkeypatch.setattr("fsbench.registry.get_registry", lambda: made)
        return made

    return install


def test_bundled_things_come_through_the_same_hooks() -> None:
    made = Registry()
    core = {sort.noun: set(made.brought[sort.hook]) for sort in SORTS}
    assert core["strategy"] == set()
    assert {"digits", "wine", "cifar10", "keel-yeast4"} <= core["dataset"]
    assert core["protocol"] > {"kshot", "episodes"}
    assert core["backbone"] > {"mlp", "conv4"}
    assert core["metric"] > {"accuracy", "ece"}
    assert "starter-v1" in core["suite"]
    assert {each.origin for sort in SORTS for each in made.brought[sort.hook].values()} == {
        (HOUSE, fsbench.__version__)
    }


BAD = [
    ("datasets", [3], "fsbench_datasets returned 3; expected each to be an fsbench.DatasetEntry"),
    (
        "datasets",
        [dataclasses.replace(ENTRY, describe=bare)],
        "describe's argument 'size' needs an annotation",
    ),
    (
        "datasets",
        [dataclasses.replace(ENTRY, name="wine")],
        "the dataset name 'wine' belongs to fsbench; choose another",
    ),
    ("datasets", ENTRY, "fsbench_datasets returned DatasetEntry(name='mine'"),
    ("datasets", [ENTRY, ENTRY], "'mine' twice; a name is for one dataset"),
    ("datasets", [dataclasses.replace(ENTRY, name="my data")], "name is 'my data'; expected a name such as"),
    ("protocols", [int], "expected subclasses of fsbench.Protocol"),
    ("protocols", [Undecorated], "put @dataclass(frozen=True) above it"),
    ("protocols", [Unfinished], "Unfinished does not define check, datasets, draw, info"),
    ("backbones", [Fine], "expected each to be an fsbench.Backbone"),
    (
        "backbones",
        [dataclasses.replace(BACKBONE, make="tiny")],
        "'tiny' does not name a function; expected 'module:func",
    ),
    (
        "backbones",
        [dataclasses.replace(BACKBONE, name="mlp")],
        "the backbone name 'mlp' belongs to fsbench; choose another",
    ),
    ("metrics", [print], "expected each to be an fsbench.Metric"),
    ("metrics", [dataclasses.replace(METRIC, title=" ")], "has no title or no meaning"),
    ("suites", ["mine-v1"], "expected paths of TOML files"),
    ("suites", [Path("nowhere-v1.toml")], "expected the path of an existing TOML file"),
]


@pytest.mark.parametrize(("hook", "returned", "says"), BAD, ids=[f"{hook}: {says}" for hook, _, says in BAD])
def test_an_invalid_thing_is_named_and_its_whole_plugin_is_refused(hook, returned, says) -> None:
    things = {"metrics": [dataclasses.replace(METRIC, name="good")], "datasets": [], hook: returned}
    made = registry(**things)
    (failure,) = made.failures
    assert failure.plugin == "fsbench-theirs:theirs"
    assert says in failure.message
    assert all(
        each.origin.distribution == HOUSE for sort in SORTS for each in made.brought[sort.hook].values()
    )
    assert "kshot" in made.brought["fsbench_protocols"]


@pytest.mark.parametrize("hook", ["fsbench_dataset", "fsbench_metric", "fsbench_sites"])
def test_an_unknown_hook_suggests_the_nearest(hook: str) -> None:
    made = registry(**{hook.removeprefix("fsbench_"): []})
    nearest = {"fsbench_dataset": "datasets", "fsbench_metric": "metrics", "fsbench_sites": "suites"}[hook]
    assert made.failures[0].message == f"unknown hook {hook!r}; did you mean 'fsbench_{nearest}'?"


def test_unknown_names_suggest_names_of_plugins(stranger) -> None:
    stranger(datasets=[ENTRY], backbones=[BACKBONE], metrics=[METRIC], protocols=[Fine])
    for noun, sort in BY_NOUN.items():
        near = {"kind": "imag", "protocol": "finee", "strategy": "focall", "suite": "starter-v9"}.get(
            noun, "minee"
        )
        with pytest.raises(UnknownName, match=f"unknown {noun} '{near}'; did you mean"):
            sort.find(near)


def test_a_plugin_that_uses_the_registry_while_loading_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hasty.py").write_text("from fsbench.datasets.known import dataset_names\ndataset_names()\n")
    code = "from fsbench.registry import get_registry; print([f.message for f in get_registry().failures])"
    assert "they are being loaded; ask inside a function" in python(code, tmp_path, FSBENCH_PLUGINS="hasty")


def test_descriptions_and_loads_that_raise_are_named(stranger) -> None:
    def fail(*given: object) -> Any:
        raise ZeroDivisionError("by zero")

    stranger(datasets=[dataclasses.replace(ENTRY, describe=fail)])
    with pytest.raises(
        DataError, match=r"cannot describe mine of fsbench-theirs \(ZeroDivisionError: by zero\)"
    ):
        dataset_info("mine")
    stranger(datasets=[ENTRY])
    with pytest.raises(DataError, match=r"describe returned None; expected an fsbench.DatasetInfo"):
        dataset_info("mine")
    wine = dataset_info("wine")
    stranger(datasets=[DatasetEntry("mine", lambda text: dataclasses.replace(wine, text=text), fail)])
    with pytest.raises(DataError, match="cannot load mine of fsbench-theirs"):
        load_dataset("mine")
    stranger(
        datasets=[DatasetEntry("mine", lambda text: dataclasses.replace(wine, text=text), lambda info: 3)]
    )
    with pytest.raises(DataError, match=r"load returned int; expected an fsbench.Dataset"):
        load_dataset("mine")


def test_a_broken_entry_does_not_hide_others_in_a_list(stranger, tmp_path, monkeypatch, capsys) -> None:
    def fail(*given: object) -> Any:
        raise ZeroDivisionError("by zero")

    (tmp_path / "odd-v1.toml").write_text("version = 1\n")
    stranger(
        datasets=[
            dataclasses.replace(ENTRY, describe=fail),
            dataclasses.replace(ENTRY, name="vague", stamp=fail),
            dataclasses.replace(ENTRY, name="mute", about=fail, stamp=lambda name: None),
        ],
        suites=[tmp_path / "odd-v1.toml"],
    )
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list", "datasets"]) == main(["list", "suites"]) == main(["cite"]) == 0
    out, err = capsys.readouterr()
    assert "breast_cancer" in out
    assert "starter-v1" in out
    for said in ("cannot describe mine of fsbench-theirs", "cannot look for vague", "cannot describe mute"):
        assert said in out
    assert "warning: suite odd-v1 of fsbench-theirs: the suite" in err
    assert "has no description; it needs" in err


def test_a_load_gets_the_arguments_that_it_names(stranger) -> None:
    wine, given = load_dataset("wine"), []

    def describe(text: str, size: int = 3, noise: float = 0.5) -> fsbench.DatasetInfo:
        return dataclasses.replace(wine.info, text=text)

    def load(info: fsbench.DatasetInfo, noise: float) -> fsbench.Dataset:
        given.append(noise)
        return fsbench.Dataset(info, wine.x.copy(), wine.y.copy())

    stranger(datasets=[DatasetEntry("mine", describe, load)])
    texts = [load_dataset(text).info.text for text in ("mine", "mine(noise=1)", "mine(size=3, noise=2)")]
    assert texts == ["mine", "mine(noise=1.0)", "mine(noise=2.0)"]
    assert given == [0.5, 1.0, 2.0]


def test_a_metric_that_fails_is_named_and_loses_nothing_else(stranger) -> None:
    def fail(logits: np.ndarray, y: np.ndarray) -> float:
        raise ZeroDivisionError("by zero")

    def spoil(logits: np.ndarray, y: np.ndarray) -> None:
        logits[:], y[:] = 0, 0

    def metric(name: str, function: Any, **more: Any) -> Metric:
        return dataclasses.replace(METRIC, name=name, function=function, **more)

    logits, y = np.random.default_rng(0).standard_normal((1, 30, 3)), np.arange(30)[None] % 3
    before = score(logits, y)
    stranger(
        metrics=[
            metric("raises", fail),
            metric("high", lambda logits, y: 1.5),
            metric("text", lambda logits, y: "good"),
            metric("free", lambda logits, y: 42, percent=False),
            metric("none", lambda logits, y: None),
            metric("spoils", spoil, resolution=fail),
        ]
    )
    problems: list[str] = []
    assert score(logits, y, problems) == before | {"free": 42.0}
    assert problems == [
        "metric raises of fsbench-theirs raised ZeroDivisionError: by zero",
        "metric high of fsbench-theirs returned 1.5; expected 0 to 1, as percent=True says",
        "metric text of fsbench-theirs returned 'good'; expected a float or None",
    ]
    with pytest.raises(PluginError, match="metric raises of fsbench-theirs raised"):
        score(logits, y)
    assert "spoils" not in resolution(y, problems)
    assert len(problems) == 4


def test_suites_can_come_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = 'version = 1\ndescription = "d"\nsplit_seeds = 2\ntasks = ["kshot(wine, k=[1, 2])"]\n'
    (tmp_path / "mine-v1.toml").write_text(good)
    suite = load_suite("mine-v1.toml")
    assert (suite.name, suite.tasks, suite.fingerprints) == (
        "mine-v1",
        ("kshot(wine, k=1)", "kshot(wine, k=2)"),
        {},
    )
    assert load_suite(tmp_path / "mine-v1.toml") == suite
    for text, says in [
        (good + "speed = 3", "has 'speed'; a suite has version"),
        (good.replace("2\n", "'two'\n"), "split_seeds is 'two'; expected a whole number"),
        (good.replace("version = 1\n", ""), "has no version; it needs"),
        (good.replace("]", ""), "is not TOML"),
        (good.replace('["kshot(wine, k=[1, 2])"]', "[3]"), "expected a list of texts"),
    ]:
        (tmp_path / "mine-v1.toml").write_text(text)
        with pytest.raises(UsageError, match=re.escape(says)):
            load_suite("mine-v1.toml")
    with pytest.raises(UsageError, match=r"cannot read the suite nowhere.toml: No such file"):
        load_suite("nowhere.toml")
    (tmp_path / "starter-v1.toml").write_text(good)
    with pytest.raises(
        UsageError, match="differs from the installed suite starter-v1; give the file another name"
    ):
        load_suite("starter-v1.toml")


def test_unknown_things_have_no_checks() -> None:
    with pytest.raises(TypeError, match="not something from a plugin"):
        conformance(3)  # type: ignore[arg-type]


def test_a_strategy_beside_the_others_is_found_too() -> None:
    @dataclass(frozen=True)
    class Mine(Strategy):
        name = "mine"

    made = registry(strategies=[Mine], metrics=[METRIC])
    assert (made.strategies["mine"], made.brought["fsbench_metrics"]["mine"].thing) == (Mine, METRIC)
    assert METRICS.get("mine") is None
