"""What a run does with plugins: broken ones, hooks that raise, and when a plugin's code is called."""

from __future__ import annotations

import fake_executor
import pytest
from fake_executor import run

import fsbench
from fsbench.deadline import Deadline
from fsbench.errors import PluginError
from fsbench.progress import Observer
from fsbench.registry import LoadFailure


def test_strict_makes_a_broken_plugin_fatal(tmp_path, fakes):
    fakes.failures.append(LoadFailure("their-plugin", "ImportError: no module named x"))
    assert run(tmp_path, seeds=1).done == 1
    with pytest.raises(PluginError, match=r"their-plugin: ImportError"):
        run(tmp_path, seeds=1, strict=True)


@pytest.mark.parametrize("error", [ValueError("a hook that fails"), SystemExit(3)])
def test_a_hook_that_raises_is_named_and_does_not_stop_the_run(tmp_path, fakes, error):
    class Failing:
        @fsbench.hookimpl
        def fsbench_trial_finished(self) -> None:
            raise error

    fakes.load("their-plugin", Failing, ("theirs", "1"))
    assert not fakes.failures
    with pytest.warns(RuntimeWarning, match="plugin their-plugin: fsbench_trial_finished raised") as caught:
        results = run(tmp_path, seeds=2)
    assert repr(error) in str(caught[0].message)
    assert fake_executor.heard == [r.key for r in results.records]
    assert results.done == 2


def test_a_hook_cannot_change_what_the_run_reports(tmp_path, fakes):
    class Polishing:
        @fsbench.hookimpl
        def fsbench_trial_finished(self, record) -> None:
            record.metrics["accuracy"] = 0.999

    fakes.load("their-plugin", Polishing, ("theirs", "1"))
    results = run(tmp_path, seeds=2)
    assert [r.metrics for r in results.records] == [r.metrics for r in fsbench.results.load(tmp_path).records]
    assert 0.999 not in {r.metrics["accuracy"] for r in results.records}


def test_plugins_are_not_asked_anything_once_a_split_is_drawn(tmp_path, fakes, drawn):
    """Test labels are in this process from then on, and `uses` or `content_hash` may be a stranger's code."""
    asked: list[int] = []

    class Nosy(fake_executor.Erm):
        name = "nosy"
        content_hash = property(lambda self: asked.append(len(drawn)) or "")
        uses = property(lambda self: asked.append(len(drawn)) or frozenset())

        def skip(self, task):
            asked.append(len(drawn))

    class Plugin:
        @fsbench.hookimpl
        def fsbench_strategies(self):
            return [fake_executor.dataclass(frozen=True)(Nosy)]

    fakes.load("nosy", Plugin, ("theirs", "1"))
    assert run(tmp_path, "nosy", seeds=2).done == 4
    assert set(asked) == {0}
    assert len(drawn) == 2


def test_the_last_split_is_removed_before_a_plugin_is_notified_of_its_last_trial(tmp_path, fakes):
    left: list[int] = []

    class Plugin:
        @fsbench.hookimpl
        def fsbench_trial_finished(self) -> None:
            left.append(len(list(tmp_path.glob(".splits/*/split-*"))))

    fakes.load("nosy", Plugin, ("theirs", "1"))
    run(tmp_path, "reason", seeds=2)
    assert left == [1, 0, 1, 0]


def test_a_hook_hears_of_the_record_at_which_the_time_is_over(tmp_path, fakes):
    results = run(tmp_path, seeds=2, observer=Deadline(Observer(), 0.0))
    assert results.interrupted
    assert fake_executor.heard == [record.key for record in results.records]
    assert len(results.records) == 1
