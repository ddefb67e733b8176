"""Which code a result comes from, and tables that never mix old code with new."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import over_seeds, record, skipped

from fsbench import Backbone, Metric, Strategy, code, hookimpl
from fsbench.code import code_mark, join_marks, source_hash, split_marks
from fsbench.errors import PluginError
from fsbench.identity import full_spec, metric_marks
from fsbench.record import Record
from fsbench.registry import Registry, get_registry, load_registry
from fsbench.report.leaderboard import leaderboard
from fsbench.report.one_version import records_of_one_version
from fsbench.sorts import Origin
from fsbench.store import Store
from fsbench.types import Recipe

RECIPE = Recipe("mlp", 5, 16)
THEIRS, OURS = Origin("fsbench-theirs", "1.0"), Origin("fsbench", "0.1.0")
TASK = "kshot(wine, k=5)"


@dataclass(frozen=True)
class Plain(Strategy):
    """A strategy of another plugin."""

    name = "plain"


@dataclass(frozen=True)
class Declared(Strategy):
    """A strategy that declares the version of its results."""

    name = "declared"
    results_version = "2b"


@dataclass(frozen=True)
class Child(Declared):
    """A strategy whose base declares a version, which is only about the base's results."""

    name = "child"


def registry(*classes: type[Strategy], backbones: tuple[Backbone, ...] = ()) -> Registry:
    made, module = load_registry(), ModuleType(__name__)
    module.fsbench_strategies = hookimpl(lambda: list(classes))  # type: ignore[attr-defined]
    module.fsbench_backbones = hookimpl(lambda: list(backbones))  # type: ignore[attr-defined]
    made.load("theirs", lambda: module, THEIRS)
    assert made.failures == []
    return made


def test_the_full_spec_has_the_mark_of_a_plugins_code_or_its_declared_version() -> None:
    found, here = registry(Plain, Declared, Child), source_hash([__name__])
    texts = {c.text: c.full_spec for c in found.parse("plain, declared, child, declared+plain")}
    assert texts == {
        "plain": f"plain#code+{here}",
        "declared": "declared#results+2b",
        "child": f"child#code+{here}",
        "declared+plain": f"declared#results+2b+plain#code+{here}",
    }


def test_bundled_code_has_no_mark_while_its_results_version_is_the_first() -> None:
    for composition in get_registry().parse("all"):
        (component,) = composition.components
        # Another strategy's version, which a subclass inherits, is not about its own results.
        version = vars(type(component)).get("results_version", "")
        assert ("#" in composition.full_spec) == bool(version or component.content_hash)
        assert composition.full_spec.endswith(f"#results+{version}" * bool(version))
    assert code_mark("focal", "", OURS, ["fsbench_plugins"]) == ""
    assert code_mark("focal", "2", OURS, ["fsbench_plugins"]) == "results+2"


def test_another_version_of_the_core_marks_every_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    (erm,) = get_registry().parse("erm")
    assert full_spec(get_registry(), erm, RECIPE, "table") == "erm"
    monkeypatch.setattr(code, "RESULTS_VERSION", "2")
    assert full_spec(get_registry(), erm, RECIPE, "table") == "erm#core+2"


def test_the_code_of_a_plugins_backbone_marks_only_trials_of_its_recipes() -> None:
    tiny = Backbone("tiny", f"{__name__}:make", "one layer")
    found = registry(backbones=(tiny, replace(tiny, name="told", results_version="3")))
    (erm,) = found.parse("erm")
    assert full_spec(found, erm, RECIPE, "table") == "erm"
    assert full_spec(found, erm, replace(RECIPE, backbone="told(width=3)"), "table") == "erm#told:results+3"
    tiny_ones = full_spec(found, erm, replace(RECIPE, backbone="tiny"), "table")
    assert tiny_ones == f"erm#tiny:code+{source_hash([__name__])}"


@pytest.mark.parametrize("version", ["a b", "2#", "1+2", 2])
def test_a_version_that_cannot_be_part_of_a_spec_is_refused(version: object) -> None:
    with pytest.raises(PluginError, match=r"mine: results_version is .* expected a text such as '2'"):
        code_mark("mine", version, THEIRS, [])  # type: ignore[arg-type]


def test_the_hash_covers_exactly_the_source_files_of_the_outermost_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    files = [tmp_path / "outer" / name for name in ("__init__.py", "helper.py", "inner/__init__.py")]
    for file in files:
        file.write_text("x = 1\n")
    hashes = [source_hash(["outer.inner"])]
    assert hashes == [source_hash(["outer"])]
    for file in files:
        file.write_text("x = 12\n")
        hashes.append(source_hash(["outer.inner"]))
    (tmp_path / "outer" / "more.py").write_text("")
    hashes.append(source_hash(["outer.inner"]))
    assert len(set(hashes)) == len(hashes)
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "outer" / "notes.txt").write_text("")
    assert source_hash(["outer.inner"]) == hashes[-1]
    assert "outer" not in sys.modules


