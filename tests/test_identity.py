"""What identifies a result: arguments, contents of files, and the code of unpackaged plugins."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import fsbench
from fsbench.composition import Composition
from fsbench.errors import DataError
from fsbench.identity import versions
from fsbench.params import param
from fsbench.plan import make_plan
from fsbench.record import Record, Trial
from fsbench.registry import UNPACKAGED, get_registry, load_registry
from fsbench.store import Store
from fsbench.strategy import Strategy
from fsbench.types import TaskInfo

CODE = '''
from dataclasses import dataclass
from pathlib import Path
import hashlib
from fsbench import Strategy, hookimpl

@dataclass(frozen=True)
class Scaled(Strategy):
    """Logits times a number in a file."""

    name = "scaled"
    cite = "nobody"
    file: str = ""

    @property
    def content_hash(self):
        return "sha256:" + hashlib.sha256(Path(self.file).read_bytes()).hexdigest()[:12] if self.file else ""

    def postprocess(self, fitted, val, ctx):
        factor = float(Path(self.file).read_text()) if self.file else 2.0
        return fitted.map(lambda logits: factor * logits)

@hookimpl
def fsbench_strategies():
    return [Scaled]
'''


@dataclass(frozen=True)
class FakeTask:
    text: str = "kshot(wine, k=5)"
    info: TaskInfo = TaskInfo("kshot(wine, k=5)", "kshot", "table", (13,), 3)


@dataclass(frozen=True)
class Erm(Strategy):
    name = "erm"


@dataclass(frozen=True)
class Sharp(Strategy):
    name = "sharp"
    gamma: float = param(2.0)


@dataclass(frozen=True)
class SharpOfTomorrow(Strategy):
    name = "sharp"
    gamma: float = param(3.0)


@dataclass(frozen=True)
class Loads(Strategy):
    name = "loads"
    file: str = ""

    @property
    def content_hash(self) -> str:
        if not Path(self.file).is_file():
            raise DataError(f"no weights at {self.file!r}")
        return "sha256:" + hashlib.sha256(Path(self.file).read_bytes()).hexdigest()[:12]


def trial(*components: Strategy) -> Trial:
    (_, found) = make_plan(
        [FakeTask()],  # type: ignore[list-item]
        [Composition(components)],
        baseline=Composition((Erm(),)),
        split_seeds=[0],
    ).trials
    return found


def test_the_same_text_with_another_default_is_another_trial() -> None:
    today, tomorrow = trial(Sharp()), trial(SharpOfTomorrow())
    assert today.spec == tomorrow.spec == "sharp"
    assert (today.full_spec, tomorrow.full_spec) == ("sharp(gamma=2.0)", "sharp(gamma=3.0)")
    assert today.key != tomorrow.key


def test_another_content_is_another_trial(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"one")
    first, again = trial(Sharp(), Loads(str(file))), trial(Sharp(), Loads(str(file)))
    file.write_bytes(b"two")
    other = trial(Sharp(), Loads(str(file)))
    assert first == again
    assert first.spec == other.spec
    assert first.key != other.key
    digits = hashlib.sha256(b"one").hexdigest()[:12]
    assert first.full_spec == f'sharp(gamma=2.0)+loads(file="{file}")#sha256:{digits}'
    with pytest.raises(DataError, match="no weights at"):
        trial(Loads("nowhere.pt"))


def test_the_code_of_an_unpackaged_plugin_is_in_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text("from their_package.inner import *\n")

    def version(code: str) -> tuple[str, str]:
        (package / "inner.py").write_text(code)
        for name in ("their_package", "their_package.inner"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        registry = load_registry(["their_package"])
        (found,) = registry.parse("scaled+focal")
        assert found.full_spec.startswith('scaled(file="")#unpackaged+')
        assert "#" not in found.full_spec.partition("+focal")[2]
        return versions(registry, found)["their_package"], found.full_spec

    first, edited = version(CODE), version(CODE.replace("2.0", "3.25"))
    assert first[0].startswith(f"{UNPACKAGED}+")
    assert first[0] != edited[0]
    assert first[1] != edited[1]
    assert version(CODE) == first


def test_an_old_record_has_no_full_spec_and_still_loads(tmp_path: Path) -> None:
    new = Record("k", "ok", "t", 0, 0, "sharp", "r", full_spec="sharp(gamma=2.0)")
    with Store(tmp_path) as store:
        store.commit(new)
        assert store.records() == [new]
        store._db.execute("UPDATE trials SET record = json_remove(record, '$.full_spec')")
        assert store.records() == [dataclasses.replace(new, full_spec="")]


@pytest.mark.slow
def test_an_edited_plugin_and_a_changed_file_are_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, file = tmp_path / "edited_plugin.py", tmp_path / "factor.txt"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FSBENCH_PLUGINS", "edited_plugin")

    def run(spec: str, code: str = CODE) -> tuple[Record, int]:
        """The record of a spec, and how many trials the store has afterwards."""
        module.write_text(code)
        sys.modules.pop("edited_plugin", None)
        importlib.invalidate_caches()
        get_registry.cache_clear()
        options = {
            "tasks": "kshot(wine, k=5)",
            "seeds": 1,
            "recipe": {"steps": 2},
            "jobs": 1,
            "baseline": "erm",
        }
        results = fsbench.run(spec, results=tmp_path / "results", **options)  # type: ignore[arg-type]
        with Store(tmp_path / "results") as store:
            return results.records[1], len(store.records())

    try:
        first, trials = run("scaled")
        assert (first.status, trials) == ("ok", 2)
        assert run("scaled") == (first, 2)
        edited, trials = run("scaled", CODE.replace("2.0", "64.25"))
        assert (edited.status, trials) == ("ok", 3)
        assert edited.full_spec != first.full_spec
        assert edited.metrics["nll"] != first.metrics["nll"]
        file.write_text("5.0")
        loaded, trials = run(f'scaled(file="{file}")')
        assert (loaded.status, trials) == ("ok", 4)
        file.write_text("0.5")
        changed, trials = run(f'scaled(file="{file}")')
        assert (changed.status, trials) == ("ok", 5)
        assert changed.spec == loaded.spec
        assert changed.metrics["nll"] != loaded.metrics["nll"]
    finally:
        get_registry.cache_clear()
