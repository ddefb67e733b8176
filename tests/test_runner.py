from __future__ import annotations

import _thread
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import fake_engine
import numpy as np
import pytest

import fsbench
from fsbench.errors import DataError, PluginError, SpecError, StoreError, TaskError, UnknownName, UsageError
from fsbench.progress import Observer
from fsbench.registry import LoadFailure
from fsbench.store import Store


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    for name, module in fake_engine.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    registry = fake_engine.registry()
    monkeypatch.setattr("fsbench.runner.get_registry", lambda: registry)
    monkeypatch.setattr("fsbench.executors.launch._PRELOAD", [])
    fake_engine.calls.clear()
    fake_engine.heard.clear()
    return registry


class Diary(Observer):
    def __init__(self) -> None:
        self.lines: list[tuple[str, object]] = []

    def complete(self, plan) -> None:
        self.lines.append(("complete", plan.done))

    def planned(self, plan) -> None:
        self.lines.append(("planned", len(plan.trials)))

    def started(self, trial) -> None:
        self.lines.append(("started", trial.key))

    def finished(self, record) -> None:
        self.lines.append(("finished", record.key))

    def ended(self) -> None:
        self.lines.append(("ended", None))


def run(folder, plugins="erm", tasks="a", **options) -> fsbench.Results:
    return fsbench.run(plugins, tasks=tasks, results=folder, jobs=options.pop("jobs", 1), **options)


def test_from_plan_to_store(tmp_path):
    diary = Diary()
    results = run(tmp_path, tasks="a,b", seeds=2, observer=diary)
    assert [(r.task, r.split_seed, r.status) for r in results.records] == [
        ("a", 0, "ok"),
        ("a", 1, "ok"),
        ("b", 0, "ok"),
        ("b", 1, "ok"),
    ]
    assert (results.total, results.done, results.failures, results.interrupted) == (4, 4, (), False)
    record = results.records[0]
    assert (record.n_train, record.seconds_fit, record.device) == (5, 0.5, "a fake")
    assert record.split_fingerprint == "a/0/one"
    assert record.versions == {"fake": "1"}
    assert record.created.endswith("+00:00")
    with Store(tmp_path, create=False) as store:
        assert tuple(store.records()) == results.records
        for record in results.records:
            logits = store.predictions(record.key)
            assert np.array_equal(logits, fake_engine.logits(record))
            assert record.metrics == {"accuracy": (logits.argmax(-1) == fake_engine.TEST_Y).mean()}
    keys = [r.key for r in results.records]
    assert [line for line in diary.lines if line[0] == "finished"] == [("finished", key) for key in keys]
    assert diary.lines[0] == ("planned", 4)
    assert diary.lines[-1] == ("ended", None)
    assert sum(kind == "started" for kind, _ in diary.lines) == 4
    assert fake_engine.heard == keys


def test_splits_are_made_once_one_after_the_other_and_removed(tmp_path):
    run(tmp_path, "erm,reason", tasks="a,b", seeds=2)
    made = [call for call in fake_engine.calls if call.startswith("materialise")]
    assert made == [f"materialise {task} {seed}" for task in "ab" for seed in (0, 1)]
    assert os.listdir(tmp_path) == ["fsbench.sqlite"]


def test_a_second_run_does_nothing_and_a_wider_one_only_what_is_new(tmp_path):
    first = run(tmp_path, seeds=2)
    fake_engine.calls.clear()
    diary = Diary()
    assert run(tmp_path, seeds=2, observer=diary) == first
    assert diary.lines == [("complete", 2)]
    assert fake_engine.calls == []
    wider = run(tmp_path, seeds=3)
    assert wider.records[:2] == first.records
    assert [call for call in fake_engine.calls if call.startswith("materialise")] == ["materialise a 2"]


def test_the_suite_says_tasks_and_seeds(tmp_path):
    results = fsbench.run("erm", results=tmp_path, jobs=1)
    assert [(r.task, r.split_seed) for r in results.records] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_seeds_can_be_named(tmp_path):
    results = run(tmp_path, seeds=[7], init_seeds=(1, 2))
    assert [(r.split_seed, r.init_seed) for r in results.records] == [(7, 1), (7, 2)]


