"""The user's own CSV: columns, groups, labels, and files that are not CSV."""

from __future__ import annotations

from csv import field_size_limit
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, groups_of_parts

from fsbench.errors import DataError, FsbenchError, UnknownName, UsageError
from fsbench.own import OwnData, Reading, read_own
from fsbench.own.parsing import MAX_BYTES, parse_table

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def read(path: Path, target: str | None = "kind", **options: object) -> Reading:
    return read_own(OwnData(path, target=target, **options))  # type: ignore[arg-type]


def test_numbers_and_categories_are_told_apart(tmp_path: Path) -> None:
    reading = read(csv(tmp_path, frame()))
    info, x = reading.dataset.info, reading.dataset.x
    assert (info.text, info.kind, info.shape, info.columns) == ("things", "table", (5,), (0, 0, 3))
    assert (info.classes, info.class_counts) == (("no", "yes"), (15, 15))
    np.testing.assert_array_equal(x[:, 0], frame()["size"].to_numpy(np.float32))
    assert x[:3, 2].tolist() == [2, 1, 0]
    assert reading.warnings == ()
    assert reading.facts[0].endswith("30 rows of 2 numbers and 1 category")


def test_numbers_alone_have_no_columns_unless_some_are_missing(tmp_path: Path) -> None:
    table = frame().drop(columns="colour")
    assert read(csv(tmp_path, table)).dataset.info.columns == ()
    table.loc[3, "size"] = None
    dataset = read(csv(tmp_path, table)).dataset
    assert dataset.info.columns == (0, 0)
    assert dataset.info.shape == (2,)
    assert np.argwhere(np.isnan(dataset.x)).tolist() == [[3, 0]]


@pytest.mark.parametrize("mark", ["", "NA", "?", "nan", "  ", "NULL", "#DIV/0!", "#VALUE!"])
def test_many_spellings_of_missing_values_are_recognised(mark: str, tmp_path: Path) -> None:
    text = frame().to_csv(index=False).splitlines()
    text[4] = f"{mark},17,{mark},{text[4].rsplit(',', 1)[1]}"
    dataset = read(csv(tmp_path, "\n".join(text))).dataset
    assert dataset.info.columns == (0, 0, 3)
    assert np.argwhere(np.isnan(dataset.x)).tolist() == [[3, 0], [3, 2]]


@pytest.mark.parametrize(("sep", "decimal"), [(";", ","), (";", "."), ("\t", "."), ("|", ","), (",", ".")])
def test_delimiters_and_decimal_commas_are_recognised(sep: str, decimal: str, tmp_path: Path) -> None:
    dataset = read(csv(tmp_path, frame(), sep=sep, decimal=decimal)).dataset
    np.testing.assert_array_equal(dataset.x, read(csv(tmp_path, frame())).dataset.x)


def test_a_byte_order_mark_and_blanks_are_ignored(tmp_path: Path) -> None:
    text = "\ufeff" + frame().to_csv(index=False).replace(",", " , ")
    assert read(csv(tmp_path, text)).dataset.info.columns == (0, 0, 3)


def test_uninformative_columns_are_left_out_and_named(tmp_path: Path) -> None:
    table = frame()
    table["name"] = [f"thing {i}" for i in range(30)]
    table["row"] = np.random.default_rng(1).permutation(30) + 1
    table["always"], table["never"] = 5, np.nan
    reading = read(csv(tmp_path, table))
    assert reading.dataset.info.columns == (0, 0, 3)
    said = "\n".join(reading.warnings)
    assert "column 'name' left out: a different text in every row" in said
    assert "column 'row' left out: row numbers only" in said
    assert "columns 'always', 'never' left out: only one value" in said


NUMBERINGS = {
    "from 1001": np.arange(30) + 1001,
    "falling": 900 - 7 * np.arange(30),
    "with gaps": np.cumsum(np.arange(30) % 4 + 1),
    "huge": np.arange(30) + 2**62,
    "signed": np.arange(30) - 15,
    "shuffled": np.random.default_rng(2).permutation(30) + 1,
    "shuffled from 5000": np.random.default_rng(2).permutation(30) + 5000,
    "decimals": np.arange(30) + 1001.0,
}


