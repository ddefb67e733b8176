"""Rows of users' tables that have fewer fields than there are names."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_files import csv, frame, read

from fsbench.errors import DataError
from fsbench.own.further import read_further
from fsbench.own.parsing import parse_table


def lines(n: int = 40) -> list[str]:
    """The lines of a table, the first of which has its four names."""
    return frame(n).to_csv(index=False).splitlines()


@pytest.mark.parametrize(("sep", "names"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_a_row_with_too_few_fields_is_refused(place: int, sep: str, names: str, tmp_path: Path) -> None:
    text = lines()
    for number in (6, 12, 30):
        fields = text[number].split(",")
        text[number] = ",".join(fields[:place] + fields[place + 1 :])
    text[9] = ""
    said = (
        r"3 rows with fewer values than the 4 names of the first line \(line 7 has 3, line 13 has 3, line 31 "
        rf"has 3\); write all {names} of a row, also where it has no value"
    )
    path = csv(tmp_path, "\n".join(text).replace(",", sep))
    with pytest.raises(DataError, match=said):
        parse_table(path, "kind")


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = ['"a\nb";n;kind', '"x\n\ny";1;p', '"z";"2;3";q', "w;4", "", "v;5;q"]
    with pytest.raises(
        DataError, match=r"1 row with .* the 3 names of the first line \(line 7 has 2\); write"
    ):
        parse_table(csv(tmp_path, "\n".join(text)), "kind")


def test_inputs_for_a_model_are_refused_alike(tmp_path: Path) -> None:
    form = read(csv(tmp_path, frame()), target="kind").form
    assert form is not None
    new = csv(tmp_path, "size,count,colour\n0.5,7,red\n7,red\n", "new.csv")
    with pytest.raises(DataError, match="line 3 has 2"):
        read_further(new, form)


FINE = {
    "delimiters": [
        each.rsplit(",", 1)[0] + ",," if i % 3 == 1 else each + "," for i, each in enumerate(lines())
    ],
    "empty lines": [*lines()[:5], "", "  ", *lines()[5:], "", ""],
    "names of nothing": [lines()[0] + ",,", *lines()[1:]],
    "blocks of Excel": [each if i // 16 != 1 else each.rsplit(",", 2)[0] for i, each in enumerate(lines(60))],
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_rows_without_a_last_value_are_read(text: list[str], tmp_path: Path) -> None:
    table = parse_table(csv(tmp_path, "\n".join(text)), "kind")
    assert table["size"].tolist() == frame(len(table))["size"].tolist()
    if len(table) == 60:
        assert table["kind"].isna().sum() == table["colour"].isna().sum() == 16


@pytest.mark.parametrize("first", [0, 1])
def test_columns_may_be_numbered_but_not_named_by_other_numbers(first: int, tmp_path: Path) -> None:
    names = [str(first + place) for place in range(4)]
    table = frame().set_axis(names, axis=1)
    assert read(csv(tmp_path, table), target=names[-1]).dataset.info.n == 30
    with pytest.raises(DataError, match=r"the first line contains numbers \(.*\), not names"):
        read(csv(tmp_path, table.set_axis(names[::-1], axis=1)), target=names[0])


def test_an_empty_line_in_a_block_of_excel_changes_nothing(tmp_path: Path) -> None:
    text = lines(60)
    text.insert(20, "")
    short = [each.rsplit(",", 2)[0] if i // 16 == 1 else each for i, each in enumerate(text)]
    table = parse_table(csv(tmp_path, "\n".join(short)), "kind")
    assert (len(table), table["kind"].isna().sum()) == (60, 15)


def test_a_single_column_has_no_short_rows(tmp_path: Path) -> None:
    assert len(parse_table(csv(tmp_path, "size\n1\n\n2\n"), None, fewest=1)) == 2


def test_a_name_may_begin_with_a_quote_that_does_not_end(tmp_path: Path) -> None:
    text = ['id\ttext\t"kind', '1" x\tfoo\ta', *(f"{i}\tbar\t{'b' * (i % 2)}" for i in range(9))]
    assert list(parse_table(csv(tmp_path, "\n".join(text)), None)) == ["id", "text", '"kind']