def test_bad_predictions_are_failed_records(tmp_path):
    with pytest.warns(RuntimeWarning, match="a hook that fails"):
        results = run(tmp_path, "nan,shape,double,nothing,reason,crash", seeds=1)
    reasons = {r.spec: r.reason for r in results.failures}
    assert {spec: reason["kind"] for spec, reason in reasons.items()} == {
        "nan": "NonFinite",
        "shape": "BadPrediction",
        "double": "BadPrediction",
        "nothing": "BadPrediction",
        "reason": "ValueError",
        "crash": "Crash",
    }
    assert "shape [6, 3]; expected [1, 6, 3]" in reasons["shape"]["message"]
    assert "float64" in reasons["double"]["message"]
    assert "NoneType" in reasons["nothing"]["message"]
    assert reasons["crash"]["message"] == "the worker ended with exit status 7"
    assert [r.spec for r in results.records if r.status == "ok"] == ["erm"]
    assert all(r.metrics == {} and r.split_fingerprint for r in results.failures)
    with Store(tmp_path) as store, pytest.raises(StoreError, match="no predictions"):
        store.predictions(results.failures[0].key)


def test_a_time_limit(tmp_path):
    results = run(tmp_path, "slow", seeds=1, timeout=0.5)
    assert [r.spec for r in results.records] == ["erm", "slow"]
    assert [(r.spec, r.reason["kind"]) for r in results.failures] == [("slow", "TimeOut")]


def test_failures_are_tried_again_only_when_asked(tmp_path):
    first = run(tmp_path, "reason", seeds=1)
    fake_engine.heard.clear()
    assert run(tmp_path, "reason", seeds=1) == first
    assert fake_engine.heard == []
    again = run(tmp_path, "reason", seeds=1, retry_failed=True)
    assert fake_engine.heard == [again.failures[0].key]


def test_skips_are_stored_with_their_reason(tmp_path):
    results = run(tmp_path, "needy", seeds=1)
    assert (results.total, results.done) == (1, 1)
    assert [(r.spec, r.status) for r in results.records] == [("erm", "ok"), ("needy", "skipped")]
    assert results.records[1].reason == {"kind": "skipped", "message": "needs source data"}
    assert run(tmp_path, "needy", seeds=1) == results


def test_a_task_that_cannot_be_had_ends_the_run_before_it_begins(tmp_path):
    with pytest.raises(TaskError, match="more than the class has"):
        run(tmp_path, tasks="a,impossible", seeds=1)
    assert not [call for call in fake_engine.calls if call.startswith("materialise")]
    with Store(tmp_path) as store:
        assert store.records() == []


def test_a_split_that_is_not_the_suites_ends_the_run(tmp_path, monkeypatch):
    suites = sys.modules["fsbench.tasks.suites"]
    other = replace(suites.load_suite("fake"), fingerprints={"a": ("another",)})
    monkeypatch.setattr(suites, "load_suite", lambda name: other)
    with pytest.raises(DataError, match=r"fake: split 0 of a is a/0/one, not another"):
        run(tmp_path, tasks=None)
    assert not [call for call in fake_engine.calls if call.startswith("materialise")]


def test_stored_records_that_are_not_of_the_suites_splits_are_refused(tmp_path, monkeypatch):
    run(tmp_path, tasks=None, seeds=1)
    suites = sys.modules["fsbench.tasks.suites"]
    other = replace(suites.load_suite("fake"), fingerprints={"a": ("another",)})
    monkeypatch.setattr(suites, "load_suite", lambda name: other)
    with pytest.raises(StoreError, match=r"holds a record of \w+ on other data than fake: split 0 of a is"):
        run(tmp_path, tasks=None, seeds=1)


def test_results_on_other_data_do_not_mix(tmp_path, monkeypatch):
    first = run(tmp_path, seeds=1)
    monkeypatch.setenv("FAKE_DATA", "two")
    assert run(tmp_path, seeds=1) == first
    for more in ({"plugins": "reason", "seeds": 1}, {"seeds": 2}):
        with pytest.raises(StoreError, match="holds results of a on other data"):
            run(tmp_path, **more)
    assert run(tmp_path / "other", "reason", seeds=1).total == 2


