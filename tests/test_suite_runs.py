"""Runs and lists of suites, of which some data may be absent, and freezing them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from records import write_jsonl

import fsbench
from fsbench.cli import estimate, main
from fsbench.datasets.known import is_available
from fsbench.errors import AbsentData, DataError, StoreError
from fsbench.recipes.recipe import default_recipe, override, parse_overrides, parse_recipe, recipe_text
from fsbench.record import Record
from fsbench.store import Store
from fsbench.tasks import suites
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import load_suite
from fsbench.types import TaskInfo
from fsbench.words import roughly

ROOT = Path(__file__).parents[1]
WINE, ABSENT = "kshot(wine, k=1)", "kshot(svhn, k=1)"
SUITE = f"""
version = 1
description = "a table and an absent set"
split_seeds = 1
recipe = "steps=2, lr=0.5"
tasks = ["{WINE}", "{ABSENT}"]
[fingerprints]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of suites with one, `mixed`, of which one task's data is here; the working folder."""
    made = tmp_path / "suites"
    made.mkdir()
    (made / "mixed.toml").write_text(SUITE, encoding="utf-8")
    monkeypatch.setattr(suites.SUITES, "added", {"mixed": made / "mixed.toml"})
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path / "no data"))
    monkeypatch.chdir(tmp_path)
    return made


