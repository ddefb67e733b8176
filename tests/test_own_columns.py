"""Columns of users' tables: dates, numbers in other spellings, and texts that are nearly all different."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, read

from fsbench.errors import DataError
from fsbench.own.dates import days, formats_of
from fsbench.own.further import read_further

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


MOMENTS = {
    "2024-01-15T10:00:00Z": "2024-01-15 10:00",
    "2024-01-15 10:12:01.250": "2024-01-15 10:12:01.250",
    "2024-01-15T23:30:00.5-02:00": "2024-01-16 01:30:00.5",
    "2024-01-15 10:00:00+02": "2024-01-15 08:00",
    "15.01.2024 10:00 +0530": "2024-01-15 04:30",
    "1/15/2024 10:00": "2024-01-15 10:00",
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_times_may_have_fractions_and_zones(text: str, moment: str) -> None:
    texts = pd.Series([text, text])
    (form,) = formats_of(texts)
    since = pd.Timestamp(moment).to_pydatetime() - datetime(1970, 1, 1)
    assert days(texts, form)[1] == since / timedelta(days=1)


def test_dates_far_away_are_dates(tmp_path: Path) -> None:
    """As 9999-12-31 for no end, which nanoseconds since 1970 do not reach."""
    dates = [f"2024-01-{1 + i % 28:02d}" for i in range(28)] + ["9999-12-31", "1650-01-01"]
    reading = read(csv(tmp_path, frame().assign(end=dates)), target="kind")
    found = reading.dataset.x[:, 3]
    assert found[28] - found[0] == (datetime(9999, 12, 31) - datetime(2024, 1, 1)).days
    assert found[29] - found[0] == (datetime(1650, 1, 1) - datetime(2024, 1, 1)).days


def test_times_of_two_zones_are_in_order_and_a_time_without_one_is_none_of_them(tmp_path: Path) -> None:
    hours = [f"2024-01-{i // 2 + 1:02d}T{i % 2 * 4 + 10}:00:00+{i % 2 * 5:02d}:00" for i in range(30)]
    reading = read(csv(tmp_path, frame().assign(visit=hours)), target="kind")
    assert (np.diff(reading.dataset.x[:, 3])[::2] < 0).all()
    new = frame()[:3].assign(
        visit=["2024-01-01T10:00:00Z", "2024-01-01 10:00", "2024-01-01T10:00:00.0+00:00"]
    )
    assert reading.form is not None
    further = read_further(csv(tmp_path, new, "new.csv"), reading.form)
    assert further.x[[0, 2], 3].tolist() == [reading.dataset.x[0, 3]] * 2
    assert np.isnan(further.x[1, 3])
    assert (
        "column 'visit': 1 row with no date as in training, such as 2024-01-31 08:15Z ('2024-01-01 10:00'), "
        "which counts as missing"
    ) in further.warnings


def test_dates_that_can_be_read_in_two_ways_are_left_out(tmp_path: Path) -> None:
    table = frame().assign(visit=[f"{1 + i % 12:02d}/{1 + i % 7:02d}/2024" for i in range(30)])
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3)
    assert (
        "column 'visit' left out: dates that may be day/month or month/day; write them as 2024-01-31"
        in reading.warnings
    )


def told(folder: Path, values: list[str]) -> list[str]:
    """What is said of how a column with these values, over and over, is read."""
    table = frame().assign(odd=[values[i % len(values)] for i in range(30)])
    said = read(csv(folder, table), target="kind").warnings
    return [line for line in said if "'odd'" in line and "alone tells" not in line]


SPELLED = {
    "12345, or 12.345 if the comma is a decimal one": ["12,345", "1,234", "670"],
    "1234567": ["1 234 567", "650 000"],
    "0.5": ["12,345", "0,5"],
    "45.1": ["45.1%", "3 %"],
    "123.00": ["$123.00", "-$1,000.50"],
    "1461.50": ["1.461,50 €", "0,20 €"],
    "-1234.5": ["(1,234.5)", "20.1"],
    "-5": ["\u22125", "\u22126", "3"],
    "5": ["5 kg", "6.5 kg", "none", "7 kg", "8 kg"],
}


@pytest.mark.parametrize(("plain", "values"), SPELLED.items(), ids=SPELLED)
def test_numbers_with_separators_or_units_are_pointed_out(
    plain: str, values: list[str], tmp_path: Path
) -> None:
    shown = values[1] if plain == "0.5" else values[0]
    why = f"values such as {shown!r} are not read as numbers; write {plain}"
    assert told(tmp_path, values) == [f"column 'odd' read as categories: {why}"]


def test_a_column_left_out_is_said_to_be_of_numbers_times_or_dates(tmp_path: Path) -> None:
    table = frame().assign(
        income=[f"{i + 1},{100 + i}" for i in range(30)],
        debt=[f"{i + 2},{100 + i}" for i in range(30)],
        start=[f"08:{15 + i}" for i in range(30)],
        born=[f"{i + 1} Jan 2024" for i in range(30)],
        visit=["unknown", *DAYS.dt.strftime("%Y-%m-%d")[1:]],
        age=[str(i) if i % 3 else "-" for i in range(30)],
    )
    assert read(csv(tmp_path, table), target="kind").warnings == (
        "columns 'income', 'debt' left out: values such as '1,100' are not read as numbers; write 1100, or "
        "1.100 if the comma is a decimal one",
        "column 'start' left out: values such as '08:15' are not read; write numbers, such as 8.25 hours",
        "column 'born' left out: values such as '1 Jan 2024' are not read as dates; write 2024-01-31, or "
        "2024-01-31 08:15",
        "column 'visit' left out: 29 of 30 values are dates, but 'unknown' is not; correct the file, or "
        "leave such values empty",
        "column 'age' left out: 20 of 30 values are numbers, but '-' is not; correct the file, or leave "
        "such values empty",
    )


FORMS = [
    ["2024-01-31", "31.01.2024", "2024-02-01"],
    ["2024-01-31T10:00:00Z", "2024-01-31T10:00:00", "2024-02-01T10:00:00Z"],
]


@pytest.mark.parametrize("values", FORMS)
def test_dates_in_several_forms_are_pointed_out(values: list[str], tmp_path: Path) -> None:
    shown = f"'{values[0]}' and '{values[1]}'"
    why = f"dates in several forms, such as {shown}; write all of them as 2024-01-31"
    assert told(tmp_path, values) == [f"column 'odd' read as categories: {why}"]


def test_categories_that_differ_only_in_case_are_pointed_out(tmp_path: Path) -> None:
    assert told(tmp_path, ["red", "Red", "blue"]) == [
        "column 'odd': categories 'Red', 'red' differ only in case or spaces; if they are one category, "
        "write them alike"
    ]


NO_NUMBERS = [
    ["P001", "P002"],
    ["001A", "002A"],
    ["10-20", "20-30"],
    ["1st", "2nd", "3rd"],
    ["5 apples", "3 pears"],
    ["10.0.0.1", "1.2.3"],
    ["12 Main St", "5 Main St"],
    ["$5", "5 €"],
]


@pytest.mark.parametrize("values", NO_NUMBERS)
def test_codes_and_ranges_are_not_taken_for_numbers(values: list[str], tmp_path: Path) -> None:
    assert told(tmp_path, values) == []


DOUBTFUL = {
    "-999 in 10 rows may stand for a missing value; if so, leave it empty": [-999, 31, 40.5],
    "9999 in 6 rows may stand for a missing value; if so, leave it empty": [9999, 31, 40, 5, 2],
    "values such as 20240131 may be dates; if so, write 2024-01-31": [20240131, 20231224, 20240201],
    "-99 in 10 rows may stand for a missing value; if so, leave it empty": [-99, -31.5, 40],
    "999 in 10 rows may stand for a missing value; if so, leave it empty": [999, -31.5, 40],
    "no mark": [-999, -31, 999, 2],
    "no mark either": [-9, -5, -1, 3, 4],
    "no dates": [20240131, 20231324],
    "one mark": [-999, *(31 + 7 * i % 29 for i in range(29))],
}


@pytest.mark.parametrize(("said", "values"), DOUBTFUL.items(), ids=DOUBTFUL)
def test_numbers_that_may_be_dates_or_missing_values_are_pointed_out(
    said: str, values: list[float], tmp_path: Path
) -> None:
    expected = [f"column 'odd' read as numbers: {said}"] if "if so" in said else []
    assert told(tmp_path, values) == expected


def test_texts_to_learn_from_are_named_by_an_option(tmp_path: Path) -> None:
    table = frame().assign(review=[f"number {i} was very good" for i in range(30)])
    said = "different text in every row; to learn from these texts, name the column by --text"
    assert any(
        f"column 'review' left out: a {said}" == line
        for line in read(csv(tmp_path, table), target="kind").warnings
    )


def test_a_row_of_units_is_pointed_out(tmp_path: Path) -> None:
    header, *rows = frame().to_csv(index=False).splitlines()
    table = "\n".join([header, "cm,,,", *rows])
    assert read(csv(tmp_path, table), target="kind").warnings == (
        "1 row without 'kind' left out",
        "column 'size' left out: all rows with a label have numbers, but another row does not; correct or "
        "remove that row",
    )


def test_further_inputs_are_refused_with_the_same_advice(tmp_path: Path) -> None:
    reading = read(csv(tmp_path, frame()), target="kind")
    assert reading.form is not None
    new = csv(tmp_path, frame()[:3].assign(count=["12", "1,345", "7"]), "new.csv")
    with pytest.raises(DataError, match=r"'count' has texts; the model takes numbers there: .*write 1345"):
        read_further(new, reading.form)
    new = csv(tmp_path, frame()[:3].assign(count=["12", "many", "7"]), "new.csv")
    with pytest.raises(DataError, match="'count' has texts, such as 'many'; the model takes numbers there"):
        read_further(new, reading.form)


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
