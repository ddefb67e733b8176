from __future__ import annotations

import os
import signal
import sys
import time

import pool_jobs
import pytest
from marks import linux
from processes import alive, wait_until

from fsbench.errors import PluginError, WorkerError
from fsbench.executors.local import LocalExecutor, default_workers
from fsbench.failure import describe


def executor(workers=1, timeout=60.0, **more) -> LocalExecutor:
    more = {"read": lambda job, value: value, **more}
    return LocalExecutor("pool_jobs:act", workers=workers, timeout=timeout, **more)


def run(jobs, **more) -> list:
    return list(executor(**more).run(jobs))


@linux
def test_faults_are_values_and_the_run_continues():
    faults = {
        "raise": ("ValueError", "one two xxx"),
        "unprintable": ("Unprintable", "cannot be shown"),
        "unpicklable exception": ("Unpicklable", "odd"),
        "odd result": ("TypeError", "a worker returned Unpicklable; expected float32 arrays"),
        "double": ("TypeError", "a worker returned float64 array; expected float32 arrays"),
        "exit": ("SystemExit", "4"),
        "interrupt": ("KeyboardInterrupt", "KeyboardInterrupt"),
        "segfault": ("Crash", "killed by SIGSEGV"),
        "exit 0": ("Crash", "exit status 0"),
        "exit 3": ("Crash", "exit status 3"),
        "kill": ("Crash", "killed by SIGKILL"),
    }
    results = dict(run([*faults, "pids", "noise"]))
    assert isinstance(results.pop("pids"), list)
    assert results.pop("noise") == "quiet"
    for job, (kind, message) in faults.items():
        assert results[job].kind == kind
        assert message in results[job].message
        assert "\n" not in results[job].message
        assert len(results[job].message) <= 500
        assert len(results[job].traceback) <= 8000
    assert "in throw" in results["raise"].traceback
    assert "Segmentation fault" in results["segfault"].traceback
    assert "pool_jobs.py" in results["segfault"].traceback


@linux
@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_that_are_kept_apart_never_share_a_process(workers):
    jobs = ["pids:a", "pids:aa", "pids:b", "pids:bb", "pids:a"]
    results = run(jobs, workers=workers, shared_by=lambda job: job[-1])
    seen = {kind: {pid for job, (pid, _) in results if job[-1] == kind} for kind in "ab"}
    assert not seen["a"] & seen["b"]
    if workers == 1:
        assert (len(seen["a"]), len(seen["b"])) == (2, 1)
        assert not any(map(alive, seen["a"] | seen["b"]))


@linux
def test_a_time_out_says_where_the_job_hung():
    results = dict(run(["pids", "hang", "spin"], workers=2, timeout=1.0))
    for job in ("hang", "spin"):
        assert results[job].kind == "TimeOut"
        assert results[job].message == "took longer than 1 s"
        assert "in act" in results[job].traceback
    assert "in spin" in results["spin"].traceback
    assert isinstance(results["pids"], list)


@linux
def test_a_job_that_ignores_termination_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr("fsbench.executors.local._TERMINATION_SECONDS", 0.3)
    results = dict(run([f"deaf:{tmp_path}", "pids"], timeout=2.0))
    assert results[f"deaf:{tmp_path}"].kind == "TimeOut"
    (pids,) = [path.read_text().split() for path in tmp_path.glob("*.pids")]
    assert len(pids) == 3
    assert wait_until(lambda: not any(map(alive, map(int, pids))))


@linux
def test_every_job_has_its_own_process():
    jobs = ["pids", "nap:0.2", "pids", "pids", "pids"]
    workers = [result[0] for _, result in run(jobs, workers=2) if result]
    assert len(set(workers)) == 4
    assert wait_until(lambda: not any(map(alive, workers)))


@linux
def test_a_process_that_may_serve_several_jobs_does_until_it_breaks():
    jobs = ["pids", "raise", "pids", "segfault", "pids"]
    results = [result for _, result in run(jobs, shared_by=lambda job: None)]
    assert results[0] == results[2]
    assert results[4][0] != results[0][0]
    assert wait_until(lambda: not alive(results[4][0]))


def test_workers_have_one_thread_each_and_not_the_callers_script(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("OF_THE_CALLER", "seen")
    script = sys.modules["__main__"]
    ((_, found),) = run(["environment"])
    assert found == {"threads": "1", "running": 2, "torch": 1, "file": None, "caller": "seen"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert sys.modules["__main__"] is script


def test_jobs_are_drawn_just_ahead_of_the_workers():
    drawn, started, ended = [], [], []

    def source():
        for _ in range(8):
            drawn.append(len(ended))
            yield "nap:0.05"

    for job, _ in executor(workers=2).run(source(), started.append):
        ended.append(job)
    assert len(ended) == len(started) == 8
    assert all(number <= done + 4 for number, done in enumerate(drawn))


@linux
def test_the_next_process_is_ready_while_the_current_one_works():
    (_, age) = run(["nap:2", "age"])[1]
    assert age > 0.5


@linux
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("raise", WorkerError, r"no worker can start \(ValueError: one two"),
        ("segfault", WorkerError, r"no worker can start \(the worker was killed by SIGSEGV\)"),
        ("exit 0", WorkerError, r"no worker can start \(the worker ended itself with exit status 0\)"),
        ("told", PluginError, r"no worker can start \(.* exit status 3, while importing plugin bad\)"),
    ],
)
@pytest.mark.parametrize("spoilt", [False, True])
def test_workers_that_cannot_start_end_the_run_and_name_only_a_plugin_at_fault(how, error, message, spoilt):
    with pytest.raises(error, match=message):
        run(["pids"], workers=2, prepare="pool_jobs:broken_start", arguments=(how, spoilt))


