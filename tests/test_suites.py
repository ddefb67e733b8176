from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from records import write_jsonl

import fsbench
from fsbench.cli import estimate, main
from fsbench.datasets.known import (
    dataset_arguments,
    dataset_info,
    dataset_names,
    family,
    is_available,
    load_dataset,
)
from fsbench.errors import AbsentData, DataError, SpecError, StoreError, UnknownName
from fsbench.recipes.recipe import default_recipe, override, parse_overrides, parse_recipe, recipe_text
from fsbench.record import Record
from fsbench.same_data import check_split
from fsbench.spec import as_call, parse_call
from fsbench.store import Store
from fsbench.tasks import suites
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.tasks.splits import draw_split, drawn
from fsbench.tasks.suites import Suite, ad_hoc, load_suite, missing_datasets, suite_names
from fsbench.types import TaskInfo
from fsbench.words import roughly

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.equal_rows import share  # noqa: E402

WINE, ABSENT = "kshot(wine, k=1)", "kshot(svhn, k=1)"
SUITE = f"""
version = 1
description = "a table and an absent set"
split_seeds = 1
recipe = "steps=2, lr=0.5"
tasks = ["{WINE}", "{ABSENT}"]
[fingerprints]
"""


@pytest.fixture(scope="module")
def starter() -> Suite:
    return load_suite("starter-v2")


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


def test_the_starter_suite_has_every_kind_and_needs_no_download(starter, tmp_path, monkeypatch):
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    tasks = starter.parse()
    infos = [task.info for task in tasks]
    assert {info.protocol for info in infos} == {"kshot", "longtail", "noisy", "shift", "episodes", "holdout"}
    assert {info.kind for info in infos} == {"image", "table", "text"}
    assert (starter.name, starter.version, starter.split_seeds) == ("starter-v2", 2, 5)
    varying = {"glyphs", "patches", "docstrings"}
    drawn = {text for text in starter.tasks if any(name in text for name in varying)}
    assert set(starter.fingerprints) == set(starter.tasks) - drawn
    assert sum(info.has_source for info in infos) >= 5
    assert sum("patches" in text for text in starter.tasks) >= 2
    assert any(info.protocol == "shift" and info.labels_per_class > 0 for info in infos)
    assert any(info.protocol != "shift" and info.num_unlabeled > 0 for info in infos)
    families = {family(parse_call(text).name) for task in tasks for text in task.protocol.datasets}
    assert families == varying | {"digits", "mnist", "wine", "breast_cancer"} | {
        "abalone", "ecoli", "spectf", "vowel"
    }  # fmt: skip


def test_no_two_tasks_of_the_starter_suite_have_the_same_training_samples(starter):
    trained = set()
    for task in starter.parse():
        ids = np.unique(drawn(task, draw_split(task, 0)).train)
        trained.add((parse_call(task.protocol.datasets[0]).name, ids.tobytes()))
    assert len(trained) == len(starter.tasks)


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_names_each_task_once_in_its_canonical_text(name):
    suite = load_suite(name)
    written = tomllib.loads((ROOT / "fsbench" / "suites" / f"{name}.toml").read_text(encoding="utf-8"))[
        "tasks"
    ]
    assert sum(len(ad_hoc(text).tasks) for text in written) == len(suite.tasks) == len(set(suite.tasks))
    assert name.endswith(f"-v{suite.version}")
    assert suite.description.endswith(".")
    for text in suite.tasks:
        assert_canonical(text)
        if not missing_datasets(text):
            assert [task.text for task in parse_tasks(text)] == [text]


def assert_canonical(text: str) -> None:
    """Check a canonical text without the data: it has no default arguments except those always shown."""
    call = parse_call(text)
    assert str(call) == text
    cls = PROTOCOLS[call.name]
    defaults = {f.name: f.default for f in dataclasses.fields(cls) if f.default is not dataclasses.MISSING}
    assert set(cls.shown) <= {name for name, _ in call.kwargs} <= set(defaults)
    for name, value in call.kwargs:
        assert name in cls.shown or value != defaults[name]
    for value in [*call.args, call.keywords.get("source")]:
        if value is not None:
            dataset = as_call(value)
            known = dataset_arguments(dataset.name)
            assert all(name in known and known[name] != given for name, given in dataset.kwargs)