@pytest.mark.parametrize("ids", NUMBERINGS.values(), ids=NUMBERINGS)
@pytest.mark.parametrize("unlabelled", [(), (4, 17)])
def test_a_row_number_is_not_a_feature(ids: np.ndarray, unlabelled: tuple[int, ...], tmp_path: Path) -> None:
    table = frame().sort_values("kind", ignore_index=True)
    table.insert(0, "Id", ids)
    table.loc[list(unlabelled), "kind"] = None
    reading = read(csv(tmp_path, table))
    assert reading.dataset.info.columns == (0, 0, 3)
    assert "column 'Id' left out: row numbers only" in reading.warnings


def test_a_row_number_of_labelled_rows_only_is_not_a_feature(tmp_path: Path) -> None:
    table = frame().sort_values("kind", ignore_index=True)
    table["Id"] = np.arange(30) + 1001.0
    table.loc[[4, 17], ["Id", "kind"]] = None
    assert "column 'Id' left out: row numbers only" in read(csv(tmp_path, table)).warnings


@pytest.mark.parametrize(("rows", "start", "kept"), [(9, 0, False), (9, 2, True), (10, 2, False)])
def test_few_consecutive_numbers_are_row_numbers_only_from_0_or_1(
    rows: int, start: int, kept: bool, tmp_path: Path
) -> None:
    table = frame(rows).assign(age=np.random.default_rng(2).permutation(rows) + start)
    reading = read(csv(tmp_path, table), target="kind")
    assert ("column 'age' left out: row numbers only" in reading.warnings) is not kept


def test_rising_numbers_that_are_not_row_numbers_are_features(tmp_path: Path) -> None:
    table = frame()
    table["twice"] = np.arange(30) // 2 * 10 + 5
    table["measured"] = np.sort(table["size"])
    table["nearly"] = [*range(100, 129), 7]
    table["missing"] = [None, *range(100, 129)]
    reading = read(csv(tmp_path, table))
    assert reading.dataset.info.columns == (0, 0, 3, 0, 0, 0, 0)
    assert reading.warnings == ()


def test_a_column_of_too_many_texts_is_left_out(tmp_path: Path) -> None:
    table = pd.concat([frame(402)] * 1, ignore_index=True)
    table["street"] = [f"street {i % 201}" for i in range(402)]
    said = read(csv(tmp_path, table)).warnings
    assert "column 'street' left out: more than 200 different texts" in said
    with pytest.raises(DataError, match=r"no column is left to learn from \(column 'street' left out"):
        read(csv(tmp_path, table[["street", "kind"]]))


def test_a_group_is_not_a_feature_and_is_never_divided(tmp_path: Path) -> None:
    table = frame(60)
    table["patient"] = [f"p{i // 4}" for i in range(60)]
    table.loc[[8, 50], "patient"] = None
    path = csv(tmp_path, table)
    reading = read(path, group="patient")
    groups = reading.dataset.groups
    assert groups is not None
    assert reading.dataset.info.columns == (0, 0, 3)
    assert sorted(np.bincount(groups)) == [1, 1, 3, 3] + [4] * 13
    assert "2 rows without 'patient': each is a separate group" in reading.warnings
    assert "17 groups by patient, none of which a split divides" in reading.facts
    for parts in groups_of_parts(reading):
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
    alone = read(path)
    assert any("column 'patient': if rows with equal values belong" in w for w in alone.warnings)


def test_a_class_of_one_patient_is_left_out(tmp_path: Path) -> None:
    table = frame(60)
    table["kind"] = [("a", "b", "c")[i // 20] for i in range(60)]
    table["patient"] = [0] * 20 + list(range(1, 41))
    reading = read(csv(tmp_path, table), group="patient")
    assert reading.dataset.info.classes == ("b", "c")
    assert any(
        w.startswith("class 'a' left out: it has 20 rows that belong together") for w in reading.warnings
    )


def test_equal_rows_stay_together(tmp_path: Path) -> None:
    table = frame()
    table = pd.concat([table, table.iloc[[0, 0, 5]]], ignore_index=True)
    table.loc[32, "kind"] = "yes"
    reading = read(csv(tmp_path, table))
    groups = reading.dataset.groups
    assert groups is not None
    assert groups[0] == groups[30] == groups[31]
    assert groups[5] == groups[32]
    said = "\n".join(reading.warnings)
    assert "1 pair of equal rows have different classes: row 6 and row 33" in said
    assert "5 of 33 rows are equal; each set of them is kept on one side of a split" in said


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    table = frame()
    table.loc[[0, 7], "kind"] = None
    reading = read(csv(tmp_path, table))
    assert reading.dataset.info.n == 28
    assert "2 rows without 'kind' left out" in reading.warnings


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1, 0] * 15, ("0", "1")),
        ([2.0, None, 10.0] * 10, ("2", "10")),
        ([True, False] * 15, ("False", "True")),
    ],
)
def test_labels_of_every_type_are_read(
    labels: list[object], classes: tuple[str, ...], tmp_path: Path
) -> None:
    assert read(csv(tmp_path, frame().assign(kind=labels))).dataset.info.classes == classes


