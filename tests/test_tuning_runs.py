"""Whole runs with `tune`: what is chosen, what is stored, what a killed run keeps, and what nobody sees."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import fake_executor
import numpy as np
import pytest
from drawn import draw, task
from fake_executor import A, FakeExecutor
from toy import toy_trial

import fsbench
from fsbench.datasets.known import load_dataset
from fsbench.errors import StoreError
from fsbench.failure import Failure
from fsbench.recipes.recipe import override, parse_recipe
from fsbench.record import Record
from fsbench.registry import get_registry
from fsbench.report.budgets import leaderboards
from fsbench.report.leaderboard import leaderboard
from fsbench.report.recommendation import recommendation
from fsbench.report.text import legend
from fsbench.results import Results
from fsbench.store import Store
from fsbench.tasks.parts import Part
from fsbench.tasks.splits import materialise, open_split, take

WINE = "kshot(wine, k=5)"
QUICK = {"steps": 20}


def real(folder: Path, spec: str = "logistic_regression", **options) -> Results:
    given = {"tasks": WINE, "baseline": "erm", "seeds": 2, "recipe": QUICK, "results": folder} | options
    return fsbench.run(spec, **given)


def fitted_directly(record: Record, folder: Path) -> np.ndarray:
    """The logits of the chosen configuration on all labels, without a search, a run or a store."""
    chosen = record.search["tried"][record.search["chosen"]]
    recipe = override(parse_recipe(record.recipe), chosen["recipe"])
    seed = record.split_seed
    materialise(*take(task(record.task), draw(record.task, seed), seed, Part()), folder)
    identity = (record.task, seed, record.init_seed)
    split = open_split(str(folder))
    return toy_trial(chosen["spec"], split, recipe, identity=identity).predictions


def predictions(folder: Path) -> dict[str, bytes]:
    with Store(folder) as store:
        return {r.key: store.predictions(r.key).tobytes() for r in store.records()}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> tuple[Path, Results]:
    """Three tuned configurations each of two strategies on wine."""
    folder = tmp_path_factory.mktemp("tuned")
    return folder, real(folder, "focal", tune=3)


def test_a_tuned_trial_equals_its_choice_on_train_and_val(tuned, tmp_path):
    folder, results = tuned
    assert {record.status for record in results.records} == {"ok"}
    with Store(folder) as store:
        for number, record in enumerate(results.records):
            direct = fitted_directly(record, tmp_path / str(number))
            assert np.array_equal(store.predictions(record.key), direct)


@pytest.mark.slow
def test_the_same_seeds_give_the_same_choice_and_bits(tuned, tmp_path):
    folder, results = tuned
    again = real(tmp_path, "focal", tune=3, jobs=1)
    assert predictions(tmp_path) == predictions(folder)
    assert [record.search for record in again.records] == [record.search for record in results.records]


def test_the_record_says_what_was_tried_and_counts_it(tuned):
    _, results = tuned
    for record in results.records:
        assert record.tuning == "tuning(n=3)"
        assert "#space+" in record.full_spec
        assert record.n_train == 21  # seven labels of each class
        search = record.search
        assert (search["criterion"], search["folds"]) == ("stratified cross-validation on train and val", 4)
        assert [len(tried["scores"]) for tried in search["tried"]].count(4) == 2
        assert search["tried"][0]["recipe"] == {}
        means = {n: round(np.mean(each["scores"]), 9) for n, each in enumerate(search["tried"])}
        complete = [n for n, each in enumerate(search["tried"]) if len(each["scores"]) == 4]
        assert means[search["chosen"]] == max(means[n] for n in complete)


def test_all_strategies_try_the_same_recipes(tuned):
    _, results = tuned
    by_seed = {0: set(), 1: set()}
    for record in results.records:
        by_seed[record.split_seed].add(str([tried["recipe"] for tried in record.search["tried"]]))
    assert len(by_seed[0]) == len(by_seed[1]) == 1
    assert by_seed[0] != by_seed[1]


def test_seconds_include_the_search(tuned):
    folder, results = tuned
    with Store(folder) as store:
        tries = store.tries()
    assert len(tries) == 2 * 2 * (3 * 2 + 2 * 2)
    total = sum(record.seconds_fit + record.seconds_predict for record in results.records)
    assert total > sum(each.seconds for each in tries.values())


def test_one_configuration_is_the_default_fitted_on_train_and_val(tmp_path):
    results = real(tmp_path / "results", tune=1, seeds=1)
    with Store(tmp_path / "results") as store:
        assert store.tries() == {}
        for number, record in enumerate(results.records):
            assert record.search["tried"] == [{"spec": record.spec, "recipe": {}, "scores": []}]
            direct = fitted_directly(record, tmp_path / str(number))
            assert np.array_equal(store.predictions(record.key), direct)


def test_a_tuned_row_is_the_search_of_the_option(tuned, tmp_path):
    folder, results = tuned
    with Store(folder) as store:
        tries = store.tries()
    row = real(folder, "tuned(focal, n=3)")
    assert row.records == results.records
    both = real(tmp_path, "focal, tuned(focal, n=3)")
    assert {record.tuning for record in both.records} == {"", "tuning(n=3)"}
    with Store(tmp_path) as store:
        assert store.tries().keys() == tries.keys()
    found, expected = predictions(tmp_path), predictions(folder)
    assert {key: found[key] for key in expected} == expected
    assert len(found) == 2 * len(expected)


@pytest.mark.slow
def test_tuned_and_default_results_are_never_in_one_ranking(tmp_path):
    default, tuned = real(tmp_path, seeds=2), real(tmp_path, seeds=2, tune=2)
    both = [*default.records, *tuned.records]
    assert len({record.key for record in both}) == len(both)
    first, second = leaderboards(both)
    assert (first.tuned, second.tuned) == (0, 2)
    assert {row.strategy for row in first.rows} == {"erm", "logistic_regression"}
    assert {row.strategy for row in second.rows} == {"tuned(erm, n=2)", "tuned(logistic_regression, n=2)"}
    assert [row.verdict for row in second.overall if row.strategy == "tuned(erm, n=2)"] == ["baseline"]
    said = " ".join([*recommendation(second), *legend(second).values()])
    assert "No recommendation" not in said
    assert "fsbench power" not in said  # which is about results without a search
    assert "tuned(erm, n=2)" in said
    assert not re.search(r"(?<!tuned\()\berm\b", said)
    (alone,) = leaderboards(default.records)
    assert alone.rows == first.rows
    with pytest.raises(StoreError, match="never in one ranking"):
        leaderboard(both)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "criterion", "spec"),
    [
        ("shift(mnist5k(size=8), digits)", "source validation", "knn"),
        ("episodes(glyphs(size=8), n=3)", "episodes of validation classes, held out of the source", "knn"),
    ],
)
def test_other_protocols_have_criteria_of_their_own(text, criterion, spec, tmp_path):
    results = real(tmp_path, spec, tasks=text, seeds=1, tune=2, recipe={"steps": 2})
    for record in results.records:
        assert record.status == "ok", record.reason
        assert record.search["criterion"] == criterion
        assert all(tried["scores"] for tried in record.search["tried"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("text", "criterion", "fits"),
    [
        ("kshot(digits, k=2)", None, 2 * 2 + 1),
        ("shift(mnist5k(size=8), digits, share=0.05)", None, 2 + 1),
        ("shift(mnist5k(size=8), digits, share=0.05)", "infomax", 2 + 1),
    ],
)
def test_no_test_input_reaches_the_search(text, criterion, fits, tmp_path, monkeypatch):
    monkeypatch.setenv("FSBENCH_PLUGINS", "plugins_peeping")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    get_registry.cache_clear()
    try:
        (tmp_path / "loot").mkdir()
        spec = f'peeping(loot="{tmp_path / "loot"}")'
        options = {"seeds": 1, "tune": 2, "criterion": criterion, "recipe": {"steps": 2}}
        real(tmp_path / "results", spec, tasks=text, **options)
    finally:
        monkeypatch.undo()
        get_registry.cache_clear()
    hidden = [image.tobytes() for image in load_dataset("digits").x[draw(text).test.index[0]]]
    seen = [file.read_bytes() for file in (tmp_path / "loot").iterdir()]
    assert len(seen) == fits
    # The predictor of the last fit is the only one that is given the test inputs.
    peeped = sorted(sum(image in found for image in hidden) for found in seen)
    assert peeped == [0] * (fits - 1) + [len(hidden)]


class Stops(FakeExecutor):
    """Is interrupted after `left` jobs."""

    left = 0

    def answer(self, job):
        if hasattr(job, "trial"):
            if Stops.left == 0:
                raise KeyboardInterrupt
            Stops.left -= 1
        return super().answer(job)


class Refuses(FakeExecutor):
    """Fails for every recipe but the default one."""

    def answer(self, job):
        if hasattr(job, "trial") and "lr=0.001," not in job.trial.recipe:
            return Failure("Boom", "no such rate")
        return super().answer(job)


@pytest.mark.parametrize(("n", "sampler"), [(4, "random"), (8, "tpe")])
@pytest.mark.usefixtures("fakes")
def test_an_interrupted_search_continues_where_it_was(n, sampler, tmp_path):
    options = {"seeds": 2, "tune": n, "sampler": sampler}
    whole = fake_executor.run(tmp_path / "whole", **options)
    every, stops = fake_executor.trials_run(), 0
    assert every == 2 * (n * 2 + n // 2 * 2 + 1)
    FakeExecutor.made.clear()
    results = None
    while results is None or results.interrupted:
        Stops.left = 6
        results = fake_executor.run(tmp_path / "parts", **options, executor=Stops)
        stops += results.interrupted
    assert stops >= 4
    assert fake_executor.trials_run() == every + stops  # those in hand when it was interrupted
    kept = [(r.key, r.metrics, r.search) for r in results.records]
    assert kept == [(r.key, r.metrics, r.search) for r in whole.records]


@pytest.mark.usefixtures("fakes")
def test_a_larger_search_continues_a_smaller_one(tmp_path):
    small = fake_executor.run(tmp_path, seeds=1, tune=4)
    before = fake_executor.trials_run()
    large = fake_executor.run(tmp_path, seeds=1, tune=6)
    assert fake_executor.trials_run() - before < 6 * 2 + 3 * 2 + 1 - 4 * 2 + 1
    first = [each["spec"] for each in small.records[0].search["tried"]]
    assert [each["spec"] for each in large.records[0].search["tried"]][:4] == first


@pytest.mark.usefixtures("fakes")
def test_tpe_begins_as_random_search_says_what_drew_and_is_another_table(tmp_path):
    tpe = fake_executor.run(tmp_path, seeds=1, tune=8, sampler="tpe")
    before = fake_executor.trials_run()
    random = fake_executor.run(tmp_path, seeds=1, tune=8)
    assert fake_executor.trials_run() - before < before - 5  # the first five configurations are known
    (first,), (second,) = tpe.records, random.records
    assert first.tuning == "tuning(n=8, sampler=tpe)"
    assert re.fullmatch(r"tpe of optuna \d+\.\d+\S*", first.search["sampler"])
    assert "sampler" not in second.search
    recipes = [[tried["recipe"] for tried in record.search["tried"]] for record in (first, second)]
    assert recipes[0][:5] == recipes[1][:5]
    assert recipes[0][5:] != recipes[1][5:]
    boards = leaderboards([*tpe.records, *random.records])
    assert [board.baseline for board in boards] == ["tuned(erm)", "tuned(erm, sampler=tpe)"]
    assert [board.tuned for board in boards] == [8, 8]


@pytest.mark.usefixtures("fakes")
def test_nothing_runs_twice(tmp_path):
    fake_executor.run(tmp_path, seeds=1, tune=4)
    before = fake_executor.trials_run()
    results = fake_executor.run(tmp_path, seeds=1, tune=4)
    assert fake_executor.trials_run() == before
    assert len(results.records) == 1


@pytest.mark.usefixtures("fakes")
def test_a_configuration_that_fails_is_out_and_said(tmp_path):
    (record,) = fake_executor.run(tmp_path, seeds=1, tune=3, recipe="lr=0.001", executor=Refuses).records
    assert record.status == "ok"
    assert record.search["chosen"] == 0
    reasons = [each.get("reason") for each in record.search["tried"]]
    assert reasons == [None, "Boom: no such rate", "Boom: no such rate"]


@pytest.mark.usefixtures("fakes")
def test_tries_that_fail_cost_time_too(tmp_path, monkeypatch):
    now = itertools.count()
    monkeypatch.setattr("fsbench.execute.time", SimpleNamespace(monotonic=lambda: float(next(now))))
    (record,) = fake_executor.run(tmp_path, seeds=1, tune=2, recipe="lr=0.001", executor=Refuses).records
    with Store(tmp_path) as store:
        failed = [each for each in store.tries().values() if each.reason]
    assert [each.seconds > 0 for each in failed] == [True, True]
    assert record.seconds_fit > sum(each.seconds for each in failed)


def test_a_search_does_not_continue_on_other_data(tmp_path):
    """Although it was interrupted before its first record."""
    table, rows = tmp_path / "t.csv", np.random.default_rng(0).normal(size=(60, 2))
    text = "\n".join(["a,b,y", *(f"{a},{b},{'no' if n % 2 else 'yes'}" for n, (a, b) in enumerate(rows))])
    table.write_text(text)
    options = {"data": fsbench.OwnData(table, target="y"), "tasks": None, "seeds": 1, "tune": 2}
    real(tmp_path / "r", "knn", **options)
    with contextlib.closing(sqlite3.connect(tmp_path / "r" / "fsbench.sqlite")) as db, db:
        for name in ("trials", "predictions", "summaries"):
            db.execute(f"DELETE FROM {name}")
        assert db.execute("SELECT count(*) FROM tries").fetchone()[0] > 0
    table.write_text(text.replace("a,b,y", "a,b,y").replace("yes", "NO").replace("no", "yes"))
    with pytest.raises(StoreError, match="on other data"):
        real(tmp_path / "r", "knn", **options)


@pytest.mark.usefixtures("fakes")
def test_if_every_configuration_fails_so_does_the_trial_and_can_be_tried_again(tmp_path):
    results = fake_executor.run(tmp_path, "reason", seeds=1, tune=3)
    record = next(record for record in results.records if record.spec == "reason")
    assert (record.status, record.reason["kind"]) == ("failed", "NothingToChoose")
    assert record.reason["message"] == "all 3 configurations failed; the first: ValueError: m"
    assert len(record.search["tried"]) == 3
    before = fake_executor.trials_run()
    fake_executor.run(tmp_path, "reason", seeds=1, tune=3)
    assert fake_executor.trials_run() == before
    fake_executor.run(tmp_path, "reason", seeds=1, tune=3, retry_failed=True)
    assert fake_executor.trials_run() == before + 3 * 2


KILLED = Failure("Crash", "the worker was killed by SIGKILL (out of memory?)")
NO_MEMORY = Failure("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB.")


class Crashes(FakeExecutor):
    """A try is lost by a `failure`, as often as `times` says."""

    times: ClassVar[int] = 0
    failure: ClassVar[Failure] = KILLED

    def answer(self, job):
        if self.times and hasattr(job, "trial") and self.meant(job.trial):
            type(self).times -= 1
            return self.failure
        return super().answer(job)

    def meant(self, trial):
        return True


class OnlyFirst(Crashes):
    """One try of the default configuration is lost again and again."""

    def meant(self, trial):
        return trial.spec == "erm" and trial.part.fold == 0 and "lr=0.001," in trial.recipe


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("failure", [KILLED, NO_MEMORY], ids=["killed", "no memory"])
def test_a_configuration_does_not_lose_because_something_else_took_the_memory(tmp_path, monkeypatch, failure):
    monkeypatch.setattr(Crashes, "failure", failure)
    (wanted,) = fake_executor.run(tmp_path / "calm", seeds=1, tune=3).records
    Crashes.times = 1
    with pytest.warns(RuntimeWarning, match=r" of memory.*; it is tried once more"):
        (found,) = fake_executor.run(tmp_path / "killed", seeds=1, tune=3, executor=Crashes).records
    assert found.search == wanted.search


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("failure", [KILLED, NO_MEMORY], ids=["killed", "no memory"])
def test_a_search_that_lost_a_try_twice_says_so(tmp_path, monkeypatch, failure):
    monkeypatch.setattr(Crashes, "failure", failure)
    OnlyFirst.times = 2
    with pytest.warns(RuntimeWarning, match="tried once more"):
        (record,) = fake_executor.run(
            tmp_path, seeds=1, tune=3, recipe="lr=0.001", executor=OnlyFirst
        ).records
    why = f"{failure.kind}: {failure.message}"
    assert record.search["tried"][0]["reason"] == why
    assert record.notes[-1] == f"1 of 3 configurations lost; the first: {why}"


@pytest.mark.usefixtures("fakes")
def test_an_error_in_a_search_stops_the_workers_before_it_is_handled(tmp_path, monkeypatch):
    def full(*_):
        raise StoreError("no space left")

    monkeypatch.setattr("fsbench.store.Store.keep_try", full)
    with pytest.raises(StoreError, match="no space left") as held:
        fake_executor.run(tmp_path, seeds=1, tune=3)
    assert FakeExecutor.made[-1].closed
    assert held.traceback, "its frames must live, or they would close whatever is open"


@pytest.mark.usefixtures("fakes")
def test_a_skipped_strategy_is_not_tuned(tmp_path):
    results = fake_executor.run(tmp_path, "needy", seeds=1, tune=2)
    statuses = {record.spec: record.status for record in results.records}
    assert statuses == {"erm": "ok", "needy": "skipped"}


@pytest.mark.usefixtures("fakes")
def test_a_record_without_tuning_is_as_it_was(tmp_path):
    (record,) = fake_executor.run(tmp_path, tasks=A, seeds=1).records
    assert (record.tuning, record.search) == ("", {})
    assert "#space" not in record.full_spec
