"""Columns of users' tables: dates, texts that are nearly all different, and copies of the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, npz, read

from fsbench.own.copies import copies_of_target, warn_of_copies

DAYS = pd.Series(pd.date_range("2023-11-05", periods=30, freq="13D"))


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S"])
def test_dates_become_days(form: str, tmp_path: Path) -> None:
    table = frame().assign(visit=DAYS.dt.strftime(form))
    table.loc[4, "visit"] = None
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3, 0)
    days = reading.dataset.x[:, 3]
    assert np.isnan(days[4])
    np.testing.assert_allclose(np.delete(days - days[0], 4), np.delete(np.arange(30) * 13.0, 4))
    assert (
        "column 'visit': dates, which become numbers of days; if the month or the weekday matters, add a "
        "column with it"
    ) in reading.warnings


def test_dates_that_can_be_read_in_two_ways_are_left_out(tmp_path: Path) -> None:
    table = frame().assign(visit=[f"{1 + i % 12:02d}/{1 + i % 7:02d}/2024" for i in range(30)])
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3)
    assert (
        "column 'visit' left out: dates that may be day/month or month/day; write them as 2024-01-31"
        in reading.warnings
    )


def test_texts_that_are_not_all_dates_are_no_dates(tmp_path: Path) -> None:
    table = frame().assign(visit=["2024-01-31", "2024-02-31", "2024-03-01"] * 10)
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3, 3)
    assert reading.warnings == ()


@pytest.mark.parametrize(("different", "kept"), [(30, False), (29, False), (16, False), (15, True)])
def test_texts_that_are_nearly_all_different_are_no_categories(
    different: int, kept: bool, tmp_path: Path
) -> None:
    table = frame().assign(remark=[f"remark {i % different}" for i in range(30)])
    reading = read(csv(tmp_path, table), target="kind")
    assert len(reading.dataset.info.columns) == 3 + kept
    said = any("'remark' left out: " in line for line in reading.warnings)
    assert said is not kept


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


def test_columns_that_give_the_answer_away_share_a_warning() -> None:
    remarks: list[str] = []
    warn_of_copies(["code", "mark"], remarks)
    assert remarks == [
        "columns 'code', 'mark' each tell the class of every sample alone: if they are made from the target, "
        "or known only when the class is, leave them out"
    ]


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
