"""Columns of users' tables that give the answer away, and those that only seem to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, npz, read

from fsbench.own.copies import copies_of_target, gaps_by_class

COPIES = {
    "a text": lambda kind: kind.map({"yes": "Y", "no": "N"}),
    "several texts for a class": lambda kind: [f"{k}{i % 3}" for i, k in enumerate(kind)],
    "a number": lambda kind: (kind == "yes") * 7 + 1,
    "an interval of numbers": lambda kind: (kind == "yes") * 9.0 + np.linspace(0, 5, 30),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_column_that_gives_the_answer_away_is_warned_about(make, tmp_path: Path) -> None:
    table = frame()
    reading = read(csv(tmp_path, table.assign(code=make(table["kind"]))), target="kind")
    said = [line for line in reading.warnings if "alone tells the class of every sample" in line]
    assert len(said) == 1
    assert said[0].startswith("column 'code' alone tells")


def test_columns_that_give_the_answer_away_share_a_warning(tmp_path: Path) -> None:
    table = frame().assign(code=(frame()["kind"] == "yes") * 3, mark=(frame()["kind"] == "yes") * 5)
    said = (
        "columns 'code', 'mark' each alone tell the class of every sample: if they are made from the target, "
        "or known only when the class is, leave them out"
    )
    assert said in read(csv(tmp_path, table), target="kind").warnings


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_few_empty_cells_hide_no_copy(make, tmp_path: Path) -> None:
    table = frame().assign(code=make(frame()["kind"])).astype({"code": object})
    table.loc[[3, 8, 20], "code"] = None
    said = "column 'code' alone tells the class of every sample that has a value there: if it is made from"
    assert any(line.startswith(said) for line in read(csv(tmp_path, table), target="kind").warnings)


@pytest.mark.parametrize("classes", [2, 3])
def test_noise_that_is_missing_in_one_class_is_said_to_be_missing_there(classes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    table["kind"] = [f"k{i % classes}" for i in range(60)]
    table.loc[table["kind"] == "k1", ["a", "b"]] = None
    table.loc[[3, 9, 10], "c"] = None
    assert read(csv(tmp_path, table), target="kind").warnings == (
        "columns 'a', 'b' are missing in every sample of class 'k1' and in no other: if they are known only "
        "when the class is, leave them out",
    )


def test_what_is_missing_in_other_classes_too_is_not_missing_by_class() -> None:
    y, x = np.arange(40) % 2, np.ones((40, 1))
    x[y == 1] = np.nan
    assert gaps_by_class(x, y, ["only"]) == {1: ["only"]}
    x[0] = np.nan
    assert gaps_by_class(x, y, ["only"]) == {}


def test_a_copy_in_an_array_is_named_by_its_place(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    x[:, 1] = 5 * y + 1
    assert any("column '1 of x' alone tells" in line for line in read(npz(tmp_path, x=x, y=y)).warnings)


def test_a_nearly_perfect_column_and_four_rows_are_not_warned_about(tmp_path: Path) -> None:
    table = frame()
    code = (table["kind"] == "yes").astype(int)
    code[3] = 1 - code[3]
    assert read(csv(tmp_path, table.assign(code=code)), target="kind").warnings == ()
    x, y = np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([0, 0, 1, 1])
    assert copies_of_target(x, (), y, ["only"]) == []
    assert gaps_by_class(np.where(x > 3, np.nan, x), y, ["only"]) == {}


def test_random_columns_rarely_give_the_answer_away() -> None:
    """Of 4,000 tables with random columns, at most one in a thousand causes a warning, up to chance."""
    rng = np.random.default_rng(0)
    warned = 0
    for _ in range(4000):
        n, classes, width = rng.integers(8, 30), rng.integers(2, 4), rng.integers(1, 20)
        y = np.arange(n) % classes
        kinds = rng.integers(0, 2, width) * 3
        x = np.where(kinds > 0, rng.integers(0, 3, (n, width)), rng.normal(size=(n, width)))
        warned += bool(copies_of_target(x, kinds.tolist(), y, [str(c) for c in range(width)]))
    assert warned <= 10


def test_what_is_rare_depends_on_the_number_of_columns_and_on_their_order() -> None:
    """14 samples: random labels are told by an interval with a probability of 2 * 7! * 7! / 14!, 0.0006."""
    y = np.arange(14) // 7
    interval, noise = np.arange(14.0)[:, None], np.tile(np.arange(14.0)[:, None] % 2, 9)
    assert copies_of_target(interval, (), y, ["only"]) == ["only"]
    assert copies_of_target(np.hstack([interval, noise]), (), y, [*"abcdefghij"]) == []
    # Four categories, in whatever order, can be divided between two classes in 16 ways.
    assert copies_of_target(interval // 3.5, (), y, ["number"]) == ["number"]
    assert copies_of_target(interval // 3.5, (4,), y, ["category"]) == []


def visits(seed: int) -> pd.DataFrame:
    """30 patients with 4 visits each: a class and noise for each patient, and noise for each visit."""
    rng = np.random.default_rng(seed)
    patients = pd.DataFrame(rng.normal(size=(30, 5)), columns=[f"n{i}" for i in range(5)])
    patients["kind"] = rng.permutation(["no", "yes"] * 15)
    patients["patient"] = [f"p{i}" for i in range(30)]
    return patients.loc[patients.index.repeat(4)].assign(visit=rng.normal(size=120))


def test_samples_of_a_group_count_once(tmp_path: Path) -> None:
    table = visits(0)
    said = read(csv(tmp_path, table), target="kind", group="patient").warnings
    assert not [line for line in said if "alone" in line]
    twice = table.drop(columns=["visit", "patient"])
    assert not [line for line in read(csv(tmp_path, twice), target="kind").warnings if "alone" in line]
    leak = table.assign(code=(table["kind"] == "yes") * 9.0 + table["visit"].abs())
    said = read(csv(tmp_path, leak), target="kind", group="patient").warnings
    assert [line for line in said if line.startswith("column 'code' alone tells the class of every sample")]
    leak.iloc[1, leak.columns.get_loc("code")] += 20 * (1 if leak["kind"].iloc[1] == "no" else -1)
    said = read(csv(tmp_path, leak), target="kind", group="patient").warnings
    assert not [line for line in said if "'code'" in line]
