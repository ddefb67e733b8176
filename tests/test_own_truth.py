"""Columns of truth values in users' tables, with and without empty cells, in any of three spellings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, read

from fsbench.own.further import read_further

pytestmark = pytest.mark.usefixtures("no_dataset_stays")
SPELLINGS = [("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("TRUE ", "FALSE")]


def people(spelling: tuple[str, str], gap: bool = False, seed: int = 0) -> pd.DataFrame:
    """A table in which smokers are ill, `smoker` is spelled like this, and one of its cells may be empty."""
    rng = np.random.default_rng(seed)
    table = frame(40).assign(size=rng.normal(size=40), smoker=[spelling[i // 2 % 2] for i in range(40)])
    table["kind"] = [("ill", "well")[i // 2 % 2] for i in range(40)]
    if gap:
        table.loc[5, "smoker"] = None
    return table


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_empty_cell_changes_nothing_else(spelling: tuple[str, str], tmp_path: Path) -> None:
    whole = read(csv(tmp_path, people(spelling)), target="kind").dataset
    path = csv(tmp_path, people(spelling, gap=True))
    reading = read(path, target="kind")
    assert reading.dataset.info.columns == whole.info.columns == (0, 0, 3, 0)
    expected = whole.x.copy()
    expected[5, 3] = np.nan
    np.testing.assert_array_equal(reading.dataset.x, expected)
    assert reading.form is not None
    again = read_further(path, reading.form)
    np.testing.assert_array_equal(again.x, expected)
    assert again.warnings == ()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("gaps", [(True, False), (False, True)])
def test_files_go_together_if_one_has_an_empty_cell(
    spelling: tuple[str, str], gaps: tuple[bool, bool], tmp_path: Path
) -> None:
    path = csv(tmp_path, people(spelling, gap=gaps[0]))
    other = csv(tmp_path, people(("True", "False"), gap=gaps[1], seed=1), "other.csv")
    reading = read(path, target="kind", target_data=other)
    assert reading.target is not None
    assert reading.dataset.info.columns == reading.target.info.columns == (0, 0, 3, 0)
    more = csv(tmp_path, people(spelling, gap=gaps[1], seed=1).drop(columns="kind"), "more.csv")
    assert read(path, target="kind", unlabeled=more).dataset.info.num_unlabeled == 40


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_truth_values_of_labels_and_domains_are_compared_alike(
    spelling: tuple[str, str], tmp_path: Path
) -> None:
    table = people(spelling, gap=True)
    path, other = csv(tmp_path, table), csv(tmp_path, people(("True", "False"), seed=1), "other.csv")
    reading = read(path, target="smoker", target_data=other)
    assert reading.dataset.info.classes == ("False", "True")
    table["kind"] = table["colour"].mask(table["smoker"].isna())
    for wanted in ("smoker=TRUE", "smoker=true", "smoker=True"):
        divided = read(csv(tmp_path, table), target="kind", domain=wanted)
        assert divided.target is not None
        assert divided.target.info.text == "things_True"


def test_a_domain_may_be_called_true_beside_other_words(tmp_path: Path) -> None:
    table = frame(40).assign(answered=["true", "later"] * 20, kind=["yes", "yes", "no", "no"] * 10)
    found = read(csv(tmp_path, table), target="kind", domain="answered=true")
    assert found.target is not None
    assert found.target.info.text == "things_true"
