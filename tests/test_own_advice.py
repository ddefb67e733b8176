"""Advice on columns of texts is given from the different texts, without a look at each row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fsbench.own import spellings
from fsbench.own.column import Column
from fsbench.own.spellings import advice

TEXTS = ["lo", "a1", "None", "inf", "5", "5 kg", "1,234", "08:15", "2024-01-31", "31.01.2024", "31 Jan 2024"]


def test_texts_that_look_like_nothing_else_are_not_examined_row_by_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(texts: pd.Series) -> None:
        raise AssertionError("examined")

    monkeypatch.setattr(spellings, "_of_numbers", refuse)
    for texts in (["lo", "hi", None], ["g1", "g2", "5"], ["None", "None", None], []):
        assert advice(pd.Series(texts * 20, dtype=str)) is None
    with pytest.raises(AssertionError, match="examined"):
        advice(pd.Series(["5 kg", "6 kg"]))


def test_the_advice_is_that_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns = [
        pd.Series([str(text) for text in rng.choice(rng.choice(TEXTS, 3), 12, p=rng.dirichlet([0.5] * 3))])
        for _ in range(300)
    ]
    found = [advice(column) for column in columns]
    monkeypatch.setattr(spellings, "_may_be_meant", lambda text: True)
    assert found == [advice(column) for column in columns]
    assert 50 < sum(each is not None for each in found) < 250


def test_a_column_of_categories_has_their_places() -> None:
    table = pd.DataFrame({"c": ["b", None, "a", "x", "b"], "n": [2, 1, 2, 3, 1]})
    np.testing.assert_array_equal(Column("c", ("a", "b")).values(table), [1, np.nan, 0, np.nan, 1])
    np.testing.assert_array_equal(Column("n", ("1", "2")).values(table), [1, 0, 1, np.nan, 0])
    assert Column("c", ("a",)).values(table[:0]).shape == (0,)
