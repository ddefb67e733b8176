"""Split seeds where verdicts are open: the rule of the looks, and the run that follows it."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import fake_executor
import numpy as np
import pytest
from fake_executor import A, B, FakeExecutor
from processes import wait_until
from records import look, over_seeds
from sklearn.neighbors import KNeighborsClassifier

import fsbench
from fsbench import interrupts
from fsbench.cli import main
from fsbench.deadline import Deadline
from fsbench.errors import UsageError
from fsbench.looks import summed_up
from fsbench.progress import Observer
from fsbench.report.ablation import ablation_of
from fsbench.report.ablation_sheet import sheet_of
from fsbench.report.budgets import leaderboards
from fsbench.report.leaderboard import leaderboard
from fsbench.report.looking import look_at
from fsbench.report.recommendation import recommendation
from fsbench.results import Results
from fsbench.store import Store
from fsbench.tasks.splits import open_split
from fsbench.until_settled import Settled, run_until_settled


class Executor(FakeExecutor):
    """Strategy `liar` classifies by nearest neighbours; all others guess."""

    def answer(self, job):
        if getattr(job, "trial", None) is None or job.trial.spec != "liar":
            return super().answer(job)
        split = open_split(str(self.settings["splits"] / job.split))
        train = split.train_x[0].reshape(len(split.train_x[0]), -1)
        test = split.test_x[0].reshape(len(split.test_x[0]), -1)
        found = KNeighborsClassifier(1).fit(train, split.train_y[0]).predict(test)
        values = np.eye(3, dtype=np.float32)[found][None]
        fields = {"train_accuracy": 1.0, "seconds_fit": 0.1, "seconds_predict": 0.1, "peak_memory": 1}
        more = {"notes": [], "source_before": None, "source_after": None, "validation": None}
        return self.work.read(job, {"predictions": values, **fields, **more})


@pytest.fixture
def run(monkeypatch, tmp_path):
    registry = fake_executor.registry()
    monkeypatch.setattr("fsbench.runner.get_registry", lambda: registry)

    def call(plugins="liar, double2", seconds=3600.0, **options):
        return run_until_settled(
            plugins,
            tasks=[A, B],
            budget=seconds,
            results=tmp_path / "r",
            **{"executor": Executor} | options,
        )

    return call


def test_a_run_goes_on_where_nothing_is_settled(run, tmp_path):
    heard = []
    settled = run("liar, reason", seeds=3, tell=lambda look, unsettled: heard.append((look.seeds, unsettled)))
    assert settled.unsettled == 0
    assert not settled.late
    assert heard[-1][1] == 0
    words = {key[0]: word for key, (_, word) in summed_up(settled.looks).items() if "liar" in key[2]}
    assert words[A] == words[B] == "helps"
    with Store(tmp_path / "r") as store:
        assert store.looks() == list(settled.looks)
        (board,) = leaderboards(store.columns(["balanced_accuracy"]))
    assert {row.verdict for _, rows in board.tasks for row in rows if row.strategy == "liar"} == {"helps"}
    assert any("with --until-settled" in line for line in board.warnings)
    fake_executor.heard.clear()
    assert run("liar, reason", seeds=3).looks == settled.looks
    assert not fake_executor.heard


def test_what_cannot_run_is_said_and_changes_no_look(run, tmp_path):
    run("liar, needy", seeds=3)
    with Store(tmp_path / "r") as store:
        assert {r.spec for r in store.records() if r.status == "skipped"} == {"needy"}
        looks, columns = store.looks(), store.columns(["balanced_accuracy"])
    assert all(not any("needy" in spec for spec in look.baselines) for look in looks)
    (board,) = leaderboards(columns)
    assert [(each.kind, each.strategy) for each in board.problems] == [("skipped", "needy")]


def test_a_settled_folder_still_reads_what_is_asked(run):
    run("liar", seeds=3)
    with pytest.raises(UsageError, match="unknown strategy 'lair'"):
        run("lair", seeds=3)


def test_another_strategy_begins_with_the_first_number_of_seeds(run, tmp_path):
    first = run("liar", seeds=5).looks
    again = run("liar, needy, crash", seeds=3).looks
    assert (again[:-1], again[-1].seeds, again[-1].number) == (first, 3, len(first) + 1)
    assert {(spec[:5], word) for (*_, spec), (_, word) in again[-1].found.items()} == {
        ("crash", "withheld: incomplete")
    }
    assert run("liar, needy, crash", seeds=3).looks == again


def test_another_strategy_gets_its_partner_where_all_else_is_settled(run, tmp_path):
    def stop(look, unsettled):
        raise KeyboardInterrupt

    assert run("liar", seeds=8).unsettled == 0
    for plugins in ("liar, double2", "liar, double2, nan"):
        with pytest.raises(KeyboardInterrupt):
            run(plugins, seeds=20, tell=stop)
    seeds = {}
    with Store(tmp_path / "r") as store:
        assert [each.seeds for each in store.looks()] == [8, 20, 40]
        for record in store.records():
            seeds.setdefault((record.task, record.spec), set()).add(record.split_seed)
    assert seeds[A, "liar"] == set(range(8))
    assert seeds[A, "erm"] == seeds[B, "erm"] == seeds[A, "double2"] == seeds[B, "nan"] == set(range(40))


def test_only_open_comparisons_get_more_seeds_and_a_budget_ends_the_run(run, tmp_path, monkeypatch):
    fake_executor.heard.clear()
    monkeypatch.setattr(
        "fsbench.until_settled.Deadline.over", property(lambda _: len(fake_executor.heard) > 110)
    )
    settled = run("liar, double2", seeds=8)
    assert (settled.late, settled.unsettled, [each.seeds for each in settled.looks]) == (True, 2, [8, 16])
    seeds = {}
    with Store(tmp_path / "r") as store:
        for record in store.records():
            seeds.setdefault(record.spec, set()).add(record.split_seed)
    assert seeds["liar"] == set(range(8))
    assert seeds["double2"] > set(range(16))
    fake_executor.heard.clear()
    assert [each.seeds for each in run("liar, double2", seeds=8).looks][:3] == [8, 16, 32]


def test_rows_without_all_results_get_no_verdict():
    records = over_seeds(A, "erm", [0.5, 0.6, 0.55, 0.52]) + over_seeds(A, "focal", [0.9, 0.9, 0.91])
    found = look_at(leaderboard(records), (), 4)
    assert [word for _, word in found.found.values()] == ["withheld: incomplete"]


def test_baselines_get_seeds_where_comparisons_are_open(run, tmp_path, monkeypatch):
    fake_executor.heard.clear()
    monkeypatch.setattr(
        "fsbench.until_settled.Deadline.over", property(lambda _: len(fake_executor.heard) > 100)
    )
    settled = run("double2", seeds=8, baseline="liar")
    with Store(tmp_path / "r") as store:
        seeds = {spec: {r.split_seed for r in store.records() if r.spec == spec} for spec in ("erm", "liar")}
    last = settled.looks[-1]
    assert (last.seeds, set(range(16)) <= seeds["liar"]) == (16, True)
    words = {key[0]: word for key, (_, word) in summed_up(settled.looks, last.baselines).items()}
    assert words[A] == words[B] == "worse"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--until-settled"], "belong together"),
        (["--budget", "20m"], "belong together"),
        (["--until-settled", "--budget", "soon"], "expected a time such as 90s, 20m or 1h30m"),
        (["--until-settled", "--budget", "1m", "--seeds", "0,4"], "give --seeds a number"),
        (["--until-settled", "--budget", "1m", "--tune", "3"], "give one of them"),
        (["--until-settled", "--budget", "0s"], "expected more than 0"),
        (["--until-settled", "--budget", "1m", "--seeds", "2"], "at least 3; give --seeds 3 or more"),
    ],
)
def test_wrong_options_are_one_line(options, message, capsys):
    assert main(["run", "--tasks", A, *options]) == 2
    assert message in capsys.readouterr().err


def test_where_nothing_is_corrected_for_looks_it_is_said(tmp_path, call):
    base, noise = np.array([0.5, 0.6, 0.55, 0.52]), np.array([0.02, -0.01, 0.03, 0.01])
    records = over_seeds(A, "erm", base) + over_seeds(A, "focal", base + noise)
    records += over_seeds(A, "mixup", base + noise[::-1]) + over_seeds(A, "focal+mixup", base + 2 * noise)
    with Store(tmp_path / "looked") as store, Store(tmp_path / "other") as other:
        store.commit_all(records)
        other.commit_all(records)
        store.add_look(look_at(leaderboard(records), (), 4))
    said = "was collected with --until-settled: its number of split seeds depends on its results"
    _, out, _ = call("power", "--results", tmp_path / "looked")
    assert f"The results folder {said}, and its looks share the 5 %" in " ".join(out.split())
    _, out, _ = call("compare", tmp_path / "other", tmp_path / "looked")
    assert f"B {said}, which these p-values do not" in " ".join(out.split())
    with pytest.warns(
        UserWarning, match="with --until-settled: .* which these p-values do not take into acc"
    ):
        fsbench.load(tmp_path / "looked").compare("focal", "mixup")
    (board,) = leaderboards(fsbench.load(tmp_path / "looked").columns("balanced_accuracy"))
    with pytest.warns(UserWarning, match="with --until-settled"):
        fsbench.load(tmp_path / "looked").ablation("focal+mixup")
    open_ones = recommendation(board)[-1]
    assert open_ones.endswith(
        "the command with --until-settled continues with the next look, on more split seeds."
    )
    lines = sheet_of(ablation_of(board, "focal+mixup")).lines
    assert lines[-1].startswith(f"The results folder {said}, which these p-values do not")


@pytest.mark.parametrize(
    ("looks", "said"),
    [((), "before the first look"), ((look(1),), "2 comparisons on single tasks still open")],
)
def test_the_command_says_what_the_budget_was_not_enough_for(looks, said, tmp_path, monkeypatch, capsys):
    with Store(tmp_path) as store:
        store.commit_all(over_seeds(A, "erm", [0.5, 0.6]))
    monkeypatch.setattr(
        "fsbench.until_settled.run_until_settled", lambda *_, **__: Settled(looks, None, 2, late=True)
    )
    options = ["--until-settled", "--budget", "1s", "--tasks", A, "--results", str(tmp_path)]
    assert main(["run", *options]) == 0
    assert f"the budget is spent, {said}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("known", [None, 3, 4])
def test_trials_of_a_look_that_the_budget_ended_are_not_in_the_table(known, tmp_path, monkeypatch, capsys):
    """Nor one that was stored as the budget ended, of which the run does not know."""
    erm, focal = over_seeds(A, "erm", [0.5, 0.6, 0.4, 0.7]), over_seeds(A, "focal", [0.6, 0.7, 0.5])
    with Store(tmp_path) as store:
        store.commit_all([*erm, *focal])
    part = None if known is None else Results(tuple(erm[:known]), tmp_path, 8, interrupted=True)
    ended = Settled((replace(look(1), seeds=3),), part, 1, late=True)
    monkeypatch.setattr("fsbench.until_settled.run_until_settled", lambda *_, **__: ended)
    options = ["--until-settled", "--budget", "1s", "--tasks", A, "--results", str(tmp_path)]
    assert main(["run", *options]) == 0
    out, err = capsys.readouterr()
    assert "3 split seeds" in out
    assert "not run" not in out + err
    assert "kept, but not in the table: 1 trial of the next look" in " ".join(err.split())


def test_the_forecast_has_the_level_of_the_look(tmp_path, monkeypatch):
    """Half of 2.5 % at the first look, a quarter at the second."""
    errors = []

    def run(*args, error, **options):
        errors.append(error)
        raise UsageError("enough")

    monkeypatch.setattr("fsbench.until_settled.run", run)
    for number in range(2):
        with pytest.raises(UsageError, match="enough"):
            run_until_settled("focal", tasks=A, budget=9.0, results=tmp_path, metric="accuracy", margin=0.01)
        with Store(tmp_path) as store:
            store.add_look(look(number + 1))
    assert errors == pytest.approx([0.0125, 0.00625])


def test_failed_trials_are_said_and_make_the_status_1(tmp_path, monkeypatch, capsys):
    erm, focal = over_seeds(A, "erm", [0.5, 0.6]), over_seeds(A, "focal", [0.5, 0.6])
    reason = {"kind": "ValueError", "message": "boom"}
    with Store(tmp_path) as store:
        store.commit_all([*erm, *(replace(each, status="failed", reason=reason) for each in focal)])
    monkeypatch.setattr(
        "fsbench.until_settled.run_until_settled", lambda *_, **__: Settled((look(1),), None, 0, late=False)
    )
    options = ["--until-settled", "--budget", "1m", "--tasks", A, "--results", str(tmp_path)]
    assert main(["run", *options]) == 1
    said = capsys.readouterr().err
    assert "ValueError: boom" in said
    assert "2 of 4 trials failed; --retry-failed tries them again" in said
    assert "budget" not in said


class Stuck(Executor):
    """No trial of `liar` ends."""

    def answer(self, job):
        if getattr(job, "trial", None) is not None and job.trial.spec == "liar":
            time.sleep(60)
        return super().answer(job)


def test_a_trial_that_runs_when_the_budget_is_over_is_stopped(run):
    begin = time.monotonic()
    found = run("liar", seconds=2.0, seeds=3, executor=Stuck)
    assert time.monotonic() - begin < 30
    assert found.late
    assert found.looks == ()


def test_a_margin_is_kept(run):
    run("liar", seeds=4)
    with pytest.raises(UsageError, match=r"have a margin of 1, not 2; keep to it"):
        run("liar", margin=0.02)


def test_each_metric_has_looks_of_its_own(run):
    first = run("liar", seeds=4).looks
    other = run("liar", seeds=4, metric="accuracy", margin=0.02).looks
    assert [(each.metric, each.margin, each.number) for each in other[:1]] == [("accuracy", 0.02, 1)]
    assert {each.metric for each in other} == {"accuracy"}
    assert run("liar", seeds=4).looks == first


def test_a_watched_deadline_ends_what_waits():
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Deadline(Observer(), 0.1).watched():
        time.sleep(60)
    later = Deadline(Observer(), 60)
    threading.Timer(0.1, later.end_within, (0.1,)).start()
    with pytest.raises(KeyboardInterrupt), later.watched():
        time.sleep(60)
    later.end_within(50)
    assert later.over
    assert time.monotonic() - begin < 30
    with Deadline(Observer(), 60).watched():
        pass


def test_a_watched_deadline_ends_a_run_where_ctrl_c_is_ignored():
    """A shell starts what ends with `&` so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin = time.monotonic()
    try:
        with interrupts.heard(), Deadline(Observer(), 0.1).watched(), pytest.raises(KeyboardInterrupt):
            wait_until(interrupts.check, 30.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < 20
    interrupts.check()


@pytest.mark.parametrize("budget", [0.0, -1.0, float("inf"), float("nan")])
def test_a_budget_is_a_time(run, budget):
    with pytest.raises(UsageError, match="expected more than 0, and finite"):
        run("liar", seconds=budget)
