"""Equal rows of users' tables: copies, which stay on one side of a split, or rows of a coarse table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, groups_of_parts, npz, read

from fsbench.errors import DataError

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def test_a_table_of_copies_is_not_coarse(tmp_path: Path) -> None:
    table = frame(40)
    twice = pd.concat([table, table], ignore_index=True)
    reading = read(csv(tmp_path, twice), target="kind")
    assert "80 of 80 rows are equal; each set of them is kept on one side of a split" in reading.warnings
    for train, val, test in groups_of_parts(reading, splits=2):
        assert not (train | val) & test
    new = csv(tmp_path, table[:5].drop(columns="kind").assign(count=[*table["count"][:4], 5]), "new.csv")
    unlabeled = read(tmp_path / "things.csv", target="kind", unlabeled=new).dataset.unlabeled
    assert unlabeled is not None
    assert len(unlabeled) == 1


@pytest.mark.parametrize("wrong", [1, 8])
def test_copies_with_wrong_labels_stay_together_and_are_named(wrong: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(100, 6)), columns=list("abcdef"))
    table["kind"] = rng.permutation(["no", "yes"] * 50)
    twice = pd.concat([table, table], ignore_index=True)
    twice.loc[: wrong - 1, "kind"] = ["no" if kind == "yes" else "yes" for kind in table["kind"][:wrong]]
    reading = read(csv(tmp_path, twice), target="kind")
    groups = reading.dataset.groups
    assert groups is not None
    assert (groups[:100] == groups[100:]).all()
    assert len(np.unique(groups)) == 100
    said = f"{wrong} pair{'s' if wrong > 1 else ''} of equal rows have different classes: row 1 and row 101"
    assert reading.warnings[0].startswith(said)


def test_a_coarse_table_is_not_grouped(tmp_path: Path) -> None:
    reading = read(csv(tmp_path, frame(60)[["colour", "kind"]]), target="kind")
    assert reading.dataset.groups is None
    assert "60 of 60 rows equal another row: the table is coarse" in "\n".join(reading.warnings)


def pairs_by_chance() -> pd.DataFrame:
    """Of 40 values, 20 come twice, with labels of their own."""
    values = np.r_[np.arange(40), np.arange(20)]
    return pd.DataFrame({"age": values, "kind": np.where(np.r_[:40, 1:21] % 2, "yes", "no")})


def categories_of_one_class() -> pd.DataFrame:
    """The categories tell the class; they are not measured, so equal rows need not be copies."""
    colour = np.resize(["red", "pink", "blue", "navy"], 60)
    return pd.DataFrame({"colour": colour, "kind": np.where(np.isin(colour, ["red", "pink"]), "yes", "no")})


def one_row_for_most_of_a_class() -> pd.DataFrame:
    """Kept on one side of a split, it would leave hardly anything for the other."""
    sizes = [1.5, 2.5, 3.5, *[0.5] * 12]
    return pd.DataFrame({"size": [*sizes, *(9 + s for s in sizes)], "kind": ["yes"] * 15 + ["no"] * 15})


@pytest.mark.parametrize("make", [pairs_by_chance, categories_of_one_class, one_row_for_most_of_a_class])
def test_rows_that_are_equal_for_other_reasons_are_not_grouped(
    make: Callable[[], pd.DataFrame], tmp_path: Path
) -> None:
    reading = read(csv(tmp_path, make()), target="kind")
    assert reading.dataset.groups is None
    assert "rows equal another row: the table is coarse" in "\n".join(reading.warnings)


def test_a_measurement_beside_categories_tells_rows_apart(tmp_path: Path) -> None:
    """It looks like an ID, but without it nearly all rows are equal."""
    income = np.random.default_rng(3).choice(90_000, 60, replace=False)
    reading = read(csv(tmp_path, categories_of_one_class().assign(income=income)), target="kind")
    assert reading.dataset.groups is None
    assert "coarse" not in "\n".join(reading.warnings)


@pytest.mark.parametrize("rare", [100, 10])
def test_ages_with_random_labels_are_coarse_even_if_most_labels_are_equal(rare: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"age": rng.integers(20, 60, 200)})
    table["kind"] = rng.permutation(["ill"] * rare + ["well"] * (200 - rare))
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.groups is None
    assert any("the table is coarse" in line for line in reading.warnings)


def numbered(rows: int, again: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of numbers, categories and classes whose last rows repeat the first, and a new ID for each."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 3)).round(3), columns=list("abc"))
    table["colour"], table["kind"] = (
        rng.choice(["red", "blue"], rows),
        rng.permutation(["no", "yes"] * (rows // 2)),
    )
    return pd.concat([table, table[:again]], ignore_index=True), rng.choice(
        10**8, rows + again, replace=False
    )


@pytest.mark.parametrize("again", [8, 60])
@pytest.mark.parametrize("form", ["numbers", "dates", "both"])
def test_copies_with_an_id_or_a_time_of_their_own_stay_together(
    form: str, again: int, tmp_path: Path
) -> None:
    table, ids = numbered(60, again)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(ids, "s")
    named = {"numbers": ["id"], "dates": ["entered"], "both": ["id", "entered"]}[form]
    table = table.assign(id=ids, entered=times.strftime("%Y-%m-%d %H:%M:%S"))[
        [*"abc", "colour", "kind", *named]
    ]
    reading = read(csv(tmp_path, table), target="kind")
    groups = reading.dataset.groups
    assert groups is not None
    assert (groups[:again] == groups[60:]).all()
    assert len(np.unique(groups)) == 60
    columns = f"column{'s' if len(named) > 1 else ''} {', '.join(map(repr, named))}"
    said = f"{2 * again} of {60 + again} rows are equal except for {columns}; each set of them is kept on one"
    assert said in "\n".join(reading.warnings)
    for train, val, test in groups_of_parts(reading, splits=2):
        assert not (train | val) & test


def test_unlabelled_copies_with_an_id_of_their_own_are_left_out(tmp_path: Path) -> None:
    table, ids = numbered(60, 10)
    path = csv(tmp_path, table[:60].assign(id=ids[:60]))
    more = csv(tmp_path, numbered(60, 0, seed=1)[0][:5].assign(id=range(5)), "more.csv")
    copies = csv(tmp_path, table[60:].assign(id=ids[60:]).drop(columns="kind"), "copies.csv")
    with pytest.raises(DataError, match="each row without a label repeats one with a label"):
        read(path, target="kind", unlabeled=copies)
    mixed = pd.concat([pd.read_csv(more).drop(columns="kind"), pd.read_csv(copies)])
    unlabeled = read(path, target="kind", unlabeled=csv(tmp_path, mixed, "mixed.csv")).dataset.unlabeled
    assert unlabeled is not None
    assert len(unlabeled) == 5


def test_copies_in_an_array_are_found_beside_an_id(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    x = np.column_stack([np.concatenate([x, x]), np.random.default_rng(1).choice(10**8, 60, replace=False)])
    said = (
        "60 of 60 rows are equal except for column '3 of x'; each set of them is kept on one side of a split"
    )
    assert said in read(npz(tmp_path, x=x, y=np.tile(np.arange(30) % 2, 2))).warnings


@pytest.mark.parametrize("ages", [5, 60, 200])
def test_whole_numbers_that_are_measured_do_not_join_rows(ages: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"age": rng.integers(20, 20 + ages, 120), "sex": rng.choice(["f", "m"], 120)})
    table["income"], table["kind"] = (
        rng.choice(90_000, 120, replace=False),
        rng.permutation(["no", "yes"] * 60),
    )
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.groups is None
    assert reading.warnings == ()
