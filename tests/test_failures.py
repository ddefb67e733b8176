"""The real engine with strategies that fail in every way: the run continues and the records say why."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from marks import linux

import fsbench
from fsbench.errors import PluginError
from fsbench.registry import get_registry
from fsbench.store import Store

HERE = Path(__file__).parent
TASK = "kshot(wine, k=5)"
EXPECTED = {
    "raises": ("RuntimeError", "what went wrong xxx"),
    "raises-oddly": ("Unpicklable", "odd"),
    "exits": ("SystemExit", "3"),
    "exits-at-once": ("Crash", "exit status 0"),
    "segfaults": ("Crash", "SIGSEGV"),
    "killed": ("Crash", "SIGKILL"),
    "hangs": ("TimeOut", "longer than 8 s"),
    "forges": ("BadOutcome", "something other than logits, accuracy, seconds, memory and notes"),
    "inert": ("InertComponent", "inert had no effect"),
    "nan": ("NonFinite", "NaN or infinite"),
    "wrong-shape": ("BadPrediction", "shape"),
    "no-tensor": ("BadPrediction", "returned str"),
}


@pytest.fixture
def plugins(monkeypatch):
    """The registry with the faulty plugin and one that cannot be imported."""
    monkeypatch.setenv("FSBENCH_PLUGINS", "plugins_faulty,plugins_broken")
    get_registry.cache_clear()
    yield
    get_registry.cache_clear()


def run(folder: Path, names: str, **options) -> fsbench.Results:
    options |= {"seeds": 1, "recipe": {"steps": 3}, "device": "cpu", "jobs": 2, "baseline": "erm"}
    return fsbench.run(names, tasks=TASK, results=folder, **options)


@linux
@pytest.mark.slow
def test_every_fault_is_a_record_and_the_run_continues(tmp_path, plugins):
    results = run(tmp_path, ",".join([*EXPECTED, "prints"]), timeout=8.0)
    assert [r.spec for r in results.records] == ["erm", *EXPECTED, "prints"]
    assert [r.spec for r in results.records if r.status == "ok"] == ["erm", "prints"]
    assert not results.interrupted
    reasons = {r.spec: r.reason for r in results.failures}
    for spec, (kind, message) in EXPECTED.items():
        assert (spec, reasons[spec]["kind"]) == (spec, kind)
        assert message in reasons[spec]["message"]
        assert "\n" not in reasons[spec]["message"]
        assert len(str(reasons[spec])) < 10_000
    assert "misbehave" in reasons["hangs"]["traceback"]
    assert "misbehave" in reasons["segfaults"]["traceback"]
    assert "misbehave" in reasons["raises"]["traceback"]
    assert all(r.split_fingerprint == results.records[0].split_fingerprint for r in results.records)
    assert all(r.device and r.versions for r in results.records)
    with Store(tmp_path) as store:
        assert {record.status for record in store.records()} == {"ok", "failed"}
        assert store.predictions(results.records[0].key).ndim == 3


def test_a_plugin_that_cannot_be_imported_does_not_hide_others(tmp_path, plugins):
    results = run(tmp_path, "prints")
    assert [(r.spec, r.status) for r in results.records] == [("erm", "ok"), ("prints", "ok")]
    (failure,) = get_registry().failures
    assert failure.plugin == "plugins_broken"
    with pytest.raises(PluginError, match=r"plugins_broken: ImportError: libsomething"):
        run(tmp_path, "prints", strict=True)


@linux
def test_a_complete_store_is_read_quickly(tmp_path):
    """Reading it needs neither torch nor pandas nor a worker."""
    run(tmp_path, "erm")
    script = f"""
        import resource, sys
        before = resource.getrusage(resource.RUSAGE_SELF)
        import fsbench
        options = dict(tasks={TASK!r}, seeds=1, recipe={{"steps": 3}}, results={str(tmp_path)!r})
        results = fsbench.run("erm", baseline="erm", **options)
        after = resource.getrusage(resource.RUSAGE_SELF)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
        heavy = {{"torch", "pandas", "sklearn", "fsbench.engine.worker"}} & set(sys.modules)
        print(len(results.records), results.done, sorted(heavy))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "1 1 []\n", done.stderr


def test_same_seed_same_record(tmp_path):
    """Bit for bit, in any worker and beside any other trials."""
    alone, beside = run(tmp_path / "alone", "erm"), run(tmp_path / "beside", "erm,erm", retry_failed=True)
    with Store(tmp_path / "alone") as first, Store(tmp_path / "beside") as second:
        key = alone.records[0].key
        assert first.predictions(key).tobytes() == second.predictions(key).tobytes()
    assert alone.records[0].metrics == beside.records[0].metrics
