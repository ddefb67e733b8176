"""`fsbench fuse`: stored predictions, weights from the validation part only, and what is refused."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import draw, task
from scipy.special import softmax

import fsbench
from fsbench.cli import main
from fsbench.engine.trial import run_trial
from fsbench.errors import UsageError
from fsbench.jobs import Outcome
from fsbench.judge import judge
from fsbench.metrics import score
from fsbench.recipes.recipe import default_recipe
from fsbench.record import Trial
from fsbench.registry import load_registry
from fsbench.report.budgets import leaderboards
from fsbench.report.fused import HOW, fuse
from fsbench.report.leaderboard import Leaderboard
from fsbench.store import Judgement, Store, Validated
from fsbench.tasks.splits import materialise
from fsbench.testing import toy_split

TASKS = "kshot(wine, k=4), folds(wine, n=4)"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuse")
    strategies = "erm, svm, knn, temperature"
    fsbench.run(strategies, tasks=TASKS, seeds=2, recipe="steps=10", results=folder, baseline="erm")
    return folder


def test_validation_predictions_are_those_of_the_predictor() -> None:
    split = toy_split(cells=2)
    (erm,) = load_registry().parse("erm")
    recipe = replace(default_recipe(split.info), steps=3)
    args = ("toy", 0, 0), erm, recipe
    found = run_trial(*args, split, torch.device("cpu"), validation=True)
    swapped = replace(split, test_x=split.val_x)
    as_test = run_trial(*args, swapped, torch.device("cpu"))
    assert found.validation is not None
    assert np.array_equal(found.validation, as_test.predictions)
    assert as_test.validation is None


@pytest.mark.parametrize("wrong", ["NaN", "a class too few"])
def test_validation_predictions_that_are_no_logits_are_not_stored(wrong: str, tmp_path: Path) -> None:
    """The trial counts, because its test part is right."""
    of = task("kshot(wine, k=4)")
    split = materialise(of, draw("kshot(wine, k=4)"), tmp_path / "split")
    logits, val = (
        np.zeros((*split.test_y.shape, 3), np.float32),
        np.zeros((*split.val_y.shape, 3), np.float32),
    )
    outcome = Outcome(logits, 1.0, 1.0, 1.0, 1, validation=val)
    trial = Trial(of.text, 0, 0, "erm", "recipe", "key", "erm", "")
    assert judge(trial, outcome, split, {}).validated is not None
    bad = val + np.nan if wrong == "NaN" else val[..., :2]
    found = judge(trial, replace(outcome, validation=bad), split, {})
    assert (found.record.status, found.validated) == ("ok", None)


def test_they_are_stored_with_their_labels(results: Path) -> None:
    with Store(results, create=False) as store:
        for record in store.records():
            validated = store.validated(record.key)
            if record.status != "ok" or record.task.startswith("folds"):
                assert validated is None
            else:
                assert validated is not None
                assert validated.logits.shape == (*validated.y.shape, 3)
                assert validated.logits.dtype == np.float32
                assert np.bincount(validated.y[0], minlength=3).min() > 0


@pytest.mark.parametrize("how", list(HOW))
def test_a_fusion_is_the_weighted_mean_of_stored_probabilities(results: Path, how: str) -> None:
    columns, _ = fuse(results, "erm, svm", how, ["nll"])
    name = f'fuse(how={how}, of="erm, svm")'
    shared = [each.spec for each in columns.shared]
    assert set(shared) == {"erm", "svm", name}
    with Store(results, create=False) as store:
        records = {(r.spec, r.task, r.split_seed): r for r in store.records()}
        task = "kshot(wine, k=4)"
        pair = [records[spec, task, 1] for spec in ("erm", "svm")]
        known = [store.validated(record.key) for record in pair]
        weights = HOW[how]([each for each in known if each is not None])
        p = sum(w * softmax(store.predictions(r.key), -1) for w, r in zip(weights, pair, strict=True))
        test_y = store.evidence().drawn[pair[0].split_fingerprint].test_y
    expected = score(np.log(p).astype(np.float32), test_y, [])["nll"]
    mine = np.array([columns.shared[code].spec == name for code in columns.code]) & (columns.split_seed == 1)
    assert columns.values["nll"][mine].tolist() == [pytest.approx(expected, rel=1e-4)]


def test_a_fusion_without_erm_is_compared_with_it(results: Path) -> None:
    (board,) = leaderboards(fuse(results, "svm, knn", "vote", ["nll"])[0], "nll")
    rows = {row.strategy: row for row in board.overall}
    assert rows.keys() == {"erm", "svm", "knn", 'fuse(how=vote, of="svm, knn")'}
    assert rows['fuse(how=vote, of="svm, knn")'].difference is not None


def test_weights_follow_the_validation_part() -> None:
    y = np.array([[0, 1, 1, 0]])
    sure = np.eye(2)[y] * 4.0
    good, bad = Validated(sure, y), Validated(-sure, y)
    assert HOW["vote"]([good, bad]).tolist() == [0.5, 0.5]
    assert HOW["select"]([bad, good]).tolist() == [0, 1]
    assert HOW["average"]([good, bad])[0] > 0.99


def test_the_strategy_that_always_says_the_frequent_class_is_not_selected() -> None:
    """Its accuracy is better, its balanced accuracy is not: `select` within a trial chooses as well."""
    y = np.array([[0] * 18 + [1] * 2])
    said = np.array([[0] * 15 + [1] * 3 + [1] * 2])
    always, better = (Validated(np.eye(2)[each] * 4.0, y) for each in (np.zeros_like(y), said))
    assert HOW["select"]([always, better]).tolist() == [0, 1]


def test_what_cannot_be_fused_is_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names one strategy; expected at least two"):
        fuse(results, "erm, erm", "vote", ["nll"])
    with pytest.raises(UsageError, match="temperature fits something to the validation part itself"):
        fuse(results, "erm, temperature", "average", ["nll"])
    with pytest.raises(UsageError, match="has no results of random_forest; `fsbench run --plugins"):
        fuse(results, "erm, random_forest", "average", ["nll"])


def test_results_of_older_versions_say_so(results: Path, tmp_path: Path) -> None:
    with Store(results, create=False) as store:
        (tmp_path / store.path.name).write_bytes(store.path.read_bytes())
    with sqlite3.connect(tmp_path / "fsbench.sqlite") as db:
        db.execute("DROP TABLE validated")
    db.close()
    with pytest.raises(UsageError, match="results of older versions have no such predictions"):
        fuse(tmp_path, "erm, svm", "average", ["nll"])


def test_where_every_trial_failed_the_reason_is_theirs(results: Path, tmp_path: Path) -> None:
    with Store(results, create=False) as store, Store(tmp_path) as changed:
        changed.commit_all(
            Judgement(
                replace(r, status="failed", metrics={}, reason={"kind": "Boom", "message": "no memory"}),
                drawn=store.evidence().drawn[r.split_fingerprint],
            )
            for r in store.records()
        )
    with pytest.raises(UsageError, match=r"erm, svm have a result, such as (erm|svm): no memory"):
        fuse(tmp_path, "erm, svm", "vote", ["nll"])


def test_the_command_prints_a_leaderboard(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuse", "erm, svm, knn", "--how", "vote", "--results", str(results)]) == 0
    said = capsys.readouterr().out
    assert "how=vote" in said
    assert "leave out that" not in said  # how each test sample counts is known for fusions too
    assert main(["fuse", "erm, temperature", "--results", str(results)]) == 2
    assert "leave it out" in capsys.readouterr().err


def with_others(results: Path, copy: Path, **fields: object) -> None:
    """A copy of the results with other fields of the records of `svm` on split 1."""
    with Store(results, create=False) as store, Store(copy) as changed:
        changed.commit_all(
            Judgement(
                replace(r, **fields) if (r.spec, r.split_seed) == ("svm", 1) else r,
                store.predictions(r.key),
                drawn=store.evidence().drawn[r.split_fingerprint],
                validated=store.validated(r.key),
            )
            for r in store.records()
        )


def without_a_result(results: Path, copy: Path, **fields: object) -> Leaderboard:
    """The fusion of `erm` and `svm`, whose trials on split 1 have no result."""
    with_others(results, copy, metrics={}, **fields)
    (board,) = leaderboards(fuse(copy, "erm, svm", "vote", ["nll"])[0], "nll")
    return board


def test_where_a_member_failed_the_fusion_failed_and_gets_no_verdict(results: Path, tmp_path: Path) -> None:
    """On `folds`, without a validation part, there is no fusion that could fail."""
    board = without_a_result(results, tmp_path, status="failed", reason={"kind": "Boom", "message": "no"})
    name = 'fuse(how=vote, of="erm, svm")'
    (row,) = (row for row in dict(board.tasks)["kshot(wine, k=4)"] if row.strategy == name)
    assert (row.done, row.failed, row.verdict) == (1, 1, "withheld: 1 failed")
    failures = {each.strategy: each for each in board.problems if each.kind == "failed"}
    assert (failures["svm"].trials, failures[name].trials) == (2, 1)
    assert failures[name].reason == "Boom: svm: no"


def test_where_a_member_was_skipped_so_was_the_fusion(results: Path, tmp_path: Path) -> None:
    reason = {"kind": "skipped", "message": "needs source data"}
    board = without_a_result(results, tmp_path, status="skipped", reason=reason, split_fingerprint="")
    said = {each.strategy: each.reason for each in board.problems if each.kind == "skipped"}
    assert said['fuse(how=vote, of="erm, svm")'] == "svm: needs source data"


def test_records_of_different_code_are_not_fused_into_one_row(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_others(results, tmp_path, full_spec="svm#results+0")
    assert main(["fuse", "erm, svm", "--how", "vote", "--metric", "nll", "--results", str(tmp_path)]) == 0
    assert "left out: 2 records of other versions of the code (svm 2)" in capsys.readouterr().err
    columns, _ = fuse(tmp_path, "erm, svm", "vote", ["nll"])
    specs = [columns.shared[code].full_spec for code in columns.code]
    assert "svm#results+0" not in specs
    assert specs.count('fuse(how=vote, of="erm, svm")') == 1
