"""Rows such as `tuned(erm, n=8)`: how they are read, what is refused, and runs with rows of both kinds."""

from __future__ import annotations

from types import ModuleType

import fake_executor
import pytest
from fake_executor import FakeExecutor

from fsbench.cli import main
from fsbench.errors import ConflictError, SpecError, UnknownName, UsageError
from fsbench.hookspecs import hookimpl
from fsbench.registry import Registry, load_registry
from fsbench.report.budgets import leaderboards
from fsbench.tuning.tuned import Tuning, read_rows, size_of

REGISTRY = load_registry()


def rows(text: str, whole: Tuning | None = None) -> dict[str, list[str]]:
    found = read_rows(REGISTRY, text, whole)
    return {tuning: [each.text for each in several] for tuning, several in found.items()}


@pytest.mark.parametrize(
    ("tuning", "text", "row"),
    [
        (Tuning(), "tuning(n=8)", "tuned(erm)"),
        (Tuning(4), "tuning(n=4)", "tuned(erm, n=4)"),
        (Tuning(8, "tpe"), "tuning(n=8, sampler=tpe)", "tuned(erm, sampler=tpe)"),
        (Tuning(criterion="infomax"), "tuning(criterion=infomax, n=8)", "tuned(erm, criterion=infomax)"),
        (Tuning(4, "tpe"), "tuning(n=4, sampler=tpe)", "tuned(erm, n=4, sampler=tpe)"),
    ],
)
def test_a_search_has_one_text_and_its_rows_are_named_as_they_are_written(tuning, text, row):
    assert str(tuning) == text
    assert Tuning.read(text) == tuning
    assert tuning.row("erm") == row
    assert rows(row) == {text: ["erm"]}
    assert size_of(text) == tuning.n


def test_rows_of_both_kinds_are_read_together():
    assert rows("erm, tuned(erm, n=4), tuned(transfer), focal(gamma=1)") == {
        "": ["erm", "focal(gamma=1.0)"],
        "tuning(n=4)": ["erm"],
        "tuning(n=8)": ["transfer"],
    }


def test_a_row_can_be_a_sum_and_lists_expand():
    assert rows("tuned(transfer+focal(gamma=[1, 3]), n=[4, 8])") == {
        f"tuning(n={n})": [f"transfer+focal(gamma={gamma})" for gamma in (1.0, 3.0)] for n in (4, 8)
    }
    assert rows('tuned("transfer+focal")') == rows("tuned(transfer+focal)")


def test_all_can_be_tuned_and_named_beside_others():
    every = [each.text for each in REGISTRY.parse("all")]
    assert rows("all, focal(gamma=1), tuned(all), tuned(focal(gamma=1))") == {
        "": [*every, "focal(gamma=1.0)"],
        "tuning(n=8)": [*every, "focal(gamma=1.0)"],
    }


def test_the_option_tunes_every_row():
    assert rows("erm, focal", Tuning(4)) == {"tuning(n=4)": ["erm", "focal"]}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("tuned(erm)+focal", SpecError, "never a part of a sum, an argument"),
        ("focal+tuned(transfer)", SpecError, "never a part of a sum, an argument"),
        ("tuned(tuned(erm))", SpecError, "never a part of a sum, an argument"),
        ("tuned", SpecError, r"expected one strategy, then n, sampler.*, as in tuned\(a\+b, n=8\)"),
        ("tuned(n=8)", SpecError, "expected one strategy"),
        ("tuned(erm, focal)", SpecError, "expected one strategy"),
        ("tuned(8)", SpecError, "expected one strategy"),
        ("tuned(erm, m=8)", SpecError, "tuned has no argument 'm'; it takes n, sampler, criterion"),
        ("tuned(erm, n=0)", UsageError, "tuning over 0 configurations; expected at least 1"),
        ("tuned(erm, n=1.5)", SpecError, r"tuning\(n=1.5\): expected a whole number"),
        ("tuned(erm, sampler=tpi)", UnknownName, "unknown sampler 'tpi'; did you mean 'tpe'"),
        (
            "tuned(erm, criterion=infomaks)",
            UnknownName,
            "unknown criterion 'infomaks'; did you mean 'infomax'",
        ),
        ("tuned(erm, sampler=2)", SpecError, "expected a name or text"),
        ("tuned(focla)", UnknownName, "did you mean 'focal'"),
        ("tuned(knn+svm)", ConflictError, "both own the stage"),
    ],
)
def test_what_cannot_be_a_row_is_refused_in_one_line(text, error, message):
    with pytest.raises(error, match=message) as caught:
        rows(text)
    assert len(str(caught.value).splitlines()) == 1