def test_the_hash_of_a_single_module_covers_what_it_imports_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "single.py").write_text("import torch\nfrom single_helper import x\n")
    (tmp_path / "single_helper.py").write_text("def f():\n    import single_further, single\n")
    for name in ("single_further", "single_other"):
        (tmp_path / f"{name}.py").write_text("")
    hashes = [source_hash(["single"])]
    for name in ("single", "single_helper", "single_further"):
        file = tmp_path / f"{name}.py"
        file.write_text(f"{file.read_text()}# edited\n")
        hashes.append(source_hash(["single"]))
    assert len(set(hashes)) == len(hashes)
    (tmp_path / "single_other.py").write_text("# edited\n")
    assert source_hash(["single"]) == hashes[-1]
    monkeypatch.setattr("fsbench.code._installed_places", lambda: {str(tmp_path)})
    alone = source_hash(["single"])
    (tmp_path / "single_helper.py").write_text("# of another distribution\n")
    assert source_hash(["single"]) == alone


def test_a_shared_namespace_package_is_not_hashed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mine", "theirs"):
        (tmp_path / "shared_name" / name).mkdir(parents=True)
        (tmp_path / "shared_name" / name / "__init__.py").write_text("")
    before = source_hash(["shared_name.mine"])
    (tmp_path / "shared_name" / "theirs" / "__init__.py").write_text("x = 1")
    assert source_hash(["shared_name.mine"]) == before
    (tmp_path / "shared_name" / "mine" / "__init__.py").write_text("x = 1")
    assert source_hash(["shared_name.mine"]) != before


marks = st.sampled_from(["", "#code+1a2b3c4d", "#results+2", "#unpackaged+00000000", "#sha256:9f86d081884c"])


@given(
    marks,
    marks,
    st.sampled_from(["", "core+2"]),
    st.sampled_from(["", "kind:text:results+3"]),
    st.sampled_from(["", "tiny-net:code+1a2b3c4d"]),
)
def test_a_full_spec_can_be_split_and_joined_again(
    first: str, second: str, core: str, kind: str, backbone: str
) -> None:
    strategy = f'scaled(file="a#b.txt"){first}+focal(gamma=1.0){second}'
    parts = split_marks(join_marks(strategy, core, kind, backbone))
    assert parts[1:] == (strategy, core, kind, backbone)
    content = [mark if mark.startswith("#sha") else "" for mark in (first, second)]
    assert parts.asked == f'scaled(file="a#b.txt"){content[0]}+focal(gamma=1.0){content[1]}'


FIRST, LATER = "2026-01-01T00:00:00+00:00", "2026-02-02T00:00:00+00:00"


def upgraded(old: str, new: str) -> list[Record]:
    """The content of a store after an upgrade: two old trials of a strategy, and a new, bad one."""
    erm = over_seeds(TASK, "erm", [0.4, 0.5, 0.6], full_spec="erm")
    before = over_seeds(TASK, "plain", [0.45, 0.539], full_spec=old, created=FIRST)
    return [*erm, *before, record(TASK, "plain", 2, 0.118, full_spec=new, created=LATER)]


def scores(board) -> dict[str, tuple[float, int]]:
    return {row.strategy: (round(row.score.mean, 6), row.done) for row in board.tasks[0][1]}


