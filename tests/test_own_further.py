"""Inputs that come after the labelled ones are as bright, and read with the same types, as these were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import npz, read, save

from fsbench.errors import DataError
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