def test_absent_data_is_reported_before_anything_runs(folder, capsys):
    with pytest.raises(AbsentData, match="the data of 1 of 2 tasks") as caught:
        fsbench.run("erm", suite="mixed", baseline="erm")
    assert "svhn" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert main(["run", "--suite", "mixed"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"fsbench: error: {caught.value}\n")
    place = Path(os.environ["FSBENCH_DATA_DIR"])
    assert f"`fsbench data fetch svhn --data-dir '{place}'` gets it into {place} (prepared files" in err
    assert "available=True or --available runs the other 1" in err
    assert not Path("fsbench-results").exists()


def test_a_suite_without_any_data_cannot_run(folder, capsys):
    (folder / "far.toml").write_text(SUITE.replace(WINE, "shift(mnist, usps(size=28))"), encoding="utf-8")
    assert main(["run", "--suite", str(folder / "far.toml"), "--available"]) == 1
    err = capsys.readouterr().err
    assert "the data of 2 of 2 tasks is not here (mnist, usps, svhn)" in err
    assert "`fsbench data fetch mnist usps svhn --data-dir " in err
    assert "` gets these 3 into " in err
    assert "--available" not in err
    assert main(["run", "--tasks", ABSENT, "--available"]) == 1
    assert "svhn" in capsys.readouterr().err


def test_without_a_data_folder_named_the_advice_says_how_to_name_one(folder, monkeypatch, tmp_path):
    monkeypatch.delenv("FSBENCH_DATA_DIR")
    for cache in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(cache, str(tmp_path / "cache"))
    advice = (
        r"`fsbench data fetch svhn` gets it into .* \(--data-dir or FSBENCH_DATA_DIR names another folder; "
    )
    with pytest.raises(
        AbsentData, match=advice + r"prepared files such as svhn\.npz in it can be used instead"
    ):
        fsbench.run("erm", suite="mixed", baseline="erm")


def test_the_available_part_of_a_suite_runs_with_its_recipe(folder, capsys):
    options = [
        "run",
        "--suite",
        "mixed",
        "--plugins",
        "erm",
        "--baseline",
        "erm",
        "--jobs",
        "1",
        "--available",
    ]
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert WINE in out
    assert "svhn" not in out
    assert err.startswith("left out: 1 task whose data is missing (svhn)\n")
    results = fsbench.run("erm", suite="mixed", baseline="erm", available=True)
    assert results.left_out == (ABSENT,)
    (record,) = results.records
    recipe = parse_recipe(record.recipe)
    assert (record.status, recipe.steps, recipe.lr) == ("ok", 2, 0.5)
    changed = fsbench.run("erm", suite="mixed", baseline="erm", available=True, recipe={"steps": 1}).records[
        0
    ]
    assert (parse_recipe(changed.recipe).steps, parse_recipe(changed.recipe).lr) == (1, 0.5)


def test_a_suites_time_limit_holds_unless_another_is_given(folder):
    (folder / "mixed.toml").write_text("timeout = 1\n" + SUITE, encoding="utf-8")
    endless = {"steps": 1_000_000}
    for given, said in ((None, "1 s"), (2, "2 s")):
        results = fsbench.run(
            "erm",
            suite="mixed",
            baseline="erm",
            available=True,
            jobs=1,
            timeout=given,
            recipe=endless,
            retry_failed=True,
        )
        (failure,) = results.failures
        assert failure.reason["kind"] == "TimeOut"
        assert said in failure.reason["message"]


def test_a_split_that_is_not_the_suites_is_refused_at_run_and_at_load(folder, capsys):
    right = draw_split(*parse_tasks(WINE), 0).fingerprint
    text = SUITE + f'"{WINE}" = ["{right[:16]}"]\n'
    (folder / "mixed.toml").write_text(text, encoding="utf-8")
    records = fsbench.run("erm", suite="mixed", baseline="erm", available=True, jobs=1).records
    assert main(["leaderboard", "--suite", "mixed"]) == 0
    (folder / "mixed.toml").write_text(text.replace(right[:16], "0" * 16), encoding="utf-8")
    capsys.readouterr()
    assert main(["leaderboard", "--suite", "mixed"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"mixed: split 0 of {WINE} is {right[:16]}, not {'0' * 16}" in err
    write_jsonl(records, folder / "published.jsonl")
    assert main(["leaderboard", "--suite", "mixed", "--results", str(folder / "published.jsonl")]) == 1
    for place, error in (("fsbench-results", StoreError), ("fresh", DataError)):
        with pytest.raises(error, match="mixed: split 0"):
            fsbench.run("focal", suite="mixed", baseline="erm", available=True, jobs=1, results=place)
    with Store("fsbench-results", create=False) as store:
        assert [record.spec for record in store.records()] == ["erm"]


def test_records_of_absent_data_still_make_a_table(folder, capsys):
    usual = default_recipe(TaskInfo(ABSENT, "kshot", "image", (3, 32, 32), 10))
    recipe = recipe_text(override(usual, parse_overrides(load_suite("mixed").recipe)))
    record = Record("k", "ok", ABSENT, 0, 0, "erm", recipe, metrics={"balanced_accuracy": 0.5})
    write_jsonl([record], folder / "published.jsonl")
    assert main(["leaderboard", "--suite", "mixed", "--results", str(folder / "published.jsonl")]) == 0
    assert ABSENT in capsys.readouterr().out


def test_the_list_says_what_is_missing_and_how_long_it_takes(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(estimate, "reference_seconds", lambda: 0.01)
    monkeypatch.setattr(estimate, "default_workers", lambda device: 4)
    (folder / "mixed.toml").write_text("cost = 80000\n" + SUITE, encoding="utf-8")
    assert main(["list", "suites"]) == 0
    out = capsys.readouterr().out
    for words in (
        "mixed",
        "2 x 1",
        "3 min",
        "not here: svhn (246 MB): 1 of 2 tasks can run",
        "2 of 2 tasks",
    ):
        assert words in out
    assert main(["list", "tasks"]) == 0
    out = capsys.readouterr().out
    assert "mixed: svhn not here" in out
    assert "mixed: table, 3 classes" in out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (33, "30 s"),
        (100, "2 min"),
        (5000, "80 min"),
        (9e4, "20 h"),
        (2e5, "2 days"),
    ],
)
def test_times_are_shown_roughly(seconds, text):
    assert roughly(seconds) == text


def test_listing_suites_times_a_loop_but_imports_no_torch():
    code = (
        "import sys; from fsbench.cli import main, estimate; main(['list', 'suites']);"
        "assert 0 < estimate.reference_seconds() < 1; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture
def tool(folder, monkeypatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("freeze_suite", ROOT / "tools" / "freeze_suite.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", folder)
    return module


def test_freezing_writes_available_tasks_and_changes_nothing_published(tool, folder, capsys, monkeypatch):
    kept = f'"{ABSENT}" = ["{"1" * 16}"]\n'
    (folder / "mixed.toml").write_text(SUITE.replace("[fing", "# a remark\n[fing") + kept, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["freeze_suite.py", "mixed"])
    assert tool.main() == 0
    assert capsys.readouterr().out == "mixed: 2 of 2 tasks have fingerprints\n"
    frozen = load_suite("mixed").fingerprints
    drawn = [draw_split(*parse_tasks(WINE), seed).fingerprint[:16] for seed in range(10)]
    right = drawn[0]
    assert frozen == {WINE: tuple(drawn), ABSENT: ("1" * 16,)}
    text = (folder / "mixed.toml").read_text(encoding="utf-8")
    assert "# a remark" in text
    assert tool.main() == 0
    assert (folder / "mixed.toml").read_text(encoding="utf-8") == text
    (folder / "mixed.toml").write_text(text.replace(right, "2" * 16), encoding="utf-8")
    assert tool.main() == 1
    assert "2" * 16 in (folder / "mixed.toml").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["freeze_suite.py", "mixed", "--replace"])
    assert tool.main() == 0
    assert (folder / "mixed.toml").read_text(encoding="utf-8") == text
    assert is_available("wine")
    assert not is_available("svhn")
