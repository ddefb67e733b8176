"""What a run shows while it goes on, on terminals and elsewhere."""

from __future__ import annotations

import io
import threading
from dataclasses import replace

import pyte
import pytest
from records import record, skipped

from fsbench.metrics import get_metric
from fsbench.plan import Plan
from fsbench.progress import make_observer
from fsbench.progress.beat import Beat
from fsbench.progress.lines import PlainProgress
from fsbench.progress.live import LiveProgress
from fsbench.progress.standing import Standing, ends
from fsbench.record import Record, Trial

TRIALS = tuple(Trial("kshot(wine, k=5)", i, 0, "erm", "r", f"key{i}") for i in range(30))
HOSTILE = 'transfer(weights="\x1b[31m\x1b]0;owned\x07\u202e.pt")'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """What a terminal of 80x24 shows, without empty lines at the end."""
        screen = pyte.Screen(80, 24)
        pyte.Stream(screen).feed(self.getvalue().replace("\n", "\r\n"))
        return "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    """A terminal of 80x24 that can show a live display."""
    for name in ("FORCE_COLOR", "NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    return Terminal()


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


def test_a_terminal_shows_what_goes_on_and_is_clean_afterwards(terminal, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    observer = make_observer(terminal)
    assert isinstance(observer, LiveProgress)
    observer.doing("starting workers")
    observer.planned(Plan(TRIALS, (), (), 35, 5))
    observer.started(TRIALS[0])
    observer.started(TRIALS[1])
    observer.finished(Record(**vars(TRIALS[0]), status="failed"))
    observer._live.refresh()
    bar, running = terminal.screen
    assert bar.endswith(" 1/30 trials, 1 failed, 5 done before, 0 s, about 0 s to go")
    assert running.endswith(" erm on kshot(wine, k=5), split seed 1, 0 s")
    observer.warned("a line")
    observer._live.refresh()
    assert terminal.screen[0] == "warning: a line"
    assert terminal.screen[1] == bar
    observer.ended()
    assert terminal.screen == ["warning: a line"]
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h")


def test_a_terminal_shows_the_provisional_standing_without_verdicts(terminal):
    observer = make_observer(terminal)
    observer.doing("starting workers")
    observer.stored([record(spec="erm", value=0.7)])
    observer.planned(Plan(TRIALS, (), (), 60, 30))
    for number in range(40):
        observer.finished(record(spec=f"s{number}", value=0.5 + number / 100))
    observer._live.refresh()
    screen = terminal.screen
    assert len(screen) <= 23
    assert "provisional" in screen[3]
    assert screen[6].split() == ["s39", "89.0", "+19.0", "1"]
    assert screen[-2].split() == ["s0", "50.0", "-20.0", "1"]
    assert screen[-1] == "  and 27 between them"
    assert not any(word in line for line in screen for word in ("helps", "hurts", "±"))
    observer.ended()


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb"), ("TERM", "")])
def test_simple_terminals_and_ci_get_plain_lines(terminal, monkeypatch, variable):
    monkeypatch.setenv(*variable)
    observer = make_observer(terminal)
    assert isinstance(observer, PlainProgress)
    observer.doing("something")
    tell(observer)
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize("make", [PlainProgress, LiveProgress])
def test_no_text_of_a_stranger_reaches_the_terminal_as_a_command(terminal, make):
    observer = make(terminal, verbose=True)
    observer.doing(HOSTILE)
    trial = Trial("kshot(wine, k=5)", 0, 0, HOSTILE, "r", "key")
    observer.read([HOSTILE], [HOSTILE])
    observer.planned(Plan((trial,), (), (), 1, 0))
    observer.started(trial)
    observer.finished(record(spec="erm"))
    observer.finished(record(spec=HOSTILE, notes=(HOSTILE,)))
    if isinstance(observer, LiveProgress):
        observer._live.refresh()
    observer.ended()
    for command in ("\x1b[31m", "\x1b]0", "\x07", "\u202e"):
        assert command not in terminal.getvalue()
    assert "\\x1b[31m" in terminal.getvalue()


def test_after_a_silence_a_plain_line_says_what_goes_on(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    observer = PlainProgress(stream)
    observer.step = "starting workers"
    now += 1
    observer._break_silence()
    assert stream.getvalue() == ""
    now += 1
    observer._break_silence()
    observer.planned(Plan(TRIALS, (), (), 30, 0))
    observer.started(TRIALS[0])
    now += 75
    observer._break_silence()
    observer._break_silence()
    assert stream.getvalue().splitlines() == [
        "starting workers, 2 s",
        "30 trials to run, 0 of 30 already done",
        "0/30 trials, erm on kshot(wine, k=5), split seed 0, 1 min 15 s",
    ]


def test_a_beat_calls_until_it_is_stopped():
    called = threading.Event()
    beat = Beat(called.set, 0.001)
    beat.start()
    assert called.wait(60)
    beat.stop()
    called.clear()
    assert not called.wait(0.05)


def test_verbose_lines_say_how_each_trial_ended():
    stream = io.StringIO()
    observer = make_observer(stream, verbose=True, metric="nll")
    observer.planned(Plan(TRIALS[:2], (), (), 2, 0))
    observer.finished(record(spec="focal", notes=("a note",), init_seed=1))
    observer.finished(record(spec="boom", status="failed", reason={"kind": "ValueError", "message": "no"}))
    _, first, note, _, second, *_ = stream.getvalue().splitlines()
    assert first == (
        "ok: focal on kshot(digits, k=5), split seed 0, init seed 1: negative log-likelihood 1.300, "
        "1.00 s to fit and 0.25 s to predict"
    )
    assert note == " note: a note"
    assert second == "failed: boom on kshot(digits, k=5), split seed 0: ValueError: no"


def test_a_quiet_run_prints_warnings_only():
    stream = io.StringIO()
    observer = make_observer(stream, quiet=True)
    observer.read(["a fact"], ["beware"])
    tell(observer)
    assert stream.getvalue() == "warning: beware\n"


def test_the_standing_is_of_pairs_with_plain_training_and_averages_over_tasks():
    standing = Standing(get_metric("balanced_accuracy"))
    standing.add([record("a", "focal", 0, 0.5), record("a", "focal", 1, 0.9), record("a", "alone", 7, 0.9)])
    assert standing.places() == []
    standing.add([record("a", "erm", 0, 0.4), record("a", "erm", 1, 0.7), skipped(spec="never")])
    standing.add([record("b", "erm", 0, 0.5), record("b", "focal", 0, 0.2), record("a", "focal", 2, 0.0)])
    focal, erm = standing.places()[::-1]
    assert (erm.strategy, erm.is_baseline, erm.gain, erm.trials) == ("erm", True, 0, 3)
    assert (focal.strategy, focal.trials) == ("focal", 3)
    assert focal.score == pytest.approx((0.7 + 0.2) / 2)
    assert focal.gain == pytest.approx((0.15 - 0.3) / 2)


def test_a_record_that_is_told_twice_counts_once():
    standing = Standing(get_metric("balanced_accuracy"))
    for _ in range(2):
        standing.add([record(spec="erm", value=0.5), record(spec="focal", value=0.6)])
    assert [each.trials for each in standing.places()] == [1, 1]


def test_tuned_trials_stand_beside_tuned_plain_training():
    standing = Standing(get_metric("nll"))
    tuned = {"tuning": "tuning(n=4)"}
    standing.add([record(spec="erm", value=0.5), replace(record(spec="erm", value=0.7, **tuned), key="t")])
    standing.add([record(spec="focal", value=0.6, **tuned)])
    assert [(each.strategy, round(each.gain, 9)) for each in standing.places()] == [
        ("erm", 0),
        ("tuned(erm, n=4)", 0),
        ("tuned(focal, n=4)", 0.1),
    ]


def test_searches_of_different_sizes_have_places_of_their_own():
    standing = Standing(get_metric("balanced_accuracy"))
    for n, value in ((4, 0.5), (8, 0.7)):
        several = [record(spec=spec, value=value, tuning=f"tuning(n={n})") for spec in ("erm", "focal")]
        standing.add([replace(each, key=f"{each.key}{n}") for each in several])
    found = {each.strategy: (each.score, each.is_baseline) for each in standing.places()}
    assert found == {
        "tuned(erm, n=4)": (0.5, True),
        "tuned(erm)": (0.7, True),
        "tuned(focal, n=4)": (0.5, False),
        "tuned(focal)": (0.7, False),
    }


def test_of_many_places_the_first_and_the_last_are_shown():
    assert ends([1, 2, 3], 3) == ([1, 2, 3], 0)
    assert ends([1, 2, 3, 4, 5, 6, 7], 3) == ([1, 2, 7], 4)