def test_python_may_give_texts_one_by_one_and_a_recipe_as_text(tmp_path):
    asked = fsbench.run(["erm"], tasks=["a", "b"], results=tmp_path, jobs=1, seeds=1, recipe="steps=3")
    assert run(tmp_path, "erm", "a,b", seeds=1, recipe={"steps": 3}) == asked
    assert repr(asked) == f"<Results: 2 of 2 trials, 0 failed, {tmp_path / 'fsbench.sqlite'}>"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"plugins": "nope"}, UnknownName, "unknown strategy 'nope'"),
        ({"seeds": 0}, UsageError, "seeds=0"),
        ({"seeds": [-1]}, UsageError, "seeds="),
        ({"init_seeds": []}, UsageError, "init_seeds="),
        ({"jobs": 0}, UsageError, "jobs=0"),
        ({"timeout": -1.0}, UsageError, "timeout=-1"),
        ({"timeout": float("nan")}, UsageError, "timeout=nan"),
        ({"recipe": {"steps": "x"}}, SpecError, "steps"),
        ({"suite": "starter-v1"}, UsageError, "suite and tasks"),
        ({"device": "tpu"}, UsageError, "device 'tpu': expected auto, cpu, cuda or cuda:NUMBER"),
    ],
)
def test_usage_errors_come_before_any_work(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        run(tmp_path, **options)
    assert not [call for call in fake_engine.calls if call.startswith("materialise")]


def test_strict_makes_a_broken_plugin_fatal(tmp_path, fakes):
    fakes.failures.append(LoadFailure("their-plugin", "ImportError: no module named x"))
    assert run(tmp_path, seeds=1).done == 1
    with pytest.raises(PluginError, match=r"their-plugin: ImportError"):
        run(tmp_path, seeds=1, strict=True)


def test_ctrl_c_keeps_what_there_is(tmp_path):
    class Impatient(Diary):
        def finished(self, record) -> None:
            super().finished(record)
            if sum(kind == "finished" for kind, _ in self.lines) == 2:
                _thread.interrupt_main()

    diary = Impatient()
    results = run(tmp_path, tasks="a,b", seeds=3, observer=diary)
    assert results.interrupted
    assert 2 <= results.done < results.total == 6
    assert diary.lines[-1] == ("ended", None)
    assert os.listdir(tmp_path) == ["fsbench.sqlite"]
    resumed = run(tmp_path, tasks="a,b", seeds=3)
    assert (resumed.interrupted, resumed.done) == (False, 6)
    assert resumed.records[:2] == results.records[:2]


def test_ctrl_c_while_a_trial_hangs(tmp_path):
    class Clock(Observer):
        def started(self, trial) -> None:
            if trial.spec == "slow":
                threading.Timer(0.5, _thread.interrupt_main).start()

    begin = time.monotonic()
    results = run(tmp_path, "slow", seeds=1, observer=Clock())
    assert time.monotonic() - begin < 10
    assert results.interrupted
    assert [r.spec for r in results.records] == ["erm"]


def test_a_full_disk_ends_the_run_and_keeps_what_there_is(tmp_path, monkeypatch):
    commit = Store.commit

    def full(self, record, predictions=None):
        if record.split_seed == 1:
            raise StoreError("no space left")
        commit(self, record, predictions)

    monkeypatch.setattr(Store, "commit", full)
    with pytest.raises(StoreError, match="no space left"):
        run(tmp_path, seeds=3)
    monkeypatch.setattr(Store, "commit", commit)
    assert os.listdir(tmp_path) == ["fsbench.sqlite"]
    assert run(tmp_path, seeds=3).done == 3


def test_a_run_with_nothing_to_do_sweeps_too(tmp_path):
    run(tmp_path, seeds=1)
    (tmp_path / ".splits" / "run-0123456789abcdef").mkdir(parents=True)
    run(tmp_path, seeds=1)
    assert os.listdir(tmp_path) == ["fsbench.sqlite"]


def test_importing_the_runner_is_light():
    heavy = "{'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'rich', 'pebble'}"
    script = f"import sys, fsbench; fsbench.run; print(sorted({heavy} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(fsbench.__file__).parents[1])])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
