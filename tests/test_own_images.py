"""The user's own folder of images: classes, parts, links, names, options."""

from __future__ import annotations

import gc
import os
import re
import weakref
from pathlib import Path

import numpy as np
import pytest
from own_files import make, noise, read, save

from fsbench.datasets import known
from fsbench.errors import DataError, SpecError, UsageError
from fsbench.own import OwnData, read_own
from fsbench.own import folders as folders_module
from fsbench.own.given import valid_name
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def test_a_folder_of_classes_is_read(tmp_path: Path) -> None:
    reading = read(make(tmp_path / "pets", {"dog": 5, "cat": 4}))
    info = reading.dataset.info
    assert (info.text, info.kind, info.shape) == ("pets", "image", (1, 12, 12))
    assert (info.classes, info.class_counts) == (("cat", "dog"), (4, 5))
    assert info.symmetries == {"translation", "scale"}
    assert reading.warnings == (
        "a test of holdout has 1 image of class 'cat': one more right or wrong changes balanced "
        "accuracy by 50 points, so only large differences can be significant",
    )
    assert "labels of 2 classes: cat 4, dog 5" in reading.facts
    assert "assumed to keep a label: scale, translation (change it with --symmetries)" in reading.facts
    assert np.array_equal(reading.dataset.x[0, 0], noise(1000, 12, 12))
    assert str(tmp_path) not in str(info)


def test_the_same_folder_gives_the_same_data_and_another_image_others(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"dog": 4, "cat": 4})
    first = read(folder).dataset.fingerprint
    assert read(folder).dataset.fingerprint == first
    assert read(folder, image_size=16).dataset.fingerprint != first
    assert read(folder, symmetries=["hflip"]).dataset.fingerprint != first
    save(folder / "cat" / "0.png", noise(77, 12, 12))
    assert read(folder).dataset.fingerprint != first


def test_images_that_networks_see_in_their_stored_size_on_demand_are_other_data(tmp_path: Path) -> None:
    """Stored in 96 pixels either way, but small networks see 64 of them unless a size is asked for."""
    folder = make(tmp_path / "pets", {"dog": 4, "cat": 4}, side=96)
    usual, whole = (read(folder, **size).dataset for size in ({}, {"image_size": 96}))
    assert (usual.info.shape, whole.info.shape) == ((1, 64, 64), (1, 96, 96))
    assert np.array_equal(usual.x, whole.x)
    assert usual.fingerprint != whole.fingerprint


def test_given_parts_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for number, (part, count) in enumerate({"train": 4, "validation": 2, "test": 3}.items()):
        make(folder / part, {"cat": count, "dog": count}, start=100 * number)
    reading = read(folder)
    info, dataset = reading.dataset.info, reading.dataset
    assert (info.class_counts, info.test_counts, info.val_counts) == ((9, 9), (3, 3), (2, 2))
    assert "parts as given: train 8, val 4, test 6" in reading.facts
    assert any("seeds differ only in initial weights" in line for line in reading.warnings)
    assert dataset.test is not None
    split = draw_split(parse_tasks(f"holdout({reading.register()})")[0], 1)
    assert set(split.test.index[0]) == set(np.flatnonzero(dataset.test))
    assert split.train.index.size == 8


def test_parts_without_a_test_part_are_an_error_with_advice(tmp_path: Path) -> None:
    for part in ("train", "val"):
        make(tmp_path / "pets" / part, {"cat": 2, "dog": 2})
    with pytest.raises(DataError, match="pets has train and val but no test folder"):
        read(tmp_path / "pets")


