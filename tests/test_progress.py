from __future__ import annotations

import io

import pytest

from fsbench.plan import Plan
from fsbench.progress import LiveProgress, PlainProgress, make_observer
from fsbench.types import Record, Trial

TRIALS = tuple(Trial("kshot(wine, k=5)", i, 0, "erm", "r", f"key{i}") for i in range(30))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell(observer, trials=TRIALS, failing=(3,)) -> None:
    observer.planned(Plan(trials, (), tuple(t.key for t in trials), len(trials) + 5, 5))
    for trial in trials:
        observer.started(trial)
        observer.finished(Record(**vars(trial), status="failed" if trial.split_seed in failing else "ok"))
    observer.ended()


def test_plain_progress_lines_come_at_intervals():
    stream = io.StringIO()
    observer = make_observer(stream)
    assert isinstance(observer, PlainProgress)
    tell(observer)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "30 trials to run, 5 of 35 already done"
    assert len(lines) == 11
    assert lines[1].startswith("3/30 trials, about 0 s to go")
    assert lines[2].startswith("6/30 trials, 1 failed, about")
    assert lines[-1].startswith("30/30 trials, 1 failed in 0 s")


@pytest.mark.parametrize("make", [PlainProgress, LiveProgress])
def test_a_run_that_never_started_prints_nothing(make):
    stream = Terminal()
    make(stream).ended()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("make", [PlainProgress, LiveProgress])
def test_progress_of_a_complete_plan_is_one_line(make):
    stream = Terminal()
    make(stream).complete(Plan((), (), ("a", "b", "c"), 2, 2))
    assert stream.getvalue() == "nothing to run: 2 of 2 trials are done already\n"


def test_a_terminal_shows_bar_failures_and_current_trials(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    stream = Terminal()
    observer = make_observer(stream)
    assert isinstance(observer, LiveProgress)
    observer.planned(Plan(TRIALS, (), (), 35, 5))
    observer.started(TRIALS[0])
    observer.started(TRIALS[1])
    (task,) = observer._bar.tasks
    assert (task.completed, task.total) == (5, 35)
    assert task.description == "erm on kshot(wine, k=5)#0; erm on kshot(wine, k=5)#1"
    observer.finished(Record(**vars(TRIALS[0]), status="failed"))
    assert task.completed == 6
    assert task.description == "1 failed | erm on kshot(wine, k=5)#1"
    observer.ended()
    assert "6/35" in stream.getvalue()
