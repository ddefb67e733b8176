"""Inputs that come after the labelled ones are as bright, and read with the same types, as these were."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import npz, read, save

from fsbench.errors import DataError
from fsbench.models.model import Predictions
from fsbench.own import Reading
from fsbench.own.further import Further, read_further

pytestmark = pytest.mark.usefixtures("no_dataset_stays")
Y = np.arange(12) % 2


def scans(highest: int, n: int = 12, seed: int = 0, dtype: type = np.uint16) -> np.ndarray:
    """Images [n, 8, 8] of different means, the last of which has this highest value."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, highest // 2, (n, 8, 8)) + highest // 4 * np.arange(n)[:, None, None] // n
    x[-1, 0, 0] = highest
    return x.astype(dtype)


def archive(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def folder(path: Path, x: np.ndarray, labelled: bool = True) -> Path:
    for number, (pixels, label) in enumerate(zip(x, Y, strict=True)):
        save(path / (str(label) if labelled else "all") / f"{number:02}.png", pixels)
    return path


def further(path: Path, reading: Reading) -> Further:
    assert reading.form is not None
    return read_further(path, reading.form)


@pytest.mark.parametrize("highest", [900, 4095])
def test_a_deep_array_is_as_bright_alone_as_among_others(tmp_path: Path, highest: int) -> None:
    x = scans(highest)
    reading = read(npz(tmp_path, x=x, y=Y))
    dark = np.abs(x.astype(int)).max((1, 2)).argmin()
    (tmp_path / "new").mkdir()
    for chosen in (slice(dark, dark + 1), slice(0, 12)):
        found = further(npz(tmp_path / "new", x=x[chosen]), reading)
        assert np.array_equal(found.x, reading.dataset.x[chosen])
        assert not found.warnings


def test_deeper_pixels_than_the_model_knows_are_cut_off_and_said(tmp_path: Path) -> None:
    reading = read(npz(tmp_path, x=scans(900), y=Y))
    (tmp_path / "new").mkdir()
    found = further(npz(tmp_path / "new", x=scans(4095)), reading)
    assert found.x.max() == 255
    assert "have more than 10 bits" in found.warnings[0]


@pytest.mark.parametrize(("highest", "white"), [(4000, 4095), (65535, 65535)])
def test_deep_images_after_shallow_ones_keep_their_shades(tmp_path: Path, highest: int, white: int) -> None:
    known = folder(tmp_path / "known", scans(255, dtype=np.uint8))
    x = scans(highest, seed=1)
    more = folder(tmp_path / "more", x, labelled=False)
    reading = read(known, unlabeled=more)
    found = further(more, reading)
    expected = np.round(x * 255.0 / white)
    assert reading.dataset.unlabeled is not None
    for each, said in ((found.x, found.warnings), (reading.dataset.unlabeled, reading.warnings)):
        assert np.array_equal(each[:, 0], expected)
        (line,) = (line for line in said if "bits" in line)
        assert f"the labelled ones 8: scaled by their own range, 0 to {white}" in line


def test_deep_images_of_few_shades_have_a_range_too(tmp_path: Path) -> None:
    """What a model sees of an image must not depend on the images beside it."""
    reading = read(folder(tmp_path / "known", scans(255, dtype=np.uint16)))
    found = further(folder(tmp_path / "more", scans(300, seed=1), labelled=False), reading)
    assert found.x.max() == 255
    assert any("have more than 8 bits" in line for line in found.warnings)


@pytest.mark.parametrize("form", ["folders", "arrays"])
def test_unlabelled_images_have_the_range_of_the_labelled_ones(tmp_path: Path, form: str) -> None:
    x, other = scans(4000), scans(250, seed=1)
    if form == "folders":
        known, more = folder(tmp_path / "known", x), folder(tmp_path / "more", other, labelled=False)
    else:
        known, more = tmp_path / "known", tmp_path / "more"
        known.mkdir()
        more.mkdir()
        known, more = npz(known, x=x, y=Y), npz(more, x=other)
    found = read(known, unlabeled=more).dataset.unlabeled
    assert found is not None
    assert found.max() == round(250 * 255 / 4095)


def test_unlabelled_images_have_the_white_of_the_labelled_ones(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    x = scans(16, dtype=np.float64)
    more = npz(tmp_path / "more", x=np.minimum(scans(16, seed=1, dtype=np.float64), 8))
    found = read(npz(tmp_path, x=x, y=Y), unlabeled=more).dataset.unlabeled
    assert found is not None
    assert found.max() == round(8 * 255 / 16)
    with pytest.raises(DataError, match="pixels go up to 32, and to 16 in the labelled images"):
        read(npz(tmp_path, x=x, y=Y), unlabeled=npz(tmp_path / "more", x=scans(32, dtype=np.float64)))


def test_bytes_and_numbers_from_0_to_1_are_the_same_images(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    x = scans(255, dtype=np.uint8)
    for labelled, later in ((x / 255, x), (x, x / 255)):
        reading = read(npz(tmp_path, x=labelled, y=Y))
        assert np.array_equal(further(npz(tmp_path / "new", x=later), reading).x, reading.dataset.x)


@pytest.mark.parametrize(
    ("source", "target"),
    [(scans(4000), scans(900, seed=1)), (scans(16, dtype=np.float64), scans(255, seed=1, dtype=np.float64))],
    ids=["bits", "white"],
)
def test_a_model_of_two_domains_reads_inputs_like_the_target(
    tmp_path: Path, source: np.ndarray, target: np.ndarray
) -> None:
    (tmp_path / "new").mkdir()
    new = npz(tmp_path / "new", x=target, y=Y)
    reading = read(npz(tmp_path, x=source, y=Y), target_data=new)
    assert reading.target is not None
    found = further(npz(tmp_path / "new", x=target), reading)
    assert np.array_equal(found.x, reading.target.x)


@pytest.mark.parametrize("columns", [1, 4])
def test_an_array_with_other_columns_is_refused(tmp_path: Path, columns: int) -> None:
    rng = np.random.default_rng(0)
    times = 1.7e12 + rng.integers(0, 1000, 12)
    reading = read(npz(tmp_path, x=np.stack([times, rng.normal(size=12), rng.normal(size=12)], 1), y=Y))
    assert reading.form is not None
    assert reading.form.shifts
    (tmp_path / "new").mkdir()
    with pytest.raises(DataError, match=rf"x has inputs of \[{columns}\], the model takes \[3\]"):
        further(npz(tmp_path / "new", x=rng.normal(size=(5, columns))), reading)


TABLE = pd.DataFrame(
    {
        "age": np.arange(30, 54),
        "smoker": [True, False, None] * 8,
        "dose": [1.5, "None", 2.5, 3.5] * 6,
        "ill": ["no", "yes"] * 12,
    }
)


@pytest.mark.parametrize("chosen", [slice(0, 24), slice(1, 2), slice(0, 2), slice(2, 3), slice(0, 1)])
def test_truth_values_and_none_are_read_whatever_the_other_rows(tmp_path: Path, chosen: slice) -> None:
    TABLE.to_csv(tmp_path / "people.csv", index=False)
    reading = read(tmp_path / "people.csv", target="ill")
    TABLE.iloc[chosen, :3].to_csv(tmp_path / "new.csv", index=False)
    found = further(tmp_path / "new.csv", reading)
    np.testing.assert_array_equal(found.x, reading.dataset.x[chosen])


def test_other_texts_are_refused_where_the_model_takes_numbers(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "people.csv", index=False)
    reading = read(tmp_path / "people.csv", target="ill")
    new = TABLE.iloc[:3, :3].astype({"dose": object})
    new.loc[0, "dose"] = "much"
    new.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(DataError, match="the column 'dose' has texts, such as"):
        further(tmp_path / "new.csv", reading)


def test_bytes_are_bytes_also_beside_deeper_images(tmp_path: Path) -> None:
    deep = scans(60000)
    reading = read(archive(tmp_path / "deep.npz", x=deep, y=np.arange(12) % 2))
    shallow = further(archive(tmp_path / "shallow.npz", x=(deep >> 8).astype(np.uint8)), reading)
    same = further(archive(tmp_path / "same.npz", x=deep), reading)
    assert np.abs(shallow.x.astype(int) - same.x.astype(int)).max() <= 1
    assert same.x.max() > 200


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_numbers_to_255_are_as_bright_as_those_to_one(tmp_path: Path, dtype: type) -> None:
    deep = scans(60000)
    reading = read(npz(tmp_path, x=deep / 65535, y=np.arange(12) % 2))
    whole = further(archive(tmp_path / "whole.npz", x=(deep >> 8).astype(dtype)), reading)
    same = further(archive(tmp_path / "same.npz", x=deep / 65535), reading)
    assert np.abs(whole.x.astype(int) - same.x.astype(int)).max() <= 1


def test_a_blank_line_of_one_column_is_an_empty_field(tmp_path: Path) -> None:
    """Otherwise the numbers of the rows after it would be wrong."""
    rows = "\n".join(f"{'good' if n % 2 else 'bad'} film {n},{n % 2}" for n in range(20))
    path = tmp_path / "reviews.csv"
    path.write_text(f"review,stars\n{rows}\n")
    reading = read(path, target="stars", text="review")
    more = tmp_path / "more.csv"
    more.write_text("review\nlovely film\n\nawful plot\n\n\n")
    found = further(more, reading)
    assert list(found.names) == ["1", "2", "3"]
    assert found.warnings == ("1 empty text, of which the model knows nothing: row 2",)


def test_a_missing_value_is_named_by_row_and_column_and_cause(tmp_path: Path) -> None:
    dates = [f"2024-01-{day:02}" for day in range(1, 29)]
    table = pd.DataFrame({"a": np.arange(28.0) ** 2, "d": dates, "y": list("uv") * 14})
    path, more = tmp_path / "dates.csv", tmp_path / "more.csv"
    table.to_csv(path, index=False)
    more.write_text("a,d\n1,2024-01-05\n2,2024/01/05\n")
    with pytest.raises(
        DataError, match=r"row 2 has a missing value in 'd'; .*no date as in training.*2024/01/05"
    ):
        further(more, read(path, target="y"))
    x = np.random.default_rng(0).normal(size=(30, 3))
    reading = read(archive(tmp_path / "rows.npz", x=x, y=np.arange(30) % 2))
    x[1, 2] = np.nan
    with pytest.raises(DataError, match=r"row 1 has a missing value; the training data had none"):
        further(archive(tmp_path / "hole.npz", x=x), reading)


@pytest.mark.parametrize(
    ("name", "x", "says"),
    [
        ("one.npz", np.zeros(3), r"x is float64 \[3\]; expected images .* for one input, give x\[None\]$"),
        (
            "none.npz",
            np.zeros((0, 3)),
            r"x is float64 \[0, 3\]; expected images \[N, H, W\] or .* tables \[N, F\]$",
        ),
        ("words.npz", np.full((4, 3), "a"), r"x is <U1 \[4, 3\]; expected numbers"),
    ],
)
def test_an_array_that_cannot_be_read_is_described(
    tmp_path: Path, name: str, x: np.ndarray, says: str
) -> None:
    reading = read(
        archive(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(30, 3)), y=np.arange(30) % 2)
    )
    with pytest.raises(DataError, match=says):
        further(archive(tmp_path / name, x=x), reading)
    table = tmp_path / "rows.csv"
    table.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(
        DataError, match="is a table, but the model takes rows without column names; give an npz"
    ):
        further(table, reading)


def test_numbers_as_categories_may_be_all_that_unlabelled_rows_have(tmp_path: Path) -> None:
    path, more = tmp_path / "labelled.csv", tmp_path / "more.csv"
    table = pd.DataFrame({"c": ["1", "2", "A"] * 20, "b": np.arange(60.0), "y": list("uv") * 30})
    table.to_csv(path, index=False)
    table.assign(c=["1", "2"] * 30).drop(columns="y").iloc[:20].to_csv(more, index=False)
    found = read(path, target="y", unlabeled=more).dataset.unlabeled
    assert found is not None
    assert not np.isnan(found).any()


def test_files_whose_names_look_alike_are_all_read_and_named_apart(tmp_path: Path) -> None:
    """Three names are not UTF-8, so a terminal shows each of them as `caf?`; one has a narrow space."""
    x = scans(255, dtype=np.uint8)
    reading = read(folder(tmp_path / "labelled", x))
    names = ["caf\udce8.png", "caf\udce9.png", "caf\udcea.png", "at 3\u202fPM.png"]
    for name, pixels in zip(names, scans(255, seed=1, dtype=np.uint8), strict=False):
        save(tmp_path / "new" / "deep" / name, pixels)
    found = further(tmp_path / "new", reading)
    assert sorted(found.names) == sorted(f"deep/{name}" for name in names)
    assert len(found.x) == 4
    with_these = read(tmp_path / "labelled", unlabeled=tmp_path / "new")
    assert any("4 images without a label" in line for line in with_these.facts)


def test_texts_whose_names_look_alike_are_all_read(tmp_path: Path) -> None:
    for label in ("good", "bad"):
        for number in range(4):
            file = tmp_path / "labelled" / label / f"{number}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{label} {number}")
    (tmp_path / "new").mkdir()
    for name in ("\udce8.txt", "\udce9.txt", "empty\udce9.txt"):
        (tmp_path / "new" / name).write_text("" if "empty" in name else "good")
    found = further(tmp_path / "new", read(tmp_path / "labelled"))
    assert sorted(found.names) == ["empty\udce9.txt", "\udce8.txt", "\udce9.txt"]
    assert any("1 empty text" in line and "empty?.txt" in line for line in found.warnings)


def test_predictions_name_their_inputs_so_that_they_can_be_found_again() -> None:
    names = [
        "at 3\u202fPM.png",
        "\U0001f468\u200d\U0001f469.png",
        "caf\udce9.png",
        "a\x1b[2J.png",
        "=1.png",
        "-1",
    ]
    found = Predictions(names, ("-1", "=2"), np.tile([[0.75, 0.25]], (6, 1)))
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["input"] for row in rows] == [
        *names[:2],
        "caf\\udce9.png",
        "a\\x1b[2J.png",
        "'=1.png",
        "-1",
    ]
    assert {row["predicted"] for row in rows} == {"-1"}, "a number with a sign is no formula"
    assert found.to_csv().encode()


