"""The examples of docs/plugins.md other than strategies: short, conforming, and running together."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from plugin_env import python

import fsbench
from fsbench.registry import SORTS, Registry, load_registry
from fsbench.sorts import HOUSE
from fsbench.testing import check_conformance

DOCS = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
EXAMPLES = {
    (kind, name): code
    for kind, name, code in re.findall(
        r'^```(\w+) example="(\w+)"\n(.*?)^```', DOCS, re.MULTILINE | re.DOTALL
    )
}
MODULES = {
    "kind": "signal",
    "dataset": "moons",
    "protocol": "handful",
    "backbone": "tiny",
    "metric": "doubt",
    "suite": "mine",
}
BY_NOUN = {sort.noun: sort for sort in SORTS}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples of the documentation as modules `fsbench_NAME` in a folder, beside their suite."""
    folder = tmp_path_factory.mktemp("examples")
    for (kind, noun), code in EXAMPLES.items():
        name = "mine-v1.toml" if kind == "toml" else f"fsbench_{MODULES[noun]}.py"
        (folder / name).write_text(code, encoding="utf-8")
    return folder


@pytest.fixture
def loaded(examples: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.syspath_prepend(str(examples))
    made = load_registry(f"fsbench_{name}" for name in MODULES.values())
    assert made.failures == []
    monkeypatch.setattr("fsbench.registry.get_registry", lambda: made)
    return made


@pytest.mark.parametrize("noun", MODULES)
def test_the_examples_are_short_and_conform(noun: str, loaded: Registry) -> None:
    (thing,) = (
        e.thing for e in loaded.brought[BY_NOUN[noun].hook].values() if e.origin.distribution != HOUSE
    )
    results = list(check_conformance(thing))
    assert [r for r in results if r.status == "failed"] == []
    assert sum(r.status == "ok" for r in results) >= 2
    assert len([line for line in EXAMPLES["python", noun].splitlines() if line.strip()]) <= 30


@pytest.mark.slow
def test_the_examples_run_together_and_the_record_names_their_plugins(examples: Path, tmp_path: Path) -> None:
    code = f"""
import fsbench
results = fsbench.run("erm", tasks="handful(moons, n=10), kshot(digits, k=1)", recipe="backbone=mlp", seeds=1,
                      results={str(tmp_path / "r")!r}, baseline="erm", jobs=1)
print([r.status for r in results.records])
image = fsbench.run("erm", tasks="kshot(digits, k=1)", recipe="backbone=tiny(width=4), steps=2", seeds=1,
                    results={str(tmp_path / "r")!r}, baseline="erm", jobs=1).records[0]
whose = lambda record: sorted(each for each in record.versions if each.startswith("fsbench_"))
print(image.status, image.full_spec.partition("+")[0], whose(image))
record = results.records[0]
print(whose(record), 0 <= record.metrics["doubt"] <= 1)
print(results.leaderboard("doubt")["score"].notna().all())
more = fsbench.run("erm", suite="mine-v1", seeds=1, recipe="steps=1", baseline="erm",
                   results={str(tmp_path / "s")!r})
print(len(more.records))
"""
    modules = ",".join(f"fsbench_{name}" for name in MODULES.values())
    assert python(code, examples, FSBENCH_PLUGINS=modules).splitlines() == [
        "['ok', 'ok']",
        "ok erm#tiny:unpackaged ['fsbench_doubt', 'fsbench_tiny']",
        "['fsbench_doubt', 'fsbench_handful', 'fsbench_moons'] True",
        "True",
        "2",
    ]


def test_tasks_from_python_find_entries_of_plugins(examples: Path) -> None:
    code = (
        "from fsbench.tasks.expressions import parse_tasks; print(parse_tasks('handful(moons, n=9)')[0].text)"
    )
    modules = "fsbench_moons,fsbench_handful"
    assert python(code, examples, FSBENCH_PLUGINS=modules) == "handful(moons, n=9)\n"


@pytest.mark.slow
def test_things_of_plugins_can_be_listed_cited_and_checked(examples: Path) -> None:
    modules = ",".join(f"fsbench_{name}" for name in MODULES.values())

    def call(*arguments: str) -> str:
        code = f"from fsbench.cli import main; main({list(arguments)!r})"
        return " ".join(python(code, examples, FSBENCH_PLUGINS=modules, COLUMNS="200").split())

    for noun, name in MODULES.items():
        assert f"from fsbench_{name} unpackaged+" in call("list", f"{noun}s")
        assert f"1 {noun}: {'mine-v1' if noun == 'suite' else name}" in call("list", "plugins")
    assert "make_moons" in call("cite", "handful(moons)")
    assert "metric doubt ok is described" in call("plugin", "check", "doubt")


def test_checks_fail_where_they_should(loaded: Registry) -> None:
    """Each fault is found by one check of its sort, and named."""
    moons, handful = (
        loaded.brought[f"fsbench_{h}"][n].thing for h, n in (("datasets", "moons"), ("protocols", "handful"))
    )
    tiny, doubt = (
        loaded.brought[f"fsbench_{h}"][n].thing for h, n in (("backbones", "tiny"), ("metrics", "doubt"))
    )

    def drift(info: fsbench.DatasetInfo, noise: float) -> fsbench.Dataset:
        good = moons.load(info, noise)
        return fsbench.Dataset(info, good.x + np.random.standard_normal(1).astype(np.float32), good.y.copy())

    def nameless(text: str, noise: float = 0.2) -> fsbench.DatasetInfo:
        return dataclasses.replace(moons.describe(text), licence="TODO: yours")

    @dataclass(frozen=True)
    class Leaky(handful):  # type: ignore[misc, valid-type]
        """Tests on what it trains on."""

        name = "leaky"
        nested = ("n",)

        def draw(self, seed: int) -> fsbench.Split:
            good = super().draw(seed if self.n == 20 else seed + 1)
            return dataclasses.replace(good, test=good.train)

    found = {
        "is the same whenever it is loaded": dataclasses.replace(moons, load=drift),
        "is described, with licence and citation": dataclasses.replace(moons, describe=nameless),
        "draws disjoint parts": Leaky,
        "is nested where it says so": Leaky,
        "has the parameters that it says": dataclasses.replace(tiny, parameters=3, counted=((1, 8, 8), 2)),
        "builds on what it takes": dataclasses.replace(tiny, kinds=None),
        "stays in its bounds": dataclasses.replace(doubt, function=lambda logits, y: 2.0),
        "does not depend on the order of samples": dataclasses.replace(
            doubt, function=lambda logits, y: float(y[0, 0] == 0)
        ),
        "is better where predictions are": dataclasses.replace(doubt, higher_is_better=True),
        "is described": dataclasses.replace(doubt, meaning="TODO: what it measures"),
    }
    for name, thing in found.items():
        status = {r.name: r.status for r in check_conformance(thing)}
        assert status[name] == "failed", name