def test_too_few_rows_are_not_taken_for_a_quantity(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="'kind' has 2 classes in 2 rows, too few; give a few rows of each class"
    ):
        read(csv(tmp_path, "size,kind\n1,a\n2,b\n"))


WRONG = [
    ({"target": None}, {}, UsageError, r"OwnData\(path, target=COLUMN\): size, count"),
    ({"target": "knid"}, {}, UnknownName, "unknown column 'knid'; did you mean 'kind'"),
    ({"group": "colours"}, {}, UnknownName, "unknown column 'colours'; did you mean 'colour'"),
    ({"image_size": 32}, {}, UsageError, "is a table, which takes no image size"),
    ({"symmetries": "hflip"}, {}, UsageError, "is a table, which takes no symmetries"),
    ({"target": "size"}, {}, DataError, "has 30 different values in 30 rows, which looks like a quantity"),
    ({}, {"kind": "same"}, DataError, "'kind' has only one value, same; expected at least two classes"),
    ({}, {"kind": np.nan}, DataError, "the column 'kind' is empty"),
    ({}, {"kind": [f"c{i // 2}" for i in range(30)]}, None, ""),
    ({}, {"kind": [f"c{2 * i // 3}" for i in range(30)]}, DataError, "20 different values in 30 rows"),
    ({}, {"kind": [0.5 * (i % 22) for i in range(30)]}, DataError, "looks like a quantity"),
    (
        {},
        {"kind": ["a"] + ["b"] * 29},
        DataError,
        "one class only, 'b'.*class 'a' left out: it has one row only",
    ),
]