def test_old_code_is_never_averaged_with_new(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry(Plain)
    monkeypatch.setattr("fsbench.report.one_version.get_registry", lambda: found)
    now, other = found.parse("plain")[0].full_spec, "plain#code+00000000"
    records = upgraded(other, now)
    board = leaderboard(records)
    assert scores(board) == {"erm": (0.5, 3), "plain": (0.118, 1)}
    said = "left out: 2 records of other versions of the code (plain 2); --all-versions"
    assert any(line.startswith(said) for line in board.warnings)
    assert scores(leaderboard(upgraded(now, other))) == {"erm": (0.5, 3), "plain": (0.4945, 2)}
    both = scores(leaderboard(records, all_versions=True))
    assert sorted(both.values()) == [(0.118, 1), (0.4945, 2), (0.5, 3)]
    assert not any("version" in line for line in leaderboard(records[:5]).warnings)


def test_what_only_was_skipped_gives_way_to_what_ran_with_other_contents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = registry(Plain)
    monkeypatch.setattr("fsbench.report.one_version.get_registry", lambda: found)
    ran = over_seeds(TASK, "erm", [0.4, 0.5]) + over_seeds(TASK, "plain", [0.5, 0.6], full_spec="plain#w:1")
    lacking = [skipped(task=task, spec="plain", full_spec="plain#w:0") for task in (TASK, "kshot(wine, k=9)")]
    assert scores(leaderboard([*lacking, *ran])) == {"erm": (0.45, 2), "plain": (0.55, 2)}
    board = leaderboard([*lacking, *ran[:2]])
    assert [row.strategy for row in board.tasks[0][1] if not row.done] == ["plain"]


def test_a_version_with_which_nothing_ran_gives_way_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry(Plain)
    monkeypatch.setattr("fsbench.report.one_version.get_registry", lambda: found)
    now = found.parse("plain")[0].full_spec
    before = over_seeds(TASK, "plain", [0.5, 0.6], full_spec="plain#code+00000000")
    elsewhere = skipped(task="kshot(wine, k=9)", spec="plain", full_spec=now)
    board = leaderboard([*over_seeds(TASK, "erm", [0.4, 0.5]), *before, elsewhere])
    assert scores(board) == {"erm": (0.45, 2), "plain": (0.55, 2)}


@pytest.mark.parametrize("old", ["plain#code+33333333", "plain"])
def test_the_latest_version_of_an_uninstalled_strategy_is_shown(old: str) -> None:
    records = upgraded(old, "plain#code+22222222")
    assert scores(leaderboard(records))["plain"] == (0.118, 1)
    assert scores(leaderboard(records[::-1]))["plain"] == (0.118, 1)


def test_results_of_different_core_versions_are_not_compared() -> None:
    records = [
        *over_seeds(TASK, "erm", [0.4, 0.5], full_spec="erm"),
        *(replace(r, key=f"new{r.key}") for r in over_seeds(TASK, "erm", [0.1, 0.2], full_spec="erm#core+2")),
        *over_seeds(TASK, "focal", [0.8, 0.9], full_spec="focal(alpha=none, gamma=2.0)#core+2"),
    ]
    board = leaderboard(records)
    assert scores(board) == {"erm": (0.45, 2)}
    assert "4 records of other versions of the code (erm 2, focal 2)" in board.warnings[0]


def test_a_published_file_holds_one_version(tmp_path: Path) -> None:
    kept, _ = records_of_one_version(upgraded("plain#code+33333333", "plain#code+22222222"))
    assert {each.full_spec for each in kept} == {"erm", "plain#code+22222222"}


def test_values_computed_by_old_metric_code_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(logits: object, y: object) -> float:
        return 0.5

    metric = Metric("half", "half", "a half", half, results_version="2")
    made, module = load_registry(), ModuleType(__name__)
    module.fsbench_metrics = hookimpl(lambda: [metric, replace(metric, name="bare", results_version="")])  # type: ignore[attr-defined]
    made.load("theirs", lambda: module, THEIRS)
    theirs = {"half": "results+2", "bare": f"code+{source_hash([__name__])}"}
    ours = {"ece": "results+2", "auroc": "results+2", "auprc": "results+2"}
    assert metric_marks(made) == theirs | ours
    monkeypatch.setattr("fsbench.registry.get_registry", lambda: made)
    monkeypatch.setattr("fsbench.report.one_version.get_registry", lambda: made)
    values = zip([0.2, 0.4, 0.9], ["results+2", "results+2", "results+1"], strict=True)
    records = [
        record(TASK, "erm", seed, metrics={"half": value}, metric_codes={"half": mark})
        for seed, (value, mark) in enumerate(values)
    ]
    board = leaderboard(records, "half")
    assert scores(board) == {"erm": (0.3, 2)}
    said = "left out: 1 value of half, computed by another version of its code"
    assert any(line.startswith(said) for line in board.warnings)


def test_a_package_without_source_is_identified_by_its_version() -> None:
    assert source_hash(["no_module_of_that_name"]) == ""
    assert code_mark("mine", "", Origin("theirs", "1.0 b"), ["no_module_of_that_name"]) == "code+1.0-b"


CODE = """
from dataclasses import dataclass
from fsbench import Strategy, hookimpl

@dataclass(frozen=True)
class Scaled(Strategy):
    name = "scaled"

    def postprocess(self, fitted, val, ctx):
        return fitted.map(lambda logits: FACTOR * logits)

@hookimpl
def fsbench_strategies():
    return [Scaled]
"""


@pytest.mark.slow
def test_after_an_upgrade_of_an_installed_package_its_trials_run_again(tmp_path: Path) -> None:
    site = tmp_path / "site"
    about = site / "fsbench_theirs-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fsbench-theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[fsbench]\ntheirs = fsbench_theirs\n")

    def run(factor: float, *arguments: str) -> str:
        (site / "fsbench_theirs.py").write_text(CODE.replace("FACTOR", str(factor)))
        path = os.pathsep.join(filter(None, [str(site), *sys.path]))
        command = [sys.executable, "-m", "fsbench", *arguments]
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def trials() -> list:
        with Store(tmp_path / "fsbench-results") as store:
            return [r for r in store.records() if r.spec == "scaled"]

    asked = (
        "run",
        "--plugins",
        "scaled",
        "--tasks",
        TASK,
        "--recipe",
        "steps=2",
        "--jobs",
        "1",
        "--baseline",
        "erm",
    )
    run(1.5, *asked, "--seeds", "2")
    assert len(trials()) == 2
    run(1.5, *asked, "--seeds", "2")
    assert len(trials()) == 2
    board = run(-3.25, *asked, "--seeds", "1")
    assert [r.status for r in trials()] == ["ok"] * 3
    assert len({r.full_spec for r in trials()}) == 2
    assert all(r.versions["fsbench-theirs"] == "1.0" for r in trials())
    assert trials()[2].metrics["nll"] != trials()[0].metrics["nll"]
    assert "left out" not in board
    assert "left out: 2 records of other versions of the code (scaled 2)" in " ".join(
        run(-3.25, "leaderboard").split()
    )
