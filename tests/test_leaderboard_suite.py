"""What a suite's leaderboard excludes: records of splits or recipes other than the suite's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fsbench_plugins
import pytest
from records import IMAGE, TABLE, failed, over_seeds, record, skipped, write_jsonl

from fsbench.cli import main
from fsbench.columns import of_records
from fsbench.report.board import read_board
from fsbench.report.published import read_jsonl
from fsbench.report.publishing import trials_without_record
from fsbench.same_data import check_records
from fsbench.store import Store
from fsbench.tasks.suites import load_suite

ROOT = Path(__file__).parents[1]
TASK = "kshot(wine, k=5)"
KNOWN = load_suite("starter-v1").fingerprints[TASK]


def published(path: Path, records) -> str:
    write_jsonl(records, path / "made.jsonl")
    return str(path / "made.jsonl")


def good() -> list:
    return [record(TASK, "erm", seed, split_fingerprint=known + "0" * 48) for seed, known in enumerate(KNOWN)]


def test_records_of_the_suites_splits_are_shown(tmp_path, capsys):
    beyond = record(TASK, "erm", len(KNOWN), split_fingerprint="a seed that the suite does not name")
    kept_out = skipped(task=TASK, spec="dann", split_fingerprint="")
    path = published(tmp_path, [*good(), beyond, kept_out])
    assert main(["leaderboard", "--results", path, "--suite", "starter-v1"]) == 0
    seeds = len(KNOWN) + 1
    assert f"{seeds}/{seeds}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "foreign",
    [
        record(TASK, "focal", 1, split_fingerprint="f" * 64),
        record(TASK, "focal", 1, split_fingerprint=""),
        failed(task=TASK, spec="focal", split_seed=1, split_fingerprint="f" * 64),
    ],
    ids=["ok", "unnamed", "failed"],
)
def test_a_record_of_another_split_is_refused_not_averaged_in(tmp_path, capsys, foreign):
    path = published(tmp_path, [*good(), foreign])
    status = main(["leaderboard", "--results", path, "--suite", "starter-v1"])
    out, err = capsys.readouterr()
    assert (status != 0, out, err.count("\n")) == (True, "", 1)
    assert f"made.jsonl contains a record of focal on other data: starter-v1: split 1 of {TASK} is" in err
    assert f"not {KNOWN[1]}" in err
    others = over_seeds("kshot(digits, k=7)", "erm", [0.5])
    path = published(tmp_path, [*good(), *others])
    assert main(["leaderboard", "--results", path, "--tasks", "kshot(digits, k=7)"]) == 0


NOISY = ("noisy(breast_cancer, k=50, rate=0.2)", "noisy(digits, k=50, rate=0.2)")
ABSENT = "noisy(fashion_mnist, k=50, rate=0.2)"


def noisy(task: str, recipe: str, spec: str = "erm", seed: int = 0):
    known = load_suite("noise-v1").fingerprints.get(task, ())
    fingerprint = known[seed] + "0" * 48 if known else "f" * 64
    return record(task, spec, seed, recipe=recipe, split_fingerprint=fingerprint)


def test_records_with_a_recipe_other_than_the_suites_are_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path / "empty"))
    short = replace(load_suite("noise-v1"), tasks=(*NOISY, ABSENT), split_seeds=1)
    for module in ("boards", "sharing"):
        monkeypatch.setattr(f"fsbench.cli.{module}.load_suite", lambda name: short)
    table, image = (text.replace("steps=200", "steps=1000") for text in (TABLE, IMAGE))
    kept = [noisy(NOISY[0], table), noisy(NOISY[1], image), noisy(ABSENT, image)]
    others = [
        noisy(NOISY[0], TABLE, "focal"),
        noisy(NOISY[1], image.replace("steps=1000", "steps=1"), "focal"),
        noisy(NOISY[1], image.replace("lr=0.001", "lr=0.1"), "focal"),
        noisy(NOISY[1], table, "focal"),
        noisy(ABSENT, IMAGE, "focal"),
        noisy(ABSENT, image.replace("width=32", "width=64"), "focal"),
    ]
    with Store(tmp_path / "stored") as store:
        store.commit_all([*kept, *others])
    stored, made = str(tmp_path / "stored"), tmp_path / "made"
    assert main(["leaderboard", "--results", stored, "--suite", "noise-v1"]) == 0
    out, err = capsys.readouterr()
    assert "left out 6 records of noise-v1's tasks: not under the suite's recipe" in err
    assert "focal" not in out
    assert main(["publish", stored, str(made), "--suite", "noise-v1"]) == 0
    assert {r.key for r in read_jsonl(made / "noise-v1.jsonl")} == {r.key for r in kept}
    capsys.readouterr()
    assert main(["leaderboard", "--results", stored]) == 0
    assert "focal" in capsys.readouterr().out


def test_tasks_of_a_published_file_are_chosen_without_their_data(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path / "empty"))
    path = published(tmp_path, [noisy(task, TABLE) for task in (*NOISY, ABSENT)])
    assert main(["leaderboard", "--results", path, "--tasks", ABSENT.replace(")", ", source=none)")]) == 0
    out, _ = capsys.readouterr()
    assert ABSENT in out
    assert NOISY[0] not in out


def test_a_suite_without_records_of_its_recipe_has_no_leaderboard(tmp_path, capsys):
    path = published(tmp_path, [noisy(task, TABLE) for task in NOISY])
    assert main(["leaderboard", "--results", path, "--suite", "noise-v1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "left out 2 records" in err
    assert "contains no results of these tasks" in err


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "leaderboards").glob("*.jsonl")), ids=lambda path: path.stem)
def test_published_leaderboards_use_their_suites_splits_and_have_the_strategies_of_core(path):
    board = read_board(path)
    records, suite = board.contents.records, board.suite
    assert len({r.tuning for r in records}) == 1
    assert bool(records[0].tuning) == path.stem.endswith("-tuned")
    check_records(of_records(records, ()), suite, path)
    tasks = {r.task for r in records}
    assert not tasks & set(trials_without_record(records, suite))
    assert tasks < set(suite.tasks) if "-part" in path.stem else tasks == set(suite.tasks)
    found = {r.spec for r in records if r.status != "failed"}
    bundled = fsbench_plugins.fsbench_strategies()
    assert found <= {cls.name for cls in bundled}
    if path.stem != "starter-v1":  # published before the classical baselines
        later = {"naive_bayes", "shot"}  # which came after some of the boards
        assert found >= {cls.name for cls in bundled if cls.in_all and cls.in_core} - later


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted((ROOT / "leaderboards" / "unfinished").glob("*.jsonl")), ids=lambda path: path.stem
)
def test_unfinished_leaderboards_have_whole_split_seeds_of_their_suite(path):
    records, suite = read_jsonl(path), load_suite(path.stem.partition("-tuned")[0])
    check_records(of_records(records, ()), suite, path)
    assert len({r.tuning for r in records}) == 1
    splits = {(r.task, r.split_seed) for r in records}
    specs = {r.spec for r in records}
    assert specs >= {cls.name for cls in fsbench_plugins.fsbench_strategies() if cls.in_all and cls.in_core}
    assert {(r.task, r.split_seed, r.spec) for r in records} == {
        (*split, spec) for split in splits for spec in specs
    }
    assert {task for task, _ in splits} <= set(suite.tasks)
    assert {seed for _, seed in splits} < set(range(suite.split_seeds))
