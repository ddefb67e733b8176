"""How values of own data are read: ranges of pixels, large numbers, texts that are nearly numbers, names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_files import csv, frame, make, noise, npz, pixels, read, save

from fsbench.datasets.known import load_dataset
from fsbench.errors import DataError, UsageError

Y = np.arange(12) % 3


def stored(folder: Path, x: np.ndarray) -> np.ndarray:
    return read(npz(folder, x=x, y=Y)).dataset.x[:, 0]


@pytest.mark.parametrize("factor", [1.0, 1.001, 1.9, 16.0, 40.0])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fractions_keep_their_shades_whatever_their_range(factor: float, kind: type, tmp_path: Path) -> None:
    x = pixels(12, 8, 8)
    x[0, 0, 0] = 255
    reading = read(npz(tmp_path, x=(x / 255 * factor).astype(kind), y=Y))
    assert np.array_equal(reading.dataset.x[:, 0], x)
    said = f"pixels go up to {factor:g}, which is taken as white"
    assert (said in reading.warnings) is (factor > 1)


def test_a_small_range_of_integers_is_the_whole_range(tmp_path: Path) -> None:
    digits = load_dataset("digits")
    raw = np.round(digits.x[:, 0] / 255 * 16).astype(np.uint8)[:200]
    reading = read(npz(tmp_path, x=raw, y=digits.y[:200]))
    assert np.abs(reading.dataset.x[:, 0].astype(int) - digits.x[:200, 0]).max() <= 1
    assert "pixels go up to 16, which is taken as white" in reading.warnings


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64])
def test_masks_are_black_and_white(kind: type, tmp_path: Path) -> None:
    assert set(np.unique(stored(tmp_path, (pixels(12, 8, 8) > 127).astype(kind)))) == {0, 255}


def test_a_dark_part_does_not_change_the_range(tmp_path: Path) -> None:
    x = pixels(12, 8, 8)
    dataset = read(npz(tmp_path, x_train=x, y_train=Y, x_test=x // 200, y_test=Y)).dataset
    assert dataset.x[dataset.test].max() == 1


def test_an_empty_part_is_ignored(tmp_path: Path) -> None:
    x, none = pixels(12, 8, 8), np.zeros((0, 8, 8), np.uint8)
    parts = {
        "x_train": x,
        "y_train": Y,
        "x_val": none,
        "y_val": Y[:0],
        "x_test": pixels(6, 8, 8),
        "y_test": Y[:6],
    }
    info = read(npz(tmp_path, **parts)).dataset.info
    assert (sum(info.class_counts), info.test_counts, info.val_counts) == (18, (2, 2, 2), ())
    with pytest.raises(DataError, match="has no sample"):
        read(npz(tmp_path, x=none, y=Y[:0]))


@pytest.mark.parametrize("start", [0.0, 1.7e12, -3e15])
def test_large_numbers_keep_their_differences(start: float, tmp_path: Path) -> None:
    table = frame(60).drop(columns="count")
    time = np.random.default_rng(1).permutation(np.arange(60) * 997)
    table["time"] = (start + time).astype(np.int64)
    reading = read(csv(tmp_path, table), target="kind")
    found = reading.dataset.x[:, 2].astype(np.float64)
    assert np.array_equal(found - found.min(), time)
    assert not [line for line in reading.warnings if "equal" in line]
    arrays = npz(tmp_path, x=np.stack([start + time, np.r_[np.nan, time[1:]]], 1), y=np.arange(60) % 2)
    again = read(arrays).dataset.x.astype(np.float64)
    assert np.array_equal(again[:, 0] - again[:, 0].min(), time)
    assert np.isnan(again[0, 1])


def test_none_can_be_a_class_and_other_missing_labels_are_named(tmp_path: Path) -> None:
    table = frame(40)
    table["kind"] = ["None", "Cyst", "NA", "Tumour"] * 10
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.classes == ("Cyst", "None", "Tumour")
    assert "10 rows without 'kind' left out ('NA' there is read as missing)" in reading.warnings
    table["kind"] = ["None", "1", "2", "3"] * 10
    assert read(csv(tmp_path, table), target="kind").dataset.info.classes == ("1", "2", "3", "None")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["NA", "Cyst"], r"only one value, Cyst; expected at least two classes \(20 rows"),
        (["NA", "NA"], r"is empty; choose another target \(40 rows"),
    ],
)
def test_missing_labels_are_named_if_too_few_classes_are_left(
    labels: list[str], message: str, tmp_path: Path
) -> None:
    said = f"{message} without 'kind' left out .'NA' there is read as missing.\\)$"
    with pytest.raises(DataError, match=said):
        read(csv(tmp_path, frame(40).assign(kind=labels * 20)), target="kind")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["01", "02", " 10", ""], ("01", "02", "10")),
        (["01", "1"], ("01", "1")),
        (["1e3", "1000", "7E2"], ("1000", "1e3", "7E2")),
        (["-07", "-7", "NA"], ("-07", "-7")),
        (["1", "1.0", "0", "0.0"], ("0", "1")),
        (["1e+03", "1000", "2"], ("2", "1000")),
        (["0.5", "1.5"], ("0.5", "1.5")),
        (["1.1", "1.10", "2"], ("1.1", "1.10", "2")),
        (["1.0", "1", "1.5"], ("1.0", "1.5")),
    ],
)
@pytest.mark.parametrize("sep", [",", ";"])
def test_labels_that_are_written_as_codes_stay_as_written(
    labels: list[str], classes: tuple[str, ...], sep: str, tmp_path: Path
) -> None:
    table = frame(60).assign(kind=[labels[i % len(labels)] for i in range(60)])
    assert read(csv(tmp_path, table, sep=sep), target="kind").dataset.info.classes == classes


def test_none_among_numbers_is_missing_and_among_texts_a_category(tmp_path: Path) -> None:
    table = frame(40).astype({"size": object})
    table.loc[:3, "size"] = "None"
    table["alley"] = ["None", "gravel"] * 20
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3, 2)
    assert np.isnan(reading.dataset.x[:, 0]).tolist() == [True] * 4 + [False] * 36


def test_a_quantity_is_not_a_target_however_it_is_written(tmp_path: Path) -> None:
    table = frame(120)
    table["kind"] = [f"{i % 40},5" for i in range(120)]
    with pytest.raises(DataError, match="looks like a quantity"):
        read(csv(tmp_path, table, sep=";"), target="kind")
    table["kind"] = ["None", "None", *(f"{i % 55}" for i in range(118))]
    with pytest.raises(DataError, match="looks like a quantity"):
        read(csv(tmp_path, table), target="kind")
    table["kind"] = [("1,0", "2,0", "10,0")[i % 3] for i in range(120)]
    assert read(csv(tmp_path, table, sep=";"), target="kind").dataset.info.classes == ("1", "2", "10")


@pytest.mark.parametrize("mark", ["1.#IND", "-1.#QNAN", "#N/A N/A", "? ", "inf"])
def test_not_a_number_texts_of_other_programs_are_missing_values(mark: str, tmp_path: Path) -> None:
    table = frame(40).astype({"size": object})
    table.loc[:9, "size"] = mark
    table.loc[10:12, "size"] = "None"
    reading = read(csv(tmp_path, table), target="kind")
    assert reading.dataset.info.columns == (0, 0, 3)
    assert np.isnan(reading.dataset.x[:, 0]).sum() == 13


def test_a_column_of_nearly_only_numbers_is_a_warning(tmp_path: Path) -> None:
    table = frame(40).astype({"size": object})
    table.loc[7, "size"] = "<5"
    said = read(csv(tmp_path, table), target="kind").warnings
    assert said == (
        "column 'size' left out: 39 of 40 values are numbers, but '<5' is not; correct the file, or leave "
        "such values empty",
    )


def test_old_line_endings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes(frame().to_csv(index=False, lineterminator="\r").encode())
    assert read(path, target="kind").dataset.info.class_counts == (15, 15)


def test_classes_that_would_be_shown_alike_are_refused(tmp_path: Path) -> None:
    for place, name in enumerate((b"m\xe4use", b"m\xf6use", b"cat")):
        for number in range(4):
            save(tmp_path / "pets" / os.fsdecode(name) / f"{number}.png", noise(10 * place + number, 12, 12))
    with pytest.raises(DataError, match=r"two classes that are both shown as 'm\?use'.* rename one"):
        read(tmp_path / "pets")
    with pytest.raises(DataError, match=r"two classes that are both shown as 'a\?b'"):
        read(npz(tmp_path, x=pixels(12, 8, 8), y=np.array(["a\tb", "a\nb", "c"] * 4)))


def test_names_given_as_bytes_are_texts(tmp_path: Path) -> None:
    names = np.array([b"cat", b"dog", b"cow"])
    assert read(npz(tmp_path, x=pixels(12, 8, 8), y=Y, classes=names)).dataset.info.classes == (
        "cat",
        "dog",
        "cow",
    )


def test_labels_given_as_bytes_are_texts(tmp_path: Path) -> None:
    reading = read(npz(tmp_path, x=pixels(12, 8, 8), y=np.array([b"cat", "k\u00fch".encode(), b"\xff"] * 4)))
    assert reading.dataset.info.classes == ("\\xff", "cat", "k\u00fch")


def test_none_is_not_a_group(tmp_path: Path) -> None:
    table = frame(40)
    table["p"] = [f"p{i}" if i < 20 else "None" for i in range(40)]
    reading = read(csv(tmp_path, table), target="kind", group="p")
    assert "40 groups by p, none of which a split divides" in reading.facts
    assert "20 rows without 'p': each is a separate group" in reading.warnings
    path = csv(tmp_path, table.assign(kind=[*table["kind"][:30], *[None] * 10]), "both.csv")
    reading = read(path, target="kind", group="p", unlabeled=path)
    assert reading.dataset.unlabeled is not None
    assert len(reading.dataset.unlabeled) == 10


def test_groups_that_differ_only_in_case_or_hold_one_row_each_are_pointed_out(tmp_path: Path) -> None:
    table = frame(40)
    table["p"] = [f"{'pP'[i % 2]}{i // 4}" for i in range(40)]
    said = "groups 'p0', 'P0', 'p1' and 17 more differ only in case or spaces; if they are one group, write "
    assert f"{said}them alike" in read(csv(tmp_path, table), target="kind", group="p").warnings
    said = "each row is a group of its own by 'size'; give a column in which rows that belong together have "
    assert f"{said}equal values" in read(csv(tmp_path, table), target="kind", group="size").warnings


def test_groups_are_counted_as_given_and_a_missing_value_is_a_separate_group(tmp_path: Path) -> None:
    table = pd.concat([frame(30), frame(30)[:2]], ignore_index=True)
    table["p"] = [f"p{i // 4}" for i in range(32)]
    reading = read(csv(tmp_path, table), target="kind", group="p")
    assert "8 groups by p, none of which a split divides" in reading.facts
    groups = np.array([1.0, 1, 2, 2, np.nan, np.nan, 3, 3, 4, 4, 5, 5])
    arrays = read(npz(tmp_path, x=pixels(12, 8, 8), y=Y, groups=groups))
    assert "7 groups by groups, none of which a split divides" in arrays.facts
    assert arrays.dataset.groups is not None
    assert sorted(np.bincount(arrays.dataset.groups)) == [1, 1, 2, 2, 2, 2, 2]


def test_class_folders_one_folder_deeper_are_pointed_at(tmp_path: Path) -> None:
    make(tmp_path / "all" / "pets", {"cat": 4, "dog": 4})
    wanted = r"one class only, 'pets', with the folders cat, dog in it; .*give this folder instead"
    with pytest.raises(DataError, match=wanted):
        read(tmp_path / "all")
    (tmp_path / "all" / "birds").mkdir()
    (tmp_path / "all" / "birds" / "1.png").write_text("no image", encoding="utf-8")
    with pytest.raises(DataError, match=r"one class only, 'pets'.*no image of class 'birds' can be read"):
        read(tmp_path / "all")


@pytest.mark.parametrize(
    ("train", "test"), [("train_set", "test_set"), ("Training", "Test images"), ("traindata", "test-split")]
)
def test_folders_of_parts_may_have_longer_names(train: str, test: str, tmp_path: Path) -> None:
    make(tmp_path / "pets", {f"{part}/{name}": 4 for part in (train, test) for name in ("cat", "dog")})
    reading = read(tmp_path / "pets")
    assert reading.dataset.info.classes == ("cat", "dog")
    assert "parts as given: train 8, test 8" in reading.facts


def test_parts_within_class_folders_are_not_mixed(tmp_path: Path) -> None:
    """The user's own test images would be learned from."""
    names = ("cat/train", "cat/test", "dog/train", "dog/test", "dog/other")
    make(tmp_path / "pets", dict.fromkeys(names, 4))
    wanted = "has the folders test, train in each class folder; make it train/ and test/ with the class"
    with pytest.raises(DataError, match=wanted):
        read(tmp_path / "pets")