@pytest.mark.parametrize("other", ["annotations", "Zebras"])
def test_a_folder_beside_the_parts_is_not_read_and_the_parts_stay_parts(other: str, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for number, part in enumerate(("Train", "val", "test")):
        make(folder / part, {"cat": 4, "dog": 4}, start=100 * number)
    make(folder, {other: 3}, start=500)
    reading = read(folder)
    info = reading.dataset.info
    assert (info.classes, info.test_counts, info.val_counts) == (("cat", "dog"), (4, 4), (4, 4))
    assert any(
        line.startswith("1 folder beside ") and line.endswith(f" not read: {other}")
        for line in reading.warnings
    )


@pytest.mark.parametrize(("one", "two"), [("val", "valid"), ("train", "Training"), ("test", "TEST")])
def test_two_folders_for_one_part_are_refused(one: str, two: str, tmp_path: Path) -> None:
    for part in {"train", "test", one, two}:
        make(tmp_path / "pets" / part, {"cat": 2, "dog": 2})
    if len(list((tmp_path / "pets").iterdir())) < 3:
        pytest.skip("this file system does not tell capitals from small letters")
    with pytest.raises(DataError, match=rf"two names of the part {one}; put all its images into one of them"):
        read(tmp_path / "pets")


def test_a_missing_part_or_a_part_without_classes_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    make(folder / "train", {"cat": 4, "dog": 4})
    make(folder, {"cars": 3})
    with pytest.raises(DataError, match="pets has train but no test folder; add test/"):
        read(folder)
    make(folder, {"test": 3})
    with pytest.raises(DataError, match="test contains images but no folders"):
        read(folder)
    make(tmp_path / "other" / "test", {"cat": 4, "dog": 4})
    make(tmp_path / "other" / "val", {"cat": 4, "dog": 4})
    with pytest.raises(DataError, match="other has test and val but no train folder; add train/"):
        read(tmp_path / "other")


def test_a_class_that_is_called_train_is_a_class(tmp_path: Path) -> None:
    info = read(make(tmp_path / "traffic", {"train": 3, "test": 3, "car": 3})).dataset.info
    assert info.classes == ("car", "test", "train")
    assert info.test_counts == ()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    secret = save(tmp_path / "secret.png", noise(5, 12, 12))
    (folder / "cat" / "linked.png").symlink_to(secret)
    with pytest.raises(DataError, match=r"cat/linked\.png is a symbolic link that leads out of the folder"):
        read(folder)
    (folder / "cat" / "linked.png").unlink()
    (folder / "bird").symlink_to(make(tmp_path / "other", {"x": 3}) / "x")
    with pytest.raises(DataError, match="bird is a symbolic link"):
        read(folder)


def test_a_link_that_stays_inside_is_read_and_a_loop_is_not_followed(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    (folder / "cat" / "again.png").symlink_to(folder / "cat" / "0.png")
    (folder / "cat" / "loop").symlink_to(folder)
    reading = read(folder)
    assert reading.dataset.info.class_counts == (5, 4)
    assert "cat/loop is a link to a folder and is not followed" in reading.warnings
    assert any("2 of 9 images are near-duplicate images" in line for line in reading.warnings)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "has no images; expected a folder for each class"),
        ({"cat": 5}, "has one class only, 'cat'; fsbench needs two"),
        ({"cat": 5, "dog": 1}, "has one class only, 'cat'.*class 'dog' left out: it has one image only"),
    ],
)
def test_too_few_classes_are_an_error(classes: dict[str, int], message: str, tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    with pytest.raises(DataError, match=message) as caught:
        read(make(tmp_path / "pets", classes))
    assert "\n" not in str(caught.value)


def test_images_of_an_unsupported_format_are_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.heic").touch()
    (tmp_path / "pets" / "dog" / "notes.csv").touch()
    said = "2 images of an unsupported format not read; convert to PNG or JPEG: cat/1.heic, dog/1.heic"
    with pytest.raises(DataError, match=rf"has no images; expected .*\({re.escape(said)}\)$"):
        read(tmp_path / "pets")
    make(tmp_path / "pets", {"cat": 4, "dog": 4})
    assert read(tmp_path / "pets").warnings[:2] == ("1 other file not read: dog/notes.csv", said)


def test_images_of_an_unsupported_format_are_no_reason_to_read_texts(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "pets" / name / f"{number}.HEIC").touch()
        (tmp_path / "pets" / name / "notes.txt").write_text(f"about {name}s")
    with pytest.raises(DataError, match=r"has no images; .* to PNG or JPEG: cat/0\.HEIC, cat/1\.HEIC"):
        read(tmp_path / "pets")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.HEIC", "convert it to PNG or JPEG"),
        ("a.xlsx", "save the sheet as CSV"),
        ("a.zip", "unpack it"),
        ("a.npy", "save arrays x and y as .npz"),
        ("a.json", "give a folder"),
    ],
)
def test_a_file_of_an_unsupported_format_is_refused_with_what_to_do(
    name: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"fsbench cannot read .*{name}; {hint}"):
        read(tmp_path / name)


def test_a_class_with_one_image_is_left_out_and_uneven_classes_are_warnings(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 40, "dog": 4, "bird": 1})
    (folder / "fish").mkdir()
    reading = read(folder)
    assert reading.dataset.info.classes == ("cat", "dog")
    said = "\n".join(reading.warnings)
    assert "class 'bird' left out: it has one image only, so none can be held out" in said
    assert "classes differ much in size (cat 40, dog 4)" in said
    assert "the folder fish has no images" in said


def test_a_small_class_among_many_changes_the_score_by_little(tmp_path: Path) -> None:
    """One sample of 60 classes is 1.7 points, of 40 classes 2.5."""
    for classes, said in ((60, False), (40, True)):
        folder = make(tmp_path / str(classes), {f"k{number}": 2 for number in range(classes)})
        assert any("one more right or wrong" in line for line in read(folder).warnings) == said


