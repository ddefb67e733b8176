from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pool_jobs
import pytest

from fsbench.errors import PluginError
from fsbench.executors.pool import default_workers, run_jobs
from fsbench.failure import describe

HERE = Path(__file__).parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")


def run(jobs, folder, workers=1, timeout=60.0, **more) -> list:
    return list(run_jobs(pool_jobs.act, jobs, workers=workers, timeout=timeout, logs=folder, **more))


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@linux
def test_faults_are_values_and_the_run_goes_on(tmp_path):
    faults = {
        "raise": ("ValueError", "one two xxx"),
        "unprintable": ("Unprintable", "cannot be shown"),
        "unpicklable exception": ("Unpicklable", "odd"),
        "unpicklable result": ("ValueError", "no pickle of this"),
        "unbuildable": ("KeyError", "cannot be rebuilt"),
        "exit": ("SystemExit", "4"),
        "interrupt": ("KeyboardInterrupt", "KeyboardInterrupt"),
        "segfault": ("Crash", "killed by SIGSEGV"),
        "exit 0": ("Crash", "exit status 0"),
        "exit 3": ("Crash", "exit status 3"),
        "kill": ("Crash", "killed by SIGKILL"),
    }
    results = dict(run([*faults, "pids", "noise"], tmp_path))
    assert isinstance(results.pop("pids"), tuple)
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
def test_jobs_that_are_kept_apart_never_share_a_process(tmp_path, workers):
    jobs = ["pids:a", "pids:aa", "pids:b", "pids:bb", "pids:a"]
    results = run(jobs, tmp_path, workers=workers, apart=lambda job: job[-1])
    seen = {kind: {pid for job, (pid, _) in results if job[-1] == kind} for kind in "ab"}
    assert not seen["a"] & seen["b"]
    if workers == 1:
        assert (len(seen["a"]), len(seen["b"])) == (2, 1)
        assert not any(map(alive, seen["a"] | seen["b"]))


@linux
def test_time_limit_says_where_it_hung(tmp_path):
    begin = time.monotonic()
    results = dict(run(["hang", "spin", "pids"], tmp_path, workers=2, timeout=1.0))
    assert time.monotonic() - begin < 30
    for job in ("hang", "spin"):
        assert results[job].kind == "TimeOut"
        assert results[job].message == "took longer than 1 s"
        assert "in act" in results[job].traceback
    assert "in spin" in results["spin"].traceback
    assert isinstance(results["pids"], tuple)


@linux
def test_a_job_that_will_not_be_told_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("pebble.common.CONSTS.term_timeout", 0.3)
    results = dict(run(["deaf", "pids"], tmp_path, timeout=0.5))
    assert results["deaf"].kind == "TimeOut"
    assert not alive(results["pids"][0])


@linux
def test_a_worker_is_used_again_until_it_breaks(tmp_path):
    results = [result for _, result in run(["pids", "raise", "pids", "segfault", "pids"], tmp_path)]
    assert results[0] == results[2]
    assert results[4][0] != results[0][0]
    assert wait_until(lambda: not alive(results[4][0]))
    assert list(tmp_path.iterdir()) == []


def test_workers_have_one_thread_each_and_not_the_callers_script(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    script = sys.modules["__main__"]
    ((_, (threads, main)),) = run(["environment"], tmp_path)
    assert threads in ("1", "7")  # 7 only when an earlier test has already started the server
    assert main is None
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert sys.modules["__main__"] is script


def test_jobs_are_drawn_just_ahead_of_the_workers(tmp_path):
    drawn, started = [], []

    def source():
        for _ in range(8):
            drawn.append(len(ended))
            yield "nap:0.05"

    ended = []
    options = {"workers": 2, "timeout": 60, "logs": tmp_path, "on_start": started.append}
    for job, _ in run_jobs(pool_jobs.act, source(), **options):
        ended.append(job)
    assert len(ended) == len(started) == 8
    assert all(number <= done + 4 for number, done in enumerate(drawn))


@linux
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "no worker can start .ValueError: one two"),
        ("segfault", "no worker can start .*SIGSEGV"),
        ("exit 0", "no worker can start .*exit status 0"),
    ],
)
def test_workers_that_cannot_start_end_the_run(tmp_path, how, message):
    with pytest.raises(PluginError, match=message):
        run(["pids"], tmp_path, workers=2, initializer=pool_jobs.broken_start, initargs=(how,))


@linux
def test_closing_stops_the_workers(tmp_path):
    jobs = ["pids", *[f"busy:{tmp_path}"] * 2]
    stream = run_jobs(pool_jobs.act, jobs, workers=2, timeout=600, logs=tmp_path)
    next(stream)
    assert wait_until(lambda: any(p.read_text() for p in tmp_path.glob("*.pids")))
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 5
    for path in tmp_path.glob("*.pids"):
        worker, _, child = map(int, path.read_text().split())
        assert wait_until(lambda pids=(worker, child): not any(map(alive, pids)))


def start_script(folder: Path, body: str, **more) -> subprocess.Popen[str]:
    """A script as users write them, without a guard around what it does."""
    head = f"""
        import sys
        sys.path[:0] = {[str(HERE), *sys.path]!r}
        from pathlib import Path
        import pool_jobs
        from fsbench.executors.pool import run_jobs
        folder = Path({str(folder)!r})
    """
    path = folder / "script.py"
    path.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, str(path)], stdout=pipe, stderr=pipe, text=True, **more)


BUSY = """
    jobs = [f"busy:{folder}"] * 2
    print(list(run_jobs(pool_jobs.act, jobs, workers=2, timeout=600, logs=folder)))
"""


def busy_processes(folder: Path) -> list[int]:
    assert wait_until(lambda: len([p for p in folder.glob("*.pids") if p.read_text()]) == 2, seconds=60)
    return [int(pid) for path in folder.glob("*.pids") for pid in path.read_text().split()]


@linux
def test_nothing_survives_a_parent_that_is_killed(tmp_path):
    """Not the busy workers, nor their children, nor the server that they were forked from."""
    parent = start_script(tmp_path, BUSY)
    pids = busy_processes(tmp_path)
    assert all(map(alive, pids))
    parent.kill()
    parent.communicate()
    assert wait_until(lambda: not any(map(alive, pids)))


@linux
def test_ctrl_c_reaches_the_parent_only(tmp_path):
    parent = start_script(tmp_path, BUSY, start_new_session=True)
    pids = busy_processes(tmp_path)
    begin = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)
    out, err = parent.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    assert out == ""
    assert err.count("Traceback") == 1
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert wait_until(lambda: not any(map(alive, pids)))


@linux
def test_a_script_without_a_guard_runs_once_and_prints_stay_out(tmp_path):
    parent = start_script(
        tmp_path,
        """
        results = run_jobs(pool_jobs.act, ["noise", "exit 3", "noise"], workers=1, timeout=60, logs=folder)
        print([getattr(result, "kind", result) for _, result in results])
    """,
    )
    out, err = parent.communicate(timeout=60)
    assert out == "['quiet', 'Crash', 'quiet']\n"
    assert err == ""


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


@pytest.mark.parametrize(("error", "said"), [("2, 'gone'", False), ("2, 'gone', 'plugin.json'", True)])
def test_a_worker_whose_pool_was_stopped_meanwhile_ends_quietly(error, said):
    script = f"""
    import pickle
    from fsbench.executors.launch import _wake
    class Lock:
        def __reduce__(self):
            return open_lock, ()
    def open_lock():
        raise FileNotFoundError({error})
    _wake(pickle.dumps(Lock()))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ("plugin.json" in done.stderr) == bool(done.stderr) == said
