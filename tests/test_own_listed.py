"""Images that a column of a table names: where they are found, what is left out, groups, domains, models."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, make, noise, read, save

from fsbench.errors import DataError, UnknownName, UsageError
from fsbench.own import OwnData, Reading
from fsbench.own.further import read_further

pytestmark = pytest.mark.usefixtures("no_dataset_stays")
CLASSES = {"cat": 6, "dog": 6}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder with `images/cat/0.png` and so on, and nothing else."""
    return make(tmp_path / "pets" / "images", CLASSES).parent


def table(pets: Path) -> pd.DataFrame:
    """The images of the folder, two of each owner."""
    files = sorted(path.relative_to(pets).as_posix() for path in (pets / "images").glob("*/*.png"))
    labels = [name.split("/")[1] for name in files]
    return pd.DataFrame({"file": files, "owner": [n // 2 for n in range(12)], "kind": labels, "age": 3})


def listed(path: Path, **options: object) -> Reading:
    return read(path, target="kind", image="file", **options)


def test_the_images_are_those_of_a_folder_in_the_order_of_the_table(pets: Path) -> None:
    plain, found = read(pets / "images"), listed(csv(pets, table(pets)))
    assert np.array_equal(found.dataset.x, plain.dataset.x)
    assert found.dataset.y.tolist() == plain.dataset.y.tolist()
    assert found.dataset.info.classes == ("cat", "dog")
    assert found.dataset.info.kind == "image"
    assert found.dataset.groups is None
    assert found.warnings[0] == (
        f"columns 'owner', 'age' of {pets / 'things.csv'} not read: the images are in 'file'"
    )
    other = listed(csv(pets, table(pets)[::-1]), image_size=8, symmetries="hflip")
    assert other.dataset.x.shape == (12, 1, 8, 8)
    assert other.dataset.y.tolist() == [1] * 6 + [0] * 6
    assert other.dataset.info.symmetries == {"hflip"}


def test_images_of_one_owner_stay_together_and_so_do_near_duplicates(pets: Path) -> None:
    rows = table(pets)
    save(pets / "images" / "cat" / "again.png", noise(0, 24, 24))
    rows.loc[12] = ["images/cat/again.png", 9, "cat", 3]
    found = listed(csv(pets, rows), group="owner")
    assert found.dataset.groups is not None
    assert found.dataset.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0]
    assert "7 groups by owner, none of which a split divides" in found.facts


@pytest.mark.parametrize("written", ["absolute", "windows", "names", "stems", "spaces"])
def test_paths_are_found_however_they_are_written(pets: Path, written: str) -> None:
    rows = table(pets)
    expected = listed(csv(pets, rows)).dataset
    names = rows["file"].str.replace("images/", "").str.replace("/", "-")
    if written == "absolute":
        rows["file"] = [str(pets / name) for name in rows["file"]]
    elif written == "windows":
        rows["file"] = rows["file"].str.replace("/", "\\")
    elif written == "spaces":
        rows["file"] = " " + rows["file"] + " "
    else:
        for old, new in zip(rows["file"], names, strict=True):
            (pets / old).rename(pets / "images" / new)
        rows["file"] = names if written == "names" else names.str.replace(".png", "")
    found = listed(csv(pets, rows)).dataset
    assert np.array_equal(found.x, expected.x)
    assert np.array_equal(found.y, expected.y)


def test_numbers_with_zeros_in_front_are_names_too(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"{number:03}.jpg", noise(number, 10, 10))
    rows = pd.DataFrame({"file": [f"{n:03}" for n in range(8)], "kind": list("abababab")})
    assert listed(csv(tmp_path, rows)).dataset.x.shape == (8, 1, 10, 10)


@pytest.mark.parametrize("column", ["file", "self"])
def test_images_are_looked_up_two_folders_down_and_not_in_hidden_ones(pets: Path, column: str) -> None:
    rows = table(pets)
    expected = listed(csv(pets, rows)).dataset
    for number, name in enumerate(rows["file"]):
        save(pets / "a" / "b" / f"S{number}.PNG", noise(99, 9, 9)).unlink()
        (pets / name).rename(pets / "a" / "b" / f"S{number}.PNG")
    save(pets / ".thumbnails" / "S3.PNG", noise(99, 9, 9))
    rows["file"] = [f"S{n}" if n % 2 else f"a\\b\\S{n}" for n in range(12)]
    path = csv(pets, rows.rename(columns={"file": column}))
    assert np.array_equal(read(path, target="kind", image=column).dataset.x, expected.x)


def test_a_table_that_is_a_link_has_its_images_beside_the_link(pets: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (pets / "labels.csv").symlink_to(csv(store, table(pets)))
    assert listed(pets / "labels.csv").dataset.x.shape == (12, 1, 12, 12)


def test_a_name_that_two_folders_have_is_refused(pets: Path) -> None:
    for folder in ("old", "new"):
        save(pets / folder / "5.png", noise(7, 12, 12))
    rows = table(pets)
    rows.loc[3, "file"] = "5"
    with pytest.raises(DataError, match=r"5 may be new/5.png, old/5.png; write paths relative to the folder"):
        listed(csv(pets, rows))


def test_what_cannot_be_read_is_left_out_and_named(pets: Path) -> None:
    rows = table(pets)
    (pets / "broken.png").write_bytes(b"no image")
    (pets / "phone.heic").write_bytes(b"no image that can be read")
    rows.loc[[0, 1, 2, 3], "file"] = ["gone.png", "broken.png", "phone.heic", np.nan]
    found = listed(csv(pets, rows))
    assert found.dataset.info.class_counts == (2, 6)
    path = pets / "things.csv"
    assert found.warnings[1] == f"1 row of {path} without 'file' left out"
    assert found.warnings[2] == (
        "3 files left out: gone.png (row 1) (no such file), broken.png (row 2) (not an image that Pillow can "
        "read), phone.heic (row 3) (convert it to PNG or JPEG)"
    )
    os.mkfifo(pets / "pipe.png")
    rows.loc[[0, 1, 2], "file"] = ["pipe.png", "images", "\x1b[31m" + "x" * 300]
    assert listed(csv(pets, rows)).warnings[2] == (
        "3 files left out: pipe.png (row 1) (not a plain file), images (row 2) (not a plain file), "
        f"?[31m{'x' * 300} (row 3) (File name too long)"
    )
    rows.loc[4:5, "file"] = ["gone.png", "gone.png"]
    for place in (12, 13):
        rows.loc[place] = [f"images/dog/{place - 12}.png", place, "cow", 1]
    assert "no image of class 'cat' can be read" in listed(csv(pets, rows)).warnings


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            "elsewhere/1.png",
            r"no file .*elsewhere/1.png; expected paths relative to the folder of the table",
        ),
        ("https://example.org/1.png", "there is no file"),
        ("a long note " * 60, "there is no file"),
        (np.nan, "the column 'file' is empty; expected the paths of images there"),
    ],
    ids=["elsewhere", "address", "text", "empty"],
)
def test_a_column_without_a_path_is_refused(pets: Path, file: object, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        listed(csv(pets, table(pets).assign(file=file)))


def test_rows_without_a_label_are_the_unlabelled_images(pets: Path) -> None:
    rows = table(pets)
    for number in range(3):
        save(pets / "more" / f"{number}.png", noise(50 + number, 30, 30))
        rows.loc[12 + number] = [f"more/{number}.png", 9, np.nan, 3]
    path = csv(pets, rows)
    found = listed(path, unlabeled=path)
    assert found.dataset.unlabeled is not None
    assert found.dataset.unlabeled.shape == (3, 1, 12, 12)
    other = csv(pets / "more", pd.DataFrame({"file": ["0", "1.png", "2.png"]}), "more.csv")
    assert np.array_equal(listed(path, unlabeled=other).dataset.unlabeled, found.dataset.unlabeled)
    folder = listed(csv(pets, table(pets), "all.csv"), unlabeled=pets / "more")
    assert np.array_equal(folder.dataset.unlabeled, found.dataset.unlabeled)
    assert folder.facts[2] == f"{pets / 'more'}: 3 images without a label"
    with pytest.raises(UsageError, match="give both in one form"):
        listed(path, target_data=pets / "more")
    rows.loc[0, "file"] = np.nan
    assert listed(csv(pets, rows), unlabeled=path).warnings[:3] == (
        f"columns 'owner', 'age' of {path} not read: the images are in 'file'",
        f"1 row of {path} without 'file' left out",
        f"11 rows of {path} not read: the label is given",
    )
    with pytest.raises(
        DataError,
        match=r"no input without a label is left; leave it out \(12 rows of .* the label is given\)",
    ):
        listed(csv(pets, table(pets)), unlabeled=path)


def test_a_row_that_repeats_another_is_left_out(pets: Path) -> None:
    rows = table(pets)
    rows = pd.concat([rows, rows.iloc[[0, 1]].assign(owner=7), rows.iloc[[2, 3]].assign(kind="dog", owner=9)])
    found = listed(csv(pets, rows))
    assert found.dataset.info.class_counts == (6, 8)
    assert found.warnings[1] == (
        f"2 rows of {pets / 'things.csv'} left out: equal to an earlier row in 'file', 'kind'"
    )
    assert found.warnings[2].startswith("2 pairs of near-duplicate images have different classes: 2.png (row")
    assert listed(csv(pets, rows), group="owner").dataset.info.n == 16


def test_two_domains_are_two_tables_or_one_with_a_column(pets: Path, tmp_path: Path) -> None:
    rows = table(pets).assign(camera=["old", "new"] * 6)
    found = listed(csv(pets, rows), domain="camera=new")
    assert [each.info.n for each in found.datasets] == [6, 6]
    other = make(tmp_path / "new" / "images", CLASSES, start=100).parent
    found = listed(csv(pets, table(pets)), target_data=csv(other, table(other)))
    assert np.array_equal(found.datasets[1].x, read(other / "images").dataset.x)


def test_each_domain_has_the_range_of_its_own_deep_images(tmp_path: Path) -> None:
    for number in range(12):
        deep = noise(number, 12, 12).astype(np.uint16) * (16 if number < 6 else 257)
        save(tmp_path / f"{number}.png", deep)
    rows = pd.DataFrame({"file": range(12), "kind": list("ab" * 6), "scanner": ["old"] * 6 + ["new"] * 6})
    found = listed(csv(tmp_path, rows), domain="scanner")
    assert [dataset.x.max() >= 250 for dataset in found.datasets] == [True, True]
    assert found.form is not None
    assert found.form.bits == 16


def test_a_model_reads_a_table_a_folder_or_a_file(pets: Path, tmp_path: Path) -> None:
    reading = listed(csv(pets, table(pets)))
    assert reading.form is not None
    rows = table(pets)[["file"]]
    for place, name in enumerate(("images/cat/0.png", "gone.png", np.nan), 12):
        rows.loc[place, "file"] = name
    found = read_further(csv(pets, rows, "new.csv"), reading.form)
    assert list(found.names) == [*rows["file"][:12], "images/cat/0.png"]
    assert np.array_equal(found.x[:12], reading.dataset.x)
    assert np.array_equal(found.x[12], found.x[0])
    assert found.warnings[-2:] == (
        f"1 row of {pets / 'new.csv'} without 'file' left out",
        "1 file left out: gone.png (no such file)",
    )
    folder = read_further(pets / "images", reading.form)
    assert np.array_equal(folder.x, reading.dataset.x)
    assert len(read_further(pets / "images" / "cat" / "0.png", reading.form).x) == 1
    with pytest.raises(DataError, match="has no column 'file', which the model needs"):
        read_further(csv(pets, "path\n1.png\n", "other.csv"), reading.form)
    plain = read(pets / "images")
    assert plain.form is not None
    with pytest.raises(DataError, match="is a table, but the model takes inputs of the kind image"):
        read_further(pets / "new.csv", plain.form)


def test_a_folder_with_a_table_beside_its_images_says_how_to_read_it(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "scans" / f"{number}.png", noise(number, 9, 9))
    csv(tmp_path / "scans", "file,kind\n", "labels.csv")
    with pytest.raises(DataError, match=r"scans contains images .*, or give labels.csv with --image COLUMN"):
        read(tmp_path / "scans")


def test_a_folder_whose_folders_are_no_classes_says_so_too(pets: Path) -> None:
    csv(pets, table(pets), "train.csv")
    (pets / "images" / "cat").rename(pets / "train")
    (pets / "images" / "dog").rename(pets / "test")
    (pets / "images").rmdir()
    said = "if the labels are in train.csv, give that with --image COLUMN instead of the folder"
    assert said in read(pets).warnings
    (pets / "test").rename(pets.parent / "test")
    with pytest.raises(
        DataError, match=rf"one class only, 'train'; .*1 other file not read: train.csv; {said}"
    ):
        read(pets)


@pytest.mark.parametrize("written", ["images/cat/0.png", "images/cat/0", "0"])
def test_a_column_of_images_that_is_not_used_says_how_to_use_it(pets: Path, written: str) -> None:
    rows = table(pets).assign(weight=range(0, 48, 4))
    if written == "0":
        for number, name in enumerate(rows["file"]):
            (pets / name).rename(pets / "images" / f"scan {number}.png")
        rows["file"] = [f"scan {number}" for number in range(len(rows))]
    elif written == "images/cat/0":
        rows["file"] = rows["file"].str.removesuffix(".png")
    (said,) = [line for line in read(csv(pets, rows), target="kind").warnings if "'file'" in line]
    assert said.endswith(
        "a different text in every row; to learn from these images, name the column by --image"
    )


def test_options_that_do_not_fit_are_refused(pets: Path) -> None:
    path = csv(pets, table(pets))
    with pytest.raises(UsageError, match="columns of texts and of images are given"):
        listed(path, text="age")
    with pytest.raises(UsageError, match="column 'file' has the images and is also target, group or domain"):
        listed(path, group="file")
    for domain in ("file", "file=images/cat/0.png"):
        with pytest.raises(UsageError, match="is also target, group or domain; give two columns"):
            listed(path, domain=domain)
    with pytest.raises(UnknownName, match="unknown column 'fil'; did you mean 'file'"):
        read(path, target="kind", image="fil")
    with pytest.raises(UsageError, match="is a folder of images, which takes no image column; leave it out"):
        read(pets / "images", image="file")
    with pytest.raises(UsageError, match="is a table, which takes no image size"):
        read(path, target="kind", image_size=32)
    assert OwnData(path, image="file").samples == "file"


@pytest.mark.slow
def test_from_a_table_of_images_to_predictions(pets: Path, call, tmp_path: Path) -> None:
    path = csv(pets, table(pets))
    described = "--data", path, "--image", "file", "--target", "kind", "--group", "owner"
    quick = "--seeds", 1, "--recipe", "steps=5", "--jobs", 1
    status, out, err = call("run", *described, "--plugins", "knn", "--baseline", "erm", *quick)
    assert status == 0, err
    assert "holdout(things)" in out
    status, _, err = call("fit", *described, "--strategy", "knn", "--output", tmp_path / "model")
    assert status == 0, err
    status, out, err = call("predict", tmp_path / "model", path)
    assert status == 0, err
    assert out.splitlines()[1].startswith("images/cat/0.png,")
