"""What the command line shows about faults, with and without `--debug`; checking a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pytest

from fsbench import Strategy, hookimpl
from fsbench.record import Record
from fsbench.registry import SORTS, Registry, get_registry
from fsbench.sorts import Brought, Origin
from fsbench.store import Store
from fsbench.testing.strategy_checks import CHECKS

TASK = "kshot(wine, k=5)"


@dataclass(frozen=True)
class Jams(Strategy):
    """Fails in its first step."""

    name = "jams"
    cite = "none"

    def configure(self, recipe, ctx):
        raise ValueError("no powder")


@pytest.fixture
def stored(tmp_path):
    """A results folder with two failed trials of one strategy."""
    with Store(tmp_path / "results") as store:
        for seed, trace in enumerate(["first trace", "second\n  trace\x1b[31m"]):
            reason = {"kind": "ValueError", "message": "no powder", "traceback": trace}
            when = f"2026-01-0{seed + 1}"
            store.commit(
                Record(f"k{seed}", "failed", TASK, seed, 0, "jams", "r", reason=reason, created=when)
            )
    return tmp_path / "results"


def test_tracebacks_of_failed_trials_are_shown_when_asked(call, stored):
    _, shown, err = call("leaderboard", "--results", stored)
    assert "ValueError: no powder" in shown
    assert err == ""
    _, again, err = call("--debug", "leaderboard", "--results", stored)
    assert again == shown
    assert err == f"\njams on {TASK}, split seed 1, init seed 0:\nsecond\n  trace\\x1b[31m\n"


def test_a_fault_is_one_line_and_a_traceback_only_when_asked(call, monkeypatch):
    def fail(*args, **options):
        raise ZeroDivisionError("in the\nengine room")

    monkeypatch.setattr("fsbench.cli.running.run_trials", fail)
    status, out, err = call("run")
    assert (status, out) == (70, "")
    fault = "fsbench: error: unexpected ZeroDivisionError: in the engine room"
    assert err == f"{fault}; run with --debug for the traceback\n"
    for arguments in (["--debug", "run"], ["run", "--debug"]):
        status, _, err = call(*arguments)
        assert status == 70
        assert "Traceback" in err
        assert err.endswith(f"{fault}\n")


def test_a_plugin_can_be_checked(call, monkeypatch):
    names = ("is documented and cites its source", "round-trips as text", "keeps targets distributions")
    monkeypatch.setattr("fsbench.testing.strategy_checks.CHECKS", {name: CHECKS[name] for name in names})
    status, out, err = call("plugin", "check", "focal(gamma=1)")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "focal(gamma=1)",
        "  ok      is documented and cites its source",
        "  ok      round-trips as text",
        "  skipped keeps targets distributions: it changes neither batches nor the training set",
    ]
    monkeypatch.setattr(get_registry().strategies["focal"], "cite", "")
    status, out, _ = call("plugin", "check", "focal")
    assert status == 1
    assert "  failed  is documented and cites its source: cite is empty" in out


def test_a_terminal_shows_which_check_runs(call, monkeypatch, capsys):
    during = []

    def body(bench):
        during.append(capsys.readouterr().err)

    monkeypatch.setattr("fsbench.testing.strategy_checks.CHECKS", {"hangs": body})
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    status, out, err = call("plugin", "check", "focal")
    assert during == ["  running hangs"]
    assert (status, out, err) == (0, "  ok      hangs\n", f"\r{' ' * 15}\r")


def test_a_reason_is_given_once_and_its_traceback_when_asked(call, monkeypatch):
    registry = get_registry()
    jams = Brought(Jams, Origin("fsbench-jams", "1"), __name__)
    monkeypatch.setitem(registry.brought["fsbench_strategies"], "jams", jams)
    status, out, err = call("plugin", "check", "jams")
    assert (status, out.count("ValueError: no powder")) == (1, 2)
    assert "learns separable classes: for the same reason as 'runs on what it claims'" in out
    assert err == "fsbench: `fsbench --debug plugin check jams` shows the tracebacks\n"
    status, again, err = call("--debug", "plugin", "check", "jams")
    assert (status, again) == (1, out)
    assert "in configure" in err
    assert "Traceback" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "nothing in it is marked with @fsbench.hookimpl"),
        (
            {"fsbench_strategy": hookimpl(lambda: [])},
            "unknown hook 'fsbench_strategy'; did you mean 'fsbench_strategies'?",
        ),
    ],
)
def test_a_module_without_hooks_is_reported(content, message):
    module = ModuleType("empty")
    vars(module).update(content)
    registry = Registry()
    registry.load("empty", lambda: module, ("empty", "1"))
    assert [failure.message for failure in registry.failures] == [message]


def test_all_modules_of_a_distribution_are_checked(call, monkeypatch):
    monkeypatch.setattr("fsbench.testing.conformance", lambda thing: [])
    titles = {
        f"{s.noun} {name}" for s in SORTS for name, each in s.brought().items() if each.origin[0] == "fsbench"
    }
    assert set(call("plugin", "check", "fsbench")[1].splitlines()) == titles
    by_entry_point = set(call("plugin", "check", "core")[1].splitlines())
    assert {"dataset wine", "protocol kshot"} < by_entry_point < titles
    assert titles > {"strategy focal", "dataset wine", "protocol kshot", "suite starter-v1"}