@pytest.mark.parametrize("name", suite_names())
def test_a_suites_recipe_can_be_read_and_its_fingerprints_are_of_its_tasks(name):
    suite = load_suite(name)
    recipes = [suite.recipe] if isinstance(suite.recipe, str) else suite.recipe.values()
    for recipe in recipes:
        assert set(parse_overrides(recipe)) <= {f.name for f in dataclasses.fields(fsbench.Recipe)}
    assert set(suite.fingerprints) <= set(suite.tasks)
    for known in suite.fingerprints.values():
        assert len(known) >= suite.split_seeds
        assert all(len(each) == 16 and int(each, 16) >= 0 for each in known)
    assert suite.cost is not None
    assert suite.cost > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", suite_names())
def test_the_splits_of_a_suite_are_the_published_ones(name):
    """Checked for available data: in an ordinary installation, only that of packages."""
    suite = load_suite(name)
    checked = [text for text in suite.tasks if suite.fingerprints.get(text) and not missing_datasets(text)]
    if not checked:
        pytest.skip("no data of this suite with a published fingerprint is here")
    for text in checked:
        (task,) = parse_tasks(text)
        for seed in range(len(suite.fingerprints[text])):
            check_split(suite, text, seed, draw_split(task, seed).fingerprint)


def test_another_split_than_the_published_one_is_an_error(starter):
    wrong = replace(starter, fingerprints={"kshot(wine, k=2)": ("0123456789abcdef",)})
    with pytest.raises(
        DataError, match=r"starter-v2: split 0 of kshot\(wine, k=2\) is .* not 0123456789abcdef"
    ):
        check_split(wrong, "kshot(wine, k=2)", 0, "fedcba9876543210")
    check_split(wrong, "kshot(wine, k=2)", 1, "a seed that the suite does not name")
    check_split(wrong, "kshot(digits, k=5)", 0, "a task that the suite does not name")


def test_tasks_without_a_suite_have_no_known_splits():
    suite = ad_hoc("kshot(wine, k=[1, 5]), kshot(wine)")
    assert [task.text for task in suite.parse()] == ["kshot(wine, k=1)", "kshot(wine, k=5)"]
    check_split(suite, "kshot(wine, k=5)", 0, "anything")
    with pytest.raises(UnknownName, match="unknown dataset 'wien'; did you mean 'wine'"):
        ad_hoc("kshot(wien)").parse(available=True)
    with pytest.raises(SpecError, match="joined by ','"):
        ad_hoc("kshot(wine)+kshot(digits)")


def test_an_unknown_suite_suggests_the_nearest():
    assert "starter-v1" in suite_names()
    with pytest.raises(UnknownName, match="unknown suite 'started-v1'; did you mean 'starter-v1'"):
        load_suite("started-v1")


def test_the_profile_of_the_long_tail_is_that_of_ldam(tmp_path, monkeypatch):
    """The counts of CIFAR-10-LT at a ratio of 100, 12,406 in all, as in the code of Cao et al."""
    train, test = np.arange(50000) % 10, np.arange(10000) % 10
    blank = {n: np.zeros((n, 32, 32, 3), np.uint8) for n in (50000, 10000)}
    arrays = {"x_train": blank[50000], "y_train": train, "x_test": blank[10000], "y_test": test}
    np.savez_compressed(tmp_path / "cifar10.npz", **arrays)
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    (text,) = (text for text in load_suite("longtail-v1").tasks if "cifar10," in text and "ir=100" in text)
    (task,) = parse_tasks(text)
    counts = task.protocol.train_counts()
    assert counts == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert task.protocol.val_counts() == [0] * 10


def test_the_tables_are_those_that_the_rule_of_the_suite_chooses():
    best: dict[str, tuple[float, str]] = {}
    for name in dataset_names():
        if name.startswith("keel-"):
            many, few = dataset_info(name).class_counts
            if 20 <= few <= 100 and many >= 3 * few:
                best[family(name)] = max(best.get(family(name), (0.0, "")), (many / few, name))
    chosen = {as_call(parse_call(text).args[0]).name for text in load_suite("tabular-v1").tasks}
    assert chosen == {name for _, name in best.values()}
    assert len(chosen) == 21
    again = {as_call(parse_call(text).args[0]) for text in load_suite("tabular-v2").tasks}
    assert {call.name for call in again} == chosen
    assert all(call.keywords == {"grouped": True} for call in again)


def test_equal_rows_are_counted_and_not_divided_in_the_second_version():
    for grouped, least, most in (("", 80, 90), ("(grouped=true)", 0, 0)):
        (task,) = parse_tasks(f"folds(keel-led7digit_0_2_4_5_6_7_8_9_vs_1{grouped}, n=2)")
        table = load_dataset(task.protocol.datasets[0]).x
        rows = np.unique(table, axis=0, return_inverse=True)[1].ravel()
        assert least <= share(task, 2, rows) <= most


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