def test_the_option_and_tuned_rows_together_are_refused():
    with pytest.raises(UsageError, match="are both asked for; leave one of them out"):
        rows("erm, tuned(focal)", Tuning(4))


@pytest.mark.parametrize("name", ["tuned", "all"])
def test_no_plugin_can_bring_a_strategy_of_that_name(name):
    plugin, registry = ModuleType("plugin"), Registry()
    plugin.fsbench_strategies = hookimpl(lambda: [fake_executor.strategy(name)])
    registry.load("plugin", lambda: plugin, ("plugin", "1"))
    (failure,) = registry.failures
    assert failure.message.startswith(f"no strategy can be named '{name}'")


@pytest.mark.usefixtures("fakes")
def test_one_run_holds_both_kinds_and_has_the_records_of_the_option(tmp_path):
    both = fake_executor.run(tmp_path / "both", "double2, tuned(double2, n=2), tuned(double2, n=3)", seeds=2)
    once, apart = fake_executor.trials_run(), []
    FakeExecutor.made.clear()
    for tune in (None, 2, 3):
        apart += fake_executor.run(tmp_path / "apart", "double2", seeds=2, tune=tune).records
    assert fake_executor.trials_run() == once
    assert [(r.key, r.metrics, r.search) for r in both.records] == [
        (r.key, r.metrics, r.search) for r in apart
    ]
    FakeExecutor.made.clear()
    again = fake_executor.run(tmp_path / "apart", "tuned(double2, n=[2, 3]), double2", seeds=2)
    assert fake_executor.trials_run() == 0
    assert {r.key for r in again.records} == {r.key for r in both.records}


@pytest.mark.usefixtures("fakes")
def test_each_search_has_a_table_of_its_own_in_which_the_baseline_is_tuned_alike(tmp_path):
    results = fake_executor.run(tmp_path, "double2, tuned(double2), tuned(double2, n=2)", seeds=2)
    boards = leaderboards(results.columns("balanced_accuracy"))
    assert [{row.strategy for row in board.rows} for board in boards] == [
        {"erm", "double2"},
        {"tuned(erm, n=2)", "tuned(double2, n=2)"},
        {"tuned(erm)", "tuned(double2)"},
    ]
    frame = results.leaderboard()
    assert list(frame.strategy) == [row.strategy for board in boards for row in board.rows]
    assert (frame["rank"] == 1).sum() >= len(boards)


@pytest.mark.usefixtures("fakes")
def test_only_tuned_rows_are_no_reason_to_run_others(tmp_path):
    results = fake_executor.run(tmp_path, "tuned(double2, n=2)", seeds=1)
    assert {(r.spec, r.tuning) for r in results.records} == {
        ("erm", "tuning(n=2)"),
        ("double2", "tuning(n=2)"),
    }


@pytest.mark.usefixtures("fakes")
def test_a_sampler_without_a_number_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"sampler given without the number of configurations"):
        fake_executor.run(tmp_path, sampler="tpe")


@pytest.mark.usefixtures("fakes")
def test_a_criterion_that_no_task_needs_is_refused(tmp_path):
    with pytest.raises(UsageError, match="the criterion infomax is for tasks with unlabelled inputs"):
        fake_executor.run(tmp_path, "tuned(erm, criterion=infomax)")
    assert not list(tmp_path.glob("*"))


def test_a_run_until_settled_has_no_tuned_rows(tmp_path, capsys):
    arguments = ["run", "--tasks", "kshot(wine, k=2)", "--results", str(tmp_path), "--until-settled"]
    assert main([*arguments, "--budget", "1m", "--plugins", "tuned(erm)"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*"))
