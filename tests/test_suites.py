from __future__ import annotations

import dataclasses
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fsbench
from fsbench.datasets.known import (
    dataset_arguments,
    dataset_info,
    dataset_names,
    family,
    load_dataset,
)
from fsbench.errors import DataError, SpecError, UnknownName, UsageError
from fsbench.recipes.recipe import parse_overrides
from fsbench.same_data import check_split
from fsbench.spec import as_call, parse_call
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.protocols import PROTOCOLS
from fsbench.tasks.splits import draw_split, drawn
from fsbench.tasks.suites import Suite, ad_hoc, load_suite, missing_datasets, suite_names

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.equal_rows import share  # noqa: E402


@pytest.fixture(scope="module")
def starter() -> Suite:
    return load_suite("starter-v3")


def test_the_starter_suite_has_every_kind_and_needs_no_download(starter, tmp_path, monkeypatch):
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    tasks = starter.parse()
    infos = [task.info for task in tasks]
    assert {info.protocol for info in infos} == {"kshot", "longtail", "noisy", "shift", "episodes", "holdout"}
    assert {info.kind for info in infos} == {"image", "table", "text"}
    assert (starter.name, starter.version, starter.split_seeds) == ("starter-v3", 3, 5)
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


@pytest.mark.slow
def test_the_starter_suite_has_the_tables_of_keel_that_its_comment_describes(starter):
    families: dict[str, list[tuple[float, str]]] = {}
    for name in dataset_names():
        if name.startswith("keel-"):
            counts = dataset_info(name).class_counts
            if 30 <= min(counts) <= 100 and 250 <= sum(counts) <= 1000:
                table = load_dataset(name).x
                if len(np.unique(table, axis=0)) == len(table):
                    families.setdefault(family(name), []).append((min(counts) / sum(counts), name))
    chosen = {f"holdout({min(tables)[1]}, test=0.5)" for tables in families.values()}
    assert chosen == {text for text in starter.tasks if "keel" in text}


@pytest.mark.slow
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
        DataError, match=r"starter-v3: split 0 of kshot\(wine, k=2\) is .* not 0123456789abcdef"
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


def suite_file(folder: Path, fingerprints: str) -> Path:
    file = folder / "mine-v1.toml"
    text = 'version = 1\ndescription = "mine"\ntasks = ["kshot(wine,k=2)"]\nsplit_seeds = 1\n[fingerprints]\n'
    file.write_text(text + fingerprints, encoding="utf-8")
    return file


@pytest.mark.parametrize("text", ["kshot(wine,k=2)", "kshot(wine, k=2)"])
def test_fingerprints_are_of_a_task_however_it_is_written(text: str, tmp_path: Path) -> None:
    suite = load_suite(str(suite_file(tmp_path, f'"{text}" = ["0123456789abcdef"]')))
    assert suite.fingerprints == {"kshot(wine, k=2)": ("0123456789abcdef",)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"kshot(wine, k=2)" = [1, 2]', "expected a list of texts of 16 hexadecimal digits"),
        ('"kshot(wine, k=2)" = "abc"', "expected a list of texts of 16 hexadecimal digits"),
        ('"kshot(wine, k=2)" = [""]', "expected a list of texts of 16 hexadecimal digits"),
        ('"kshot(wine, k=3)" = ["0123456789abcdef"]', "which is not one of its tasks"),
        ('"kshot(wine, k=[2, 3])" = ["0123456789abcdef"]', "which is not one task"),
    ],
)
def test_wrong_fingerprints_are_refused(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        load_suite(str(suite_file(tmp_path, line)))