@pytest.mark.parametrize("folders", [("fold1", "fold2"), ("dev", "eval")])
def test_classes_that_may_be_the_folders_within_are_told(folders: tuple[str, str], tmp_path: Path) -> None:
    make(tmp_path / "pets", {f"{part}/{name}": 4 for part in folders for name in ("cat", "dog")})
    said = (
        f"the class folders {folders[0]}, {folders[1]} have the same folders in them, cat, dog; if these are"
    )
    assert any(each.startswith(said) for each in read(tmp_path / "pets").warnings)
    make(tmp_path / "farm", {"cow/day1": 4, "pig/day1": 4, "pig/day2": 4})
    assert not any("the class folders" in each for each in read(tmp_path / "farm").warnings)


def test_texts_that_cannot_be_read_are_named_where_one_class_is_left(tmp_path: Path) -> None:
    for name in ("good/x/1", "good/y/1", "bad/1"):
        (tmp_path / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        text = "\0" if name == "bad/1" else f"some words of {name}"
        (tmp_path / "texts" / f"{name}.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"one class only, 'good'.*no text of class 'bad' can be read"):
        read(tmp_path / "texts")


def test_a_link_to_itself_is_a_damaged_file(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    (folder / "cat" / "z.png").symlink_to("z.png")
    assert any("cat/z.png" in line for line in read(folder).warnings)


def test_an_empty_or_inaccessible_path_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="the path is empty"):
        read("")  # type: ignore[arg-type]

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(DataError, match=r"cannot read .*: Permission denied"):
        read(tmp_path / "locked" / "x.csv")


CODES = ("900000000000207008", "900000000000207009", "71388002")


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "codes",
    [
        CODES,
        ("73211009000000004096", "73211009000000004097", "7"),
        ("-900000000000207008", "-900000000000207009", "-7"),
    ],
)
def test_long_codes_stay_apart(codes: tuple[str, ...], missing: bool, tmp_path: Path) -> None:
    table = frame(30).assign(kind=np.resize(codes, 30), patient=np.resize([*codes, "12"], 30))
    if missing:
        table.loc[[1, 2], ["kind", "patient"]] = [["", codes[1]], [codes[0], ""]]
    dataset = read(csv(tmp_path, table), target="kind", group="patient").dataset
    assert set(dataset.info.classes) == set(codes)
    assert len(np.unique(dataset.groups)) == 4 + missing


def test_long_codes_of_domains_stay_apart(tmp_path: Path) -> None:
    codes = ["73211009000000004096", "73211009000000004097"]  # beyond 64 bits
    table = frame(40).assign(site=np.repeat(codes, 20))
    found = read(csv(tmp_path, table), target="kind", domain="site")
    assert len(found.datasets) == 2


def test_domains_that_are_written_as_codes_stay_as_written(tmp_path: Path) -> None:
    table = frame(40).assign(site=np.repeat(["01", "02", "2"], [15, 20, 5]))
    found = read(csv(tmp_path, table), target="kind", domain="site=02")
    assert [dataset.info.n for dataset in found.datasets] == [20, 20]


def test_equal_numbers_that_are_classes_of_their_own_are_told(tmp_path: Path) -> None:
    table = frame(40).assign(kind=["1.1", "1.10", "1.2", "3.0"] * 10)
    said = "classes '1.1', '1.10' are equal numbers; if they are one class, write them alike"
    assert said in read(csv(tmp_path, table), target="kind").warnings


@pytest.mark.parametrize(
    ("first", "second"), [(["01", "10", "11"], ["10", "11", "12"]), (["10", "11"], ["10", "11", "a"])]
)
@pytest.mark.parametrize("swap", [False, True])
def test_labels_and_groups_that_are_texts_in_one_of_two_files_are_texts_in_both(
    first: list[str], second: list[str], swap: bool, tmp_path: Path
) -> None:
    paths = []
    for place, kinds in enumerate((first, second)):
        patients = [f"{'p' * place}{i}" for i in range(30)]
        table = frame(30).assign(
            kind=np.resize(kinds, 30), size=np.arange(30) + 100 * place, patient=patients
        )
        paths.append(csv(tmp_path, table, f"{place}.csv"))
    reading = read(paths[swap], target="kind", target_data=paths[1 - swap], group="patient")
    assert set(reading.dataset.info.classes) == {"10", "11"}