def test_images_beside_the_class_folders_are_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    save(folder / "loose.png", noise(7, 12, 12))
    reading = read(folder)
    assert reading.dataset.info.n == 8
    assert "1 image beside the class folders left out: loose.png" in reading.warnings


def test_images_without_class_folders_or_only_damaged_ones_are_an_error(tmp_path: Path) -> None:
    save(tmp_path / "loose" / "a.png", noise(1, 8, 8))
    with pytest.raises(DataError, match="loose contains images but no folders"):
        read(tmp_path / "loose")
    for name in ("a", "b"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        (tmp_path / "bad" / name / "x.png").write_text("no", encoding="utf-8")
    with pytest.raises(DataError, match=r"none of 2 image files can be read: a/x\.png \(not an image"):
        read(tmp_path / "bad")


def test_too_many_pixels_are_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders_module, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="8 images of 12x12 are more than 0 GB; give a smaller image size"):
        read(make(tmp_path / "pets", {"cat": 4, "dog": 4}))


def test_unicode_and_hostile_class_names_are_handled(tmp_path: Path) -> None:
    folder = make(tmp_path / "Früchte & Nüsse", {"Äpfel": 3, "梨": 3, "a\x1b[31mb": 3, "-x": 3})
    reading = read(folder)
    assert reading.dataset.info.text == "Fruchte_Nusse"
    assert set(reading.dataset.info.classes) == {"Äpfel", "梨", "a?[31mb", "-x"}
    assert all("\x1b" not in line for line in reading.facts)


def test_progress_is_reported(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read_own(
        OwnData(make(tmp_path / "pets", {"a": 3, "b": 3})), lambda done, total: told.append((done, total))
    )
    assert told == [(number, 6) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pets", "pets"),
        ("my pets.v2", "my_pets_v2"),
        ("digits", "my_digits"),
        ("data", "my_data"),
        ("2024", "my_2024"),
        ("x.csv", "x"),
        ("True.npz", "my_True"),
        ("данные", "my_data"),
        ("a--b", "a-b"),
        ("Crème brûlée.CSV", "Creme_brulee"),
    ],
)
def test_names_of_own_data_are_made_from_paths(path: str, name: str) -> None:
    assert valid_name(Path(path), {"digits"}) == name
    assert parse_call_name(name)


def parse_call_name(name: str) -> bool:
    from fsbench.spec import as_call, parse_call

    return as_call(parse_call(f"holdout({name})").args[0]).name == name


def test_a_second_reading_replaces_the_first(tmp_path: Path) -> None:
    folder = make(tmp_path / "digits", {"a": 3, "b": 3})
    first = read(folder)
    assert first.register() == "my_digits"
    draw_split(parse_tasks("holdout(my_digits)")[0], 0)
    old = weakref.ref(first.dataset)
    del first
    save(folder / "a" / "new.png", noise(99, 12, 12))
    second = read(folder)
    assert second.register() == "my_digits"
    assert known.load_dataset("my_digits").fingerprint == second.dataset.fingerprint
    with pytest.raises(SpecError, match="my_digits takes no arguments"):
        known.dataset_info("my_digits(size=8)")
    gc.collect()
    assert old() is None
    assert known.load_dataset("digits").info.n == 1797


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "x"}, "is a folder of images, which takes no target"),
        ({"group": "x"}, "is a folder of images, which takes no group"),
        ({"image_size": 4}, "image size 4: expected 8 to 512 pixels"),
        ({"symmetries": "hflop"}, "unknown symmetry 'hflop'; did you mean 'hflip'"),
        ({"symmetries": "hflip,none"}, "symmetries hflip,none: none stands alone"),
        ({"target": "x", "group": "x"}, "column 'x' is both target and group"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    folder = make(tmp_path / "pets", {"a": 2, "b": 2})
    with pytest.raises(UsageError, match=message):
        read(folder, **options)


def test_symmetries_are_those_that_the_user_gives(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"a": 2, "b": 2})
    assert read(folder, symmetries="hflip, rotation").dataset.info.symmetries == {"hflip", "rotation"}
    assert read(folder, symmetries="none").dataset.info.symmetries == frozenset()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    (folder / "cat" / "0.png").chmod(0)
    assert "1 file left out: cat/0.png (no permission to read it)" in read(folder).warnings
    (folder / "dog").chmod(0)
    with pytest.raises(DataError, match="cannot read the folder dog: Permission denied"):
        read(folder)


def test_hidden_folders_with_images_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "logos", {"java": 4, "python": 4, ".NET": 4})
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")
    said = "hidden folders with images not read: .NET; if they are classes, give them names without a dot"
    assert said in read(folder).warnings