@pytest.mark.parametrize(("options", "columns", "error", "message"), WRONG)
def test_wrong_columns_are_an_error(
    options: dict[str, object],
    columns: dict[str, object],
    error: type[FsbenchError] | None,
    message: str,
    tmp_path: Path,
) -> None:
    path = csv(tmp_path, frame().assign(**columns))  # type: ignore[arg-type]
    if error is None:
        assert read(path).dataset.info.num_classes == 15
        return
    with pytest.raises(error, match=message) as caught:
        read(path, **{"target": "kind", **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_file_of_ten_gigabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(DataError, match=r"has 10\.0 GB; fsbench reads tables of up to 256 MB: draw a sample"):
        read(path)
    assert MAX_BYTES == 256 * 2**20


BYTES = [
    (
        frame().to_csv(index=False).replace("red", "rouge clair é").encode("latin-1"),
        "is not UTF-8 text .byte 0xe9",
    ),
    (frame().to_csv(index=False).encode("utf-16"), "is not a text file in UTF-8"),
    (b"", "is empty; expected names in the first line and rows below it"),
    (b"a,kind\n", "2 columns and 0 rows"),
    (
        b"just a line\nand another\n",
        "1 column and 1 row when read as comma-separated; .* by commas, semicolons, tabs or bars",
    ),
    (b"a,kind\n1,x\n2,y,3,4\n", "line 3 has 4 values, the lines before it 2; put texts"),
    (b"a,kind\n1,x,3\n2,y,4\n", "rows have more values than the first line has names"),
    (b"# a title\na,kind\n1,x\n2,y\n", "name every column, and remove any lines above the names"),
    (b"sep=;\na;kind\n1;x\n2;y\n", "its first line is sep=;, which is for Excel only; remove that line"),
    (b"kind,kind \n1,x\n2,y\n", "two columns named 'kind'"),
    (b"a,kind,a\n1,x,3\n2,y,4\n", "two columns named 'a'"),
    (b"5.1,3.5,0\n4.9,3.0,0\n6.2,2.9,1\n", "the first line contains numbers [(]5.1, 3.5, 0[)], not names"),
    (b"1,1,0\n4,3,0\n6,2,1\n", "the first line contains numbers [(]1, 1, 0[)], not names"),
]


@pytest.mark.parametrize(("content", "message"), BYTES)
def test_files_that_are_not_tables_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_infinite_and_huge_numbers_count_as_missing(tmp_path: Path) -> None:
    table = frame().astype({"size": float})
    table.loc[[0, 1], "size"] = [np.inf, 1e300]
    reading = read(csv(tmp_path, table))
    assert np.isnan(reading.dataset.x[:, 0]).sum() == 2
    assert "2 infinite or huge numbers counted as missing" in reading.warnings


def test_other_files_and_missing_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing at"):
        read(tmp_path / "nowhere", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"fsbench cannot read .*x\.parquet; give a folder of images"):
        read(tmp_path / "x.parquet", None)


def test_a_folder_with_a_table_is_refused_by_the_name_of_the_table(tmp_path: Path) -> None:
    csv(tmp_path, frame())
    with pytest.raises(DataError, match=r"no images or texts, but things\.csv; give the path of one file"):
        read(tmp_path, None)
    (tmp_path / "things.csv").rename(tmp_path / "things.json")
    with pytest.raises(DataError, match=r"has no images; .*1 other file not read: things\.json"):
        read(tmp_path, None)


def test_a_header_may_be_long_and_have_line_ends_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "genes.csv"
    names = [f"gene{i}" for i in range(12_000)]
    path.write_text("\n".join([",".join(names), *2 * [",".join("1" * len(names))]]))
    assert list(parse_table(path, None)) == names
    path.write_text(path.read_text().replace("gene11999\n", "gene11998\n"))
    with pytest.raises(DataError, match="two columns named 'gene11998'"):
        parse_table(path, None)
    path.write_text('"height\n(cm)";"weight";label\n0.81;0.55;a\n0.7;0.5;b\n')
    assert list(parse_table(path, "label")) == ["height\n(cm)", "weight", "label"]


@pytest.mark.parametrize("sep", [",", "\t"])
def test_a_first_line_may_be_longer_than_a_field_of_csv(sep: str, tmp_path: Path) -> None:
    names = [f"ENSG{i:011}" for i in range(8_300)]
    limit, path = 2**17, tmp_path / "genes.csv"
    before = field_size_limit(limit)  # which other modules may have raised
    try:
        path.write_text("\n".join([sep.join(names), *2 * [sep.join("1" * len(names))]]))
        assert list(parse_table(path, None)) == names
        path.write_text('"a,b\n' + "1,2\n" * limit)
        with pytest.raises(DataError, match=r"its first line cannot be read .* close the quotes in it"):
            parse_table(path, None)
        assert field_size_limit() == limit
    finally:
        field_size_limit(before)


def test_labels_that_differ_only_in_case_are_pointed_out(tmp_path: Path) -> None:
    table = frame().assign(kind=["Yes", "yes ", "no"] * 10)
    said = "classes 'Yes', 'yes' differ only in case or spaces; if they are one class, write them alike"
    assert said in read(csv(tmp_path, table)).warnings


def test_the_first_of_many_columns_are_named_if_one_is_unknown(tmp_path: Path) -> None:
    table = frame().assign(**{f"v{i:02}": 1 for i in range(40)})
    with pytest.raises(UnknownName) as caught:
        read(csv(tmp_path, table), target="zebra")
    first = ", ".join(["colour", "count", "kind", "size", *(f"v{i:02}" for i in range(8))])
    assert str(caught.value) == f"unknown column 'zebra'; known: {first} and 32 more"


def test_a_file_whose_first_line_is_data_needs_names(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("1,2024-08-16,62.4,Oslo\n2,2024-08-17,61.0,Bergen\n")
    with pytest.raises(
        UsageError, match=r"no column 'city'; the first line \(1, 2024-08-16, 62.4, Oslo\) looks like data"
    ):
        read(path, target="city")
