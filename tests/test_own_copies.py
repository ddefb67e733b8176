"""Equal rows of users' tables: copies, which stay on one side of a split, or rows of a coarse table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, groups_of_parts, read

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


@pytest.mark.parametrize("rare", [100, 10])
def test_ages_with_random_labels_are_coarse_even_if_most_labels_are_equal(rare: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"age": rng.integers(20, 60, 200)})
    table["kind"] = rng.permutation(["ill"] * rare + ["well"] * (200 - rare))
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.groups is None
    assert any("the table is coarse" in line for line in reading.warnings)