def test_a_fourth_channel_that_makes_a_difference_is_said(tmp_path: Path) -> None:
    colours = np.repeat(scans(255, dtype=np.uint8)[..., None], 4, axis=-1)
    said = "the fourth channel of the images is taken for opacity"
    reading = read(npz(tmp_path, x=colours, y=Y))
    assert any(said in line for line in reading.warnings)
    (tmp_path / "new").mkdir()
    assert any(said in line for line in further(npz(tmp_path / "new", x=colours), reading).warnings)
    colours[..., 3] = 255
    opaque = read(npz(tmp_path, x=colours, y=Y))
    assert not any(said in line for line in opaque.warnings)
    assert np.array_equal(opaque.dataset.x, read(npz(tmp_path, x=colours[..., 0], y=Y)).dataset.x)


@pytest.mark.parametrize(("height", "width", "said"), [(8, 11, False), (8, 12, True), (30, 10, True)])
def test_what_is_cut_off_oblong_arrays_is_said(tmp_path: Path, height: int, width: int, said: bool) -> None:
    x = np.random.default_rng(0).integers(0, 255, (12, height, width), dtype=np.uint8)
    reading = read(npz(tmp_path, x=x, y=Y))
    side = min(height, width)
    line = f"of images of {height}x{width} pixels only the central {side}x{side} are read"
    assert any(line in each for each in reading.warnings) == said
    assert reading.dataset.info.shape == (1, side, side)
