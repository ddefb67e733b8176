"""The steps from plan to store, with real data, splits and scores, and an executor that computes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fake_executor
import numpy as np
import pytest
from fake_executor import A, B, FakeExecutor, run

import fsbench
from fsbench.errors import SpecError, StoreError, TaskError, UnknownName, UsageError
from fsbench.metrics import score
from fsbench.progress import Observer
from fsbench.store import Store
from fsbench.tasks import splits
from fsbench.tasks.expressions import parse_tasks

BOTH = f"{A}, {B}"
pytestmark = pytest.mark.usefixtures("fakes")


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


def test_a_run_goes_from_plan_to_store(tmp_path):
    diary = Diary()
    results = run(tmp_path, tasks=BOTH, seeds=2, observer=diary)
    assert [(r.task, r.split_seed, r.status) for r in results.records] == [
        (A, 0, "ok"),
        (B, 0, "ok"),
        (A, 1, "ok"),
        (B, 1, "ok"),
    ]
    assert (results.total, results.done, results.failures, results.interrupted) == (4, 4, (), False)
    with Store(tmp_path, create=False) as store:
        assert tuple(store.records()) == results.records
        for record in results.records:
            drawn = splits.draw_split(*parse_tasks(record.task), record.split_seed)
            logits = store.predictions(record.key)
            assert np.array_equal(logits, fake_executor.logits(record, drawn.test.y.shape[1]))
            assert record.metrics == score(logits, drawn.test.y)
            assert (record.n_train, record.n_test) == (drawn.train.y.size, drawn.test.y.size)
            assert record.split_fingerprint == drawn.fingerprint
            assert (record.seconds_fit, record.device, record.notes) == (0.5, "a fake", ("noted",))
            assert record.versions["fake"] == "1"
            assert record.versions["torch"] == "9.9"
            assert record.created.endswith("+00:00")
    keys = [r.key for r in results.records]
    assert diary.lines[0] == ("planned", 4)
    assert diary.lines[1:-1] == [(kind, key) for key in keys for kind in ("started", "finished")]
    assert diary.lines[-1] == ("ended", None)
    assert fake_executor.heard == keys


def test_an_executor_gets_the_settings_of_the_run(tmp_path):
    run(tmp_path, jobs=3, timeout=7, device="cpu", seeds=2)
    first, second = FakeExecutor.made
    assert (first.settings["workers"], second.settings["workers"]) == (1, 3)
    assert second.settings["timeout"] == 7
    assert second.settings["device"] == "cpu"
    assert second.closed
    one, other = second.jobs
    assert second.settings["shared_by"] is None
    assert (one.split, one.shape) != (other.split, other.shape) == (other.split, (1, 70, 3))


def test_the_record_says_whether_a_trial_or_a_split_has_its_own_process(tmp_path, monkeypatch):
    """On a CPU each trial does; on a GPU, where a process takes seconds to start, each split does."""
    assert [r.isolation for r in run(tmp_path / "cpu", seeds=1).records] == ["trial"]
    monkeypatch.setattr(FakeExecutor, "device", "cuda:0")
    assert {r.isolation for r in run(tmp_path / "gpu", seeds=2).records} == {"split"}
    trials = FakeExecutor.made[-1]
    one, other = trials.jobs
    assert trials.settings["shared_by"](one) != trials.settings["shared_by"](other)


def test_each_split_is_drawn_once_when_needed_and_removed_after_its_last_trial(tmp_path, drawn):
    class Watch(Observer):
        def started(self, trial) -> None:
            assert drawn[-1] == f"{trial.task} {trial.split_seed}"
            assert len(list(tmp_path.glob(".splits/*/split-*"))) == 1

    run(tmp_path, "erm,reason", tasks=BOTH, seeds=2, observer=Watch())
    assert drawn == [f"{task} {seed}" for seed in (0, 1) for task in (A, B)]
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]


def test_the_store_is_read_once(tmp_path, monkeypatch):
    run(tmp_path, seeds=1)
    reads = []
    read = Store.records
    monkeypatch.setattr(Store, "records", lambda self: reads.append(1) or read(self))
    results = run(tmp_path, "erm,reason,needy", seeds=3)
    assert len(reads) == 1
    monkeypatch.undo()
    with Store(tmp_path) as store:
        assert sorted(store.records(), key=str) == sorted(results.records, key=str)


def test_a_second_run_does_nothing_and_a_larger_one_only_new_trials(tmp_path, drawn):
    first = run(tmp_path, seeds=2)
    drawn.clear()
    FakeExecutor.made.clear()
    diary = Diary()
    assert run(tmp_path, seeds=2, observer=diary) == first
    assert diary.lines == [("complete", 2), ("ended", None)]
    assert (drawn, FakeExecutor.made) == ([], [])
    wider = run(tmp_path, seeds=4)
    assert wider.records[:2] == first.records
    # One of the stored splits is drawn again, to see that the data are still the same.
    assert drawn == [f"{A} 2", f"{A} 0", f"{A} 3"]


def test_records_that_another_run_stored_meanwhile_stay(tmp_path):
    class Rival(Observer):
        def started(self, trial) -> None:
            first = Store.commit
            with Store(tmp_path) as store:
                mine = fsbench.record.Record(**vars(trial), status="ok", notes=("the rival's",))
                first(store, mine)

    results = run(tmp_path, seeds=1, observer=Rival())
    assert [r.notes for r in results.records] == [("the rival's",)]


def test_seeds_can_be_named(tmp_path):
    results = run(tmp_path, seeds=[7], init_seeds=(1, 2))
    assert [(r.split_seed, r.init_seed) for r in results.records] == [(7, 1), (7, 2)]


def test_a_number_of_seeds_may_be_numpys(tmp_path):
    results = run(tmp_path, seeds=np.int64(2), init_seeds=np.arange(1))
    assert [(r.split_seed, r.init_seed) for r in results.records] == [(0, 0), (1, 0)]


def test_bad_predictions_are_failed_records(tmp_path):
    results = run(tmp_path, "nan,shape,double,nothing,liar,reason,crash,slow", seeds=1)
    reasons = {r.spec: r.reason for r in results.failures}
    assert {spec: reason["kind"] for spec, reason in reasons.items()} == {
        "nan": "NonFinite",
        "shape": "BadPrediction",
        "double": "BadOutcome",
        "nothing": "BadOutcome",
        "liar": "BadOutcome",
        "reason": "ValueError",
        "crash": "Crash",
        "slow": "TimeOut",
    }
    assert "shape [70, 3]; expected [1, 70, 3]" in reasons["shape"]["message"]
    assert reasons["crash"]["message"] == "the worker ended with exit status 7"
    assert [r.spec for r in results.records if r.status == "ok"] == ["erm"]
    assert all(r.metrics == {} and r.split_fingerprint and r.n_train == 3 for r in results.failures)
    with Store(tmp_path) as store, pytest.raises(StoreError, match="no predictions"):
        store.predictions(results.failures[0].key)


def test_a_worker_cannot_set_fields_that_only_the_parent_knows(tmp_path):
    honest, liar = run(tmp_path, "liar", seeds=1).records
    assert (liar.status, liar.uses, liar.n_train) == ("failed", (), 3)
    assert liar.split_fingerprint == honest.split_fingerprint
    assert liar.versions == honest.versions


def test_failures_are_tried_again_only_when_asked(tmp_path):
    first = run(tmp_path, "reason", seeds=1)
    fake_executor.heard.clear()
    assert run(tmp_path, "reason", seeds=1) == first
    assert fake_executor.heard == []
    again = run(tmp_path, "reason", seeds=1, retry_failed=True)
    assert fake_executor.heard == [again.failures[0].key]


def test_skips_are_stored_with_their_reason(tmp_path):
    results = run(tmp_path, "needy", seeds=1)
    assert (results.total, results.done) == (1, 1)
    assert [(r.spec, r.status) for r in results.records] == [("erm", "ok"), ("needy", "skipped")]
    assert results.records[1].reason == {"kind": "skipped", "message": "needs source data"}
    assert results.records[1].created
    assert run(tmp_path, "needy", seeds=1) == results


class Behind(FakeExecutor):
    """Takes a job before it returns the result of the previous one, as the pool does."""

    def run(self, jobs, on_start=lambda job: None):
        held = None
        for item in super().run(jobs, on_start):
            if held is not None:
                yield held
            held = item
        if held is not None:
            yield held


def impossible(monkeypatch, text: str) -> None:
    """Make a task impossible for its data."""

    def draw(task, seed):
        if task.text == text:
            raise TaskError(f"{text}: no split was found")
        return real(task, seed)

    real = splits.draw_split
    monkeypatch.setattr("fsbench.draw.draw_split", draw)


def test_an_impossible_task_ends_the_run_and_finished_trials_are_kept(tmp_path, monkeypatch):
    impossible(monkeypatch, B)
    diary = Diary()
    with pytest.raises(TaskError, match="no split was found"):
        run(tmp_path, tasks=BOTH, seeds=2, observer=diary, executor=Behind)
    with Store(tmp_path) as store:
        assert [(r.task, r.split_seed, r.status) for r in store.records()] == [(A, 0, "ok")]
    assert diary.lines[-1] == ("ended", None)
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]


def test_errors_that_need_no_draw_are_found_before_anything_runs(tmp_path):
    with pytest.raises(TaskError, match="k=500"):
        run(tmp_path, tasks=f"{A}, kshot(wine, k=500)", seeds=1)
    assert FakeExecutor.made == []


def test_python_accepts_lists_of_texts_and_a_recipe_as_text(tmp_path):
    asked = run(tmp_path, ["erm"], [A, B], seeds=1, recipe="steps=3")
    assert run(tmp_path, "erm", BOTH, seeds=1, recipe={"steps": 3}) == asked
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
def test_usage_errors_come_before_any_work(tmp_path, drawn, options, error, message):
    with pytest.raises(error, match=message):
        run(tmp_path, **options)
    assert (drawn, FakeExecutor.made) == ([], [])


def test_impossible_settings_end_the_run_before_anything_is_stored(tmp_path):
    class Unfit(FakeExecutor):
        def answer(self, job):
            return fsbench.failure.Failure("UsageError", "no such device")

    with pytest.raises(UsageError, match="no such device"):
        run(tmp_path, "needy", seeds=1, executor=Unfit)
    with Store(tmp_path) as store:
        assert store.records() == []


def test_ctrl_c_keeps_finished_trials(tmp_path):
    class Impatient(Diary):
        def finished(self, record) -> None:
            super().finished(record)
            if sum(kind == "finished" for kind, _ in self.lines) == 2:
                raise KeyboardInterrupt

    diary = Impatient()
    results = run(tmp_path, tasks=BOTH, seeds=3, observer=diary)
    assert (results.interrupted, results.done, results.total) == (True, 2, 6)
    assert diary.lines[-1] == ("ended", None)
    assert FakeExecutor.made[-1].closed
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]
    resumed = run(tmp_path, tasks=BOTH, seeds=3)
    assert (resumed.interrupted, resumed.done) == (False, 6)
    assert resumed.records[:2] == results.records[:2]


def test_a_full_disk_ends_the_run_and_keeps_finished_trials(tmp_path, monkeypatch):
    commit = Store.commit

    def full(self, record, *beside):
        if record.split_seed == 1:
            raise StoreError("no space left")
        return commit(self, record, *beside)

    monkeypatch.setattr(Store, "commit", full)
    with pytest.raises(StoreError, match="no space left"):
        run(tmp_path, seeds=3)
    assert FakeExecutor.made[-1].closed
    monkeypatch.setattr(Store, "commit", commit)
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]
    assert run(tmp_path, seeds=3).done == 3


def test_a_run_with_nothing_to_do_cleans_up_too(tmp_path):
    run(tmp_path, seeds=1)
    (tmp_path / ".splits" / "run-0123456789abcdef").mkdir(parents=True)
    run(tmp_path, seeds=1)
    assert sorted(os.listdir(tmp_path)) == ["fsbench.sqlite", "run.log"]


def test_importing_the_runner_is_light():
    heavy = "{'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'rich'}"
    script = f"import sys, fsbench; fsbench.run; print(sorted({heavy} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(fsbench.__file__).parents[1])])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
