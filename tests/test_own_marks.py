"""Points and commas in numbers of users' tables that may divide thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsbench.errors import DataError
from fsbench.own.parsing import parse_table


def test_points_that_may_divide_thousands_are_refused_beside_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "german.csv"
    rows = [f"{'1.461' if i % 2 else 670 + i};0,{i + 10};{'ab'[i % 2]}" for i in range(20)]
    path.write_text("\n".join(["Umsatz;Quote;Klasse", *rows]))
    said = "'Umsatz' has values such as 1.461, .* 'Quote' has decimal commas; write 1461 .* otherwise 1,461"
    with pytest.raises(DataError, match=said):
        parse_table(path, "Klasse")
    path.write_text(path.read_text().replace("1.461", "0.461"))
    assert parse_table(path, "Klasse")["Umsatz"][1] == 0.461
    path.write_text(path.read_text().replace("0.461", "1.461").replace("0,", "0."))
    assert parse_table(path, "Klasse")["Umsatz"][1] == 1.461


def test_long_decimals_elsewhere_do_not_settle_points_beside_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    rows = [f"1.46{i % 10};0,{i + 10};0.{12345 + i};{'ab'[i % 2]}" for i in range(20)]
    path.write_text("\n".join(["Umsatz;Quote;Anteil;Klasse", *rows]))
    with pytest.raises(DataError, match=r"'Umsatz' has values such as 1\.460, .* 'Quote' has decimal commas"):
        parse_table(path, "Klasse")


def test_commas_that_may_divide_thousands_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sales.tsv"
    rows = [f"{'1,461' if i % 2 else 670 + i}\t0.{i + 10}\t{'ab'[i % 2]}" for i in range(20)]
    path.write_text("\n".join(["sales\tshare\tkind", *rows]))
    said = "'sales' has values such as 1,461; write 1461 if the comma divides thousands, otherwise 1.461"
    with pytest.raises(DataError, match=said):
        parse_table(path, "kind")
    path.write_text(path.read_text().replace("0.", "0,"))
    assert parse_table(path, "kind")["sales"][1] == 1.461


def sales(values: str, others: str = "3 4 5", sep: str = ";") -> str:
    """A table with two columns of numbers, given by their texts."""
    rows = zip(values.split() * 4, others.split() * 4, ["a", "b"] * 6, strict=True)
    return "\n".join(sep.join(row) for row in [("sales", "count", "kind"), *rows])


@pytest.mark.parametrize("sep", [";", "\t", "|"])
@pytest.mark.parametrize("others", ["3 4 5", "1.000 2.500 3.125", "-1.461 NA 0"])
def test_points_beside_whole_numbers_are_refused(sep: str, others: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(sales("2.481 844 1.033", others, sep))
    said = "'sales' has values such as 2.481 and 844; write 2481 if the point .*, otherwise 844.0"
    with pytest.raises(DataError, match=said):
        parse_table(path, "kind")
    path.write_text(path.read_text().replace("844", "844.0"))
    assert parse_table(path, "kind")["sales"][1] == 844


@pytest.mark.parametrize(
    ("values", "others"),
    [
        ("2.481 84.4 1.033", "3 4 5"),
        ("2.481 844 0.033", "3 4 5"),
        ("2.481 8.440 1.033", "3 4 5"),
        ("2.481 844 1.033", "0.25 4 5"),
        ("2.481 844 1.033", "0.12345 4 5"),
        ("2.481 844 1.033", "0.5e3 4 5"),
        ("2481 844 NA", "3 4 5"),
    ],
)
def test_decimal_points_are_read(values: str, others: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(sales(values, others))
    assert parse_table(path, "kind")["sales"][0] == float(values.split()[0])


def test_points_of_a_file_with_commas_are_decimal(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(sales("2.481 844 1.033", sep=","))
    assert parse_table(path, "kind")["sales"][0] == 2.481