@linux
def test_a_start_that_hangs_ends_the_run(monkeypatch):
    run(["pids"])  # the server is there now
    monkeypatch.setattr("fsbench.executors.launch.START_SECONDS", 1.0)
    with pytest.raises(WorkerError, match="took longer than 1 s"):
        run(["pids"], prepare="pool_jobs:broken_start", arguments=("hang", False))


@linux
@pytest.mark.parametrize(("spoilt", "shared"), [(False, True), (True, False)])
def test_preparing_is_done_once_unless_a_fork_must_not_inherit_it(spoilt, shared):
    """A running thread is such a case: a fork would lack it."""
    setting = {"prepare": "pool_jobs:prepare", "arguments": (spoilt,)}
    prepared = [where for _, where in run(["prepared", "prepared"], **setting)]
    assert len(prepared) == 2
    assert (prepared[0] == prepared[1]) == shared


@linux
def test_closing_stops_the_workers(tmp_path):
    stream = executor(workers=2, timeout=600).run(["pids", *[f"busy:{tmp_path}"] * 2])
    next(stream)
    assert wait_until(lambda: any(p.read_text() for p in tmp_path.glob("*.pids")))
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 5
    for path in tmp_path.glob("*.pids"):
        pids = list(map(int, path.read_text().split()))
        assert wait_until(lambda pids=pids: not any(map(alive, pids)))


@linux
@pytest.mark.parametrize(
    ("job", "kind", "message"),
    [
        ("pickle", "BadReply", "began a message of"),
        ("no json", "BadReply", "not a message"),
        ("too long", "BadReply", "began a message of 10 + 1099511627776 bytes; expected at most"),
        ("neither", "BadReply", "neither a result nor a failure"),
        ("ended", "BadReply", "neither a result nor a failure"),
        ("endless", "TimeOut", "took longer than 1 s"),
        ("hangs up", "TimeOut", "took longer than 1 s"),
        ("long failure", "x" * 100, "y" * 500),
    ],
)
def test_a_hostile_worker_affects_only_its_own_job(tmp_path, monkeypatch, job, kind, message):
    monkeypatch.setattr("fsbench.executors.local._REPLY_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    results = run([f"hostile:{job}", "pids"], timeout=1.0)
    failure, after = dict(results)[f"hostile:{job}"], dict(results)["pids"]
    assert failure.kind == kind
    assert message in failure.message
    assert len(failure.message) <= 500
    assert len(failure.traceback) <= 8000
    assert len(after) == 2
    assert not list(tmp_path.iterdir()), "something of the worker's ran in the parent"


@linux
def test_a_second_reply_is_ignored():
    results = run(["hostile:twice", "nap:0.3", "pids"], shared_by=lambda job: None)
    assert results[0] == ("hostile:twice", "first")
    assert [job for job, _ in results] == ["hostile:twice", "nap:0.3", "pids"]
    assert results[1][1] is None
    assert isinstance(results[2][1], list)


@linux
@pytest.mark.parametrize("generation", [1, 2])
def test_a_server_or_nursery_that_is_killed_between_jobs_is_replaced(generation):
    def source():
        yield from ("ancestors", "pids", "pids")  # a job is drawn ahead of the last result
        ended = results[0][1][generation]
        os.kill(ended, signal.SIGKILL)
        assert wait_until(lambda: not alive(ended))
        yield "pids"

    results = []
    for each in executor().run(source()):
        results.append(each)
    assert [job for job, _ in results] == ["ancestors", "pids", "pids", "pids"]
    assert all(isinstance(result, list) for _, result in results)
    assert isinstance(run(["pids"])[0][1], list)


@linux
def test_an_exception_in_read_is_the_jobs_failure():
    def read(job, value):
        raise KeyError("not there")

    ((_, failure),) = run(["pids"], read=read)
    assert (failure.kind, failure.message) == ("KeyError", "'not there'")


@linux
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_killing_a_nursery_loses_no_job(workers, tmp_path):
    jobs = [f"kill parent:{tmp_path}", *[f"nap:0.{n}" for n in range(5)], "pids"]
    results = dict(run(jobs, workers=workers))
    assert results.keys() == set(jobs)
    assert results[jobs[0]] == "second time"
    assert isinstance(results["pids"], list)
    assert all(result is None for job, result in results.items() if job.startswith("nap"))


def test_default_workers_are_the_usable_cores():
    assert default_workers("cpu") >= 1
    if hasattr(os, "sched_getaffinity"):
        assert default_workers("cpu") == len(os.sched_getaffinity(0))
    assert 1 <= default_workers("cuda:0") <= 4


def test_a_long_message_leaves_room_for_the_place_and_the_cause():
    try:
        try:
            pool_jobs.throw(KeyError("cause"))
        except KeyError as cause:
            raise ValueError("line\n" * 100_000) from cause
    except ValueError as error:
        failure = describe(error)
    assert failure.kind == "ValueError"
    assert failure.message.startswith("line line")
    assert "in throw" in failure.traceback
    assert "direct cause" in failure.traceback
    assert len(failure.traceback) <= 8000
