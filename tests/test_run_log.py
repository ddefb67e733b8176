"""The log in a results folder: what it says, its bounds, and runs that cannot write one."""

from __future__ import annotations

import re
import shlex
import sys

import pytest
from fake_executor import A, run

from fsbench.errors import UsageError
from fsbench.progress import log
from fsbench.progress.observer import Observer
from fsbench.record import Trial, Tried

pytestmark = pytest.mark.usefixtures("fakes")


class Warned(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warned(self, line: str) -> None:
        self.lines.append(line)


def read(folder) -> list[str]:
    """The lines of a log without the date and the process, which every line has."""
    lines = (folder / "run.log").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 \[\d+\] (.*)", line) for line in lines]
    return [match[1] for match in found]


def test_a_run_is_logged_from_its_command_to_its_end(tmp_path):
    run(tmp_path, "erm,reason,needy", tasks=A, seeds=1)
    command, call, versions, *lines = read(tmp_path)
    assert command.startswith("command: ")
    assert command.startswith(f"command: {shlex.join(sys.orig_argv)[:40]}")
    assert call.startswith(f"fsbench.run(plugins='erm,reason,needy', tasks='{A}', seeds=1, results=")
    assert re.match(r"fsbench \S+, Python \S+, ", versions)
    assert lines[:3] == [
        "2 trials to run, 0 of 2 already done",
        f"skipped: needy on {A}: needs source data",
        f"start: erm on {A}, split seed 0",
    ]
    assert re.match(r"computed with fsbench .*, torch 9.9.*; on a fake$", lines[3])
    assert re.match(rf"ok: erm on {re.escape(A)}, split seed 0: balanced accuracy \d", lines[4])
    assert re.search(r"0.50 s to fit and .* s to predict; \d+\.\d\d s in all$", lines[4])
    assert lines[5] == " note: noted"
    assert lines[7].startswith(f"failed: reason on {A}, split seed 0: ValueError: m; ")
    assert re.match(r"end, after \d+ s$", lines[-1])


def test_a_further_run_is_appended(tmp_path):
    run(tmp_path, seeds=1)
    before = read(tmp_path)
    run(tmp_path, seeds=1)
    after = read(tmp_path)
    assert after[: len(before)] == before
    assert after[-2] == "nothing to run: 1 of 1 trials are done already"


def test_the_log_says_where_a_run_stopped(tmp_path):
    class Stop(Observer):
        def started(self, trial) -> None:
            raise KeyboardInterrupt

    assert run(tmp_path, seeds=2, observer=Stop()).interrupted
    assert read(tmp_path)[-3:-1] == [
        "interrupted with 0 of 2 trials done",
        f"not finished: erm on {A}, split seed 0",
    ]

    class Fault(Observer):
        def finished(self, record) -> None:
            raise ZeroDivisionError("a fault\nin two lines")

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, seeds=2, observer=Fault())
    assert read(tmp_path)[-2] == "stopped by ZeroDivisionError: a fault in two lines"


def test_a_trial_that_was_stored_when_its_observer_ended_the_run_is_finished(tmp_path):
    class Stop(Observer):
        def finished(self, record) -> None:
            raise KeyboardInterrupt

    assert run(tmp_path, seeds=2, observer=Stop()).done == 1
    lines = read(tmp_path)
    assert any(line.startswith(f"ok: erm on {A}, split seed 0") for line in lines)
    assert not any(line.startswith(f"not finished: erm on {A}, split seed 0") for line in lines)


def test_trials_that_were_running_are_named(tmp_path):
    with log.logged(Observer(), {}) as (observer, found):
        found.open(tmp_path)
        observer.started(Trial(A, 3, 0, "erm", "r", "key"))
    assert read(tmp_path)[-2] == f"not finished: erm on {A}, split seed 3"


def test_each_try_of_a_search_is_timed_from_its_own_start(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: clock[0])
    tries = [Trial(A, 0, 0, "erm", "r", f"key {n}", tuning="tuning(n=2)") for n in range(3)]
    with log.logged(Observer(), {}) as (observer, found):
        found.open(tmp_path)
        for trial in tries:
            observer.started(trial)
            clock[0] += 10
        observer.tried(tries[0], Tried(0.5))
        observer.tried(tries[1], Tried(0.5))
    lines = read(tmp_path)
    assert [line.rpartition("; ")[2] for line in lines if line.startswith("try of ")] == [
        "30.00 s in all",
        "20.00 s in all",
    ]
    assert [line for line in lines if line.startswith("not finished: ")] == [
        f"not finished: tuned(erm, n=2) on {A}, split seed 0"
    ]


def test_a_refused_request_leaves_no_folder(tmp_path):
    with pytest.raises(UsageError):
        run(tmp_path / "new", seeds=-1)
    assert not (tmp_path / "new").exists()


def test_a_log_that_cannot_be_written_is_reported_once_and_the_run_goes_on(tmp_path):
    (tmp_path / "run.log").mkdir()
    observer = Warned()
    assert run(tmp_path, seeds=2, observer=observer).done == 2
    assert observer.lines == [
        f"cannot write {tmp_path}/run.log (Is a directory); the run goes on without this log"
    ]


def test_a_disk_that_fills_up_is_reported_once(tmp_path, monkeypatch):
    observer = Warned()

    def full(self) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("logging.StreamHandler.flush", full)
    assert run(tmp_path, seeds=2, observer=observer).done == 2
    assert observer.lines == [
        f"cannot write {tmp_path}/run.log (No space left on device); the run goes on without this log"
    ]


def test_the_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "MAX_BYTES", 3000)
    for _ in range(3):
        run(tmp_path, seeds=10)
        (tmp_path / "fsbench.sqlite").unlink()
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("run.log*")}
    assert set(sizes) == {"run.log", "run.log.1"}
    assert max(sizes.values()) <= 3000


def test_no_line_of_the_log_is_long_or_has_control_characters(tmp_path):
    with log.logged(Warned(), {"plugins": "\x1b[31m" + 5000 * "x"}) as (observer, found):
        found.open(tmp_path)
        observer.warned("\x1b[31m\n\u202e" + 5000 * "y")
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) < 4100
    assert len(read(tmp_path)[-2]) == 1000


def test_a_search_is_logged(tmp_path):
    pytest.importorskip("optuna")
    run(tmp_path, "double", seeds=1, tune=2)
    assert any(line.startswith("tuning, round 1 of ") for line in read(tmp_path))
    assert any(re.match(r"try of double.* on .*: (ok|failed)", line) for line in read(tmp_path))
