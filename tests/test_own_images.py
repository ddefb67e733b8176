"""A folder of images of the user's own: every mode and size, every hostile file, what belongs together."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fsbench.data import datasets
from fsbench.data.own import OwnData, Reading, read_own
from fsbench.data.own import folders as folders_module
from fsbench.data.own import likeness as likeness_module
from fsbench.data.own.likeness import alike, same, together
from fsbench.data.own.options import valid_name
from fsbench.data.own.pictures import MAX_PIXELS, Unusable, read_picture, stack
from fsbench.data.splits import draw_split
from fsbench.data.tasks import parse_tasks
from fsbench.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def _no_dataset_stays() -> Iterator[None]:
    before = dict(datasets.DATASETS)
    yield
    datasets.DATASETS.clear()
    datasets.DATASETS.update(before)


def noise(seed: int, *shape: int) -> np.ndarray:
    """Blobs: noise that is smooth enough to survive resizing and JPEG."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, *shape[2:]), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


def make(folder: Path, classes: dict[str, int], side: int = 12, start: int = 0) -> Path:
    """A folder of grey PNGs, none like another."""
    for place, (name, count) in enumerate(classes.items()):
        for number in range(count):
            save(folder / name / f"{number}.png", noise(start + 1000 * place + number, side, side))
    return folder


def read(folder: Path, **options: object) -> Reading:
    return read_own(OwnData(folder, **options))  # type: ignore[arg-type]


def test_a_folder_of_classes(tmp_path: Path) -> None:
    reading = read(make(tmp_path / "pets", {"dog": 5, "cat": 4}))
    info = reading.dataset.info
    assert (info.text, info.modality, info.shape) == ("pets", "image", (1, 12, 12))
    assert (info.classes, info.class_counts) == (("cat", "dog"), (4, 5))
    assert info.symmetries == {"translation", "scale"}
    assert reading.warnings == ()
    assert "labels of 2 classes: cat 4, dog 5" in reading.facts
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


def test_given_parts_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for number, (part, count) in enumerate({"train": 4, "validation": 2, "test": 3}.items()):
        make(folder / part, {"cat": count, "dog": count}, start=100 * number)
    reading = read(folder)
    info, dataset = reading.dataset.info, reading.dataset
    assert (info.class_counts, info.test_counts, info.val_counts) == ((9, 9), (3, 3), (2, 2))
    assert "parts as given: train 8, val 4, test 6" in reading.facts
    assert any("seeds differ in their initial weights" in line for line in reading.warnings)
    assert dataset.test is not None
    split = draw_split(parse_tasks(f"holdout({reading.register()})")[0], 1)
    assert set(split.test.index[0]) == set(np.flatnonzero(dataset.test))
    assert split.train.index.size == 8


def test_parts_without_a_test_are_an_error_with_advice(tmp_path: Path) -> None:
    for part in ("train", "val"):
        make(tmp_path / "pets" / part, {"cat": 2, "dog": 2})
    with pytest.raises(DataError, match="pets has train and val but no test folder"):
        read(tmp_path / "pets")


def test_a_class_that_is_called_train_is_a_class(tmp_path: Path) -> None:
    info = read(make(tmp_path / "traffic", {"train": 3, "test": 3, "car": 3})).dataset.info
    assert info.classes == ("car", "test", "train")
    assert info.test_counts == ()


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "LAB"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(40, 20), (7, 30), (1, 1)])
def test_every_mode_and_size_becomes_a_small_square(mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    image = Image.fromarray(noise(1, size[1], size[0], 3))
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert("RGB").convert(mode)
    path = tmp_path / f"x.{'tif' if mode not in ('P', '1', 'LA') else 'png'}"
    image.save(path)
    picture = read_picture(path, 10)
    assert picture.pixels.shape[:2] == (10, 10)
    assert picture.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp", "ppm"])
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    pixels = noise(3, 24, 24)
    found = read_picture(save(tmp_path / f"x.{suffix}", pixels), 24).pixels
    grey = found if found.ndim == 2 else found.mean(2)
    assert np.abs(grey.astype(float) - pixels).mean() < 6


def test_orientation_first_frame_and_transparency(tmp_path: Path) -> None:
    corner = np.zeros((8, 8), dtype=np.uint8)
    corner[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "turned.png", corner, exif=exif)
    assert read_picture(tmp_path / "turned.png", 8).pixels[0, 7] == 255
    frames = [Image.fromarray(np.full((8, 8), level, dtype=np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (read_picture(tmp_path / "moving.gif", 8).pixels == 10).all()
    clear = np.zeros((8, 8, 4), dtype=np.uint8)
    clear[:4] = (255, 0, 0, 255)
    found = read_picture(save(tmp_path / "clear.png", clear), 8).pixels
    assert (found[0] == (255, 0, 0)).all()
    assert (found[7] == 255).all()


def test_the_middle_is_cut_out(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30), dtype=np.uint8)
    pixels[:, 10:20] = 200
    assert (read_picture(save(tmp_path / "wide.png", pixels), 10).pixels == 200).all()


def test_grey_stays_one_channel_if_all_are_grey(tmp_path: Path) -> None:
    folder = make(tmp_path / "mixed", {"a": 3, "b": 3})
    grey = noise(50, 12, 12)
    save(folder / "a" / "rgb.png", np.stack([grey] * 3, axis=2))
    assert read(folder).dataset.info.shape == (1, 12, 12)
    save(folder / "a" / "colour.png", noise(51, 12, 12, 3))
    dataset = read(folder).dataset
    assert dataset.info.shape == (3, 12, 12)
    assert np.array_equal(dataset.x[0], np.stack([noise(0, 12, 12)] * 3))


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (1000, 10), (4095, 12), (65535, 16)])
def test_deep_images_share_one_range(highest: int, bits: int, tmp_path: Path) -> None:
    pixels = [np.full((8, 8), value, dtype=np.uint16) for value in (0, highest // 2, highest)]
    paths = [save(tmp_path / f"{number}.png", each) for number, each in enumerate(pixels)]
    found = stack([read_picture(path, 8).pixels for path in paths])
    expected = [round(int(each[0, 0]) * 255 / (2**bits - 1)) for each in pixels]
    assert found[:, 0, 0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("sides", "size"), [([8, 8, 8], 8), ([4, 5, 5], 8), ([30, 40, 50], 40), ([90, 200, 80], 64)]
)
def test_the_default_size_is_the_images_own(sides: list[int], size: int, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number, side in enumerate(sides):
            save(tmp_path / "x" / name / f"{number}.png", noise(ord(name) + number, side, side + 3))
    assert read(tmp_path / "x").dataset.info.shape == (1, size, size)
    assert read(tmp_path / "x", image_size=20).dataset.info.shape == (1, 20, 20)


def bomb(path: Path, side: int = 20000) -> None:
    """A PNG of a few kilobytes that says it has 400 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (side + 1) * 50)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_files_that_are_no_images_are_left_out_and_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    (folder / "cat" / "story.png").write_text("once upon a time", encoding="utf-8")
    (folder / "cat" / "empty.jpg").touch()
    whole = save(folder / "dog" / "half.png", noise(9, 60, 60)).read_bytes()
    (folder / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    bomb(folder / "dog" / "bomb.png")
    (folder / "cat" / "notes.txt").write_text("cats", encoding="utf-8")
    (folder / "cat" / ".hidden.png").write_text("cats", encoding="utf-8")
    os.symlink("nowhere.png", folder / "cat" / "broken.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "cat" / "pipe.png")
    reading = read(folder)
    assert reading.dataset.info.class_counts == (4, 4)
    said = "\n".join(reading.warnings)
    assert "5 files left out: " in said
    assert "2 other files not read: cat/notes.txt, cat/pipe.png" in said
    with pytest.raises(Unusable, match="may be a decompression bomb"):
        read_picture(folder / "dog" / "bomb.png", 8)
    for name, problem in (
        ("cat/story.png", "not an image"),
        ("dog/half.png", "damaged"),
        ("cat/empty.jpg", "not an"),
    ):
        with pytest.raises(Unusable, match=problem):
            read_picture(folder / name, 8)


def test_a_bomb_just_above_the_limit_is_not_decoded(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    bomb(tmp_path / "bomb.png", side)
    with pytest.raises(Unusable, match=f"more than {MAX_PIXELS} pixels, which may be a decompression bomb"):
        read_picture(tmp_path / "bomb.png", 8)


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
    assert "loop is a link to a folder and is not followed" in reading.warnings
    assert any("2 of 9 images are near-duplicate images" in line for line in reading.warnings)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "has no images; expected a folder for each class"),
        ({"cat": 5}, "has one class only, 'cat'; fsbench needs two"),
        ({"cat": 5, "dog": 1}, "has one class only, 'cat'.*class 'dog' left out: it has one image only"),
    ],
)
def test_too_few_classes(classes: dict[str, int], message: str, tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    with pytest.raises(DataError, match=message) as caught:
        read(make(tmp_path / "pets", classes))
    assert "\n" not in str(caught.value)


def test_a_class_with_one_image_is_left_out_and_uneven_classes_are_said(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 40, "dog": 4, "bird": 1})
    (folder / "fish").mkdir()
    reading = read(folder)
    assert reading.dataset.info.classes == ("cat", "dog")
    said = "\n".join(reading.warnings)
    assert (
        "class 'bird' left out: it has one image only, which cannot be both in training and in the test"
        in said
    )
    assert "classes differ much in size (cat 40, dog 4)" in said
    assert "the folder fish has no images" in said


def test_images_without_folders_and_only_damaged_ones(tmp_path: Path) -> None:
    save(tmp_path / "loose" / "a.png", noise(1, 8, 8))
    with pytest.raises(DataError, match="loose holds images but no folders"):
        read(tmp_path / "loose")
    for name in ("a", "b"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        (tmp_path / "bad" / name / "x.png").write_text("no", encoding="utf-8")
    with pytest.raises(DataError, match=r"none of 2 image files can be read: a/x\.png \(not an image"):
        read(tmp_path / "bad")


def test_near_duplicates_are_named_and_never_divided(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 6, "dog": 6}, side=64)
    cat = noise(0, 64, 64)
    save(folder / "cat" / "smaller.jpg", np.asarray(Image.fromarray(cat).resize((48, 48))), quality=70)
    save(folder / "cat" / "brighter.png", (cat * 0.6 + 60).astype(np.uint8))
    save(folder / "dog" / "stolen.png", cat)
    reading = read(folder)
    groups = reading.dataset.groups
    assert groups is not None
    assert sorted(np.bincount(groups))[-2:] == [1, 4]
    said = "\n".join(reading.warnings)
    assert "3 pairs of near-duplicate images have different classes: cat/0.png and dog/stolen.png" in said
    assert "4 of 15 images are near-duplicate images" in said
    name = reading.register()
    for seed in range(10):
        split = draw_split(parse_tasks(f"holdout({name})")[0], seed)
        parts = [set(groups[rows.index[0]]) for rows in (split.train, split.val, split.test)]
        assert not parts[0] & parts[2]
        assert not parts[0] & parts[1]
        assert not parts[1] & parts[2]


def test_near_duplicates_across_given_parts_are_said(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "test")):
        make(tmp_path / "pets" / part, {"cat": 4, "dog": 4}, start=100 * number)
    save(tmp_path / "pets" / "test" / "cat" / "again.png", noise(0, 12, 12))
    said = "\n".join(read(tmp_path / "pets").warnings)
    assert (
        "1 pair of near-duplicate images are in different parts, so the test is too easy: "
        "train/cat/0.png and test/cat/again.png" in said
    )


def test_a_class_of_copies_is_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    for number in range(3):
        save(folder / "copy" / f"{number}.png", noise(7777, 12, 12))
    reading = read(folder)
    assert reading.dataset.info.classes == ("cat", "dog")
    assert "class 'copy' left out: it has 3 images that belong together" in "\n".join(reading.warnings)


def test_real_digits_are_not_taken_for_each_other() -> None:
    from sklearn.datasets import load_digits

    looks = load_digits().images * 255 / 16
    wide = [np.asarray(Image.fromarray(each.astype(np.float32)).resize((16, 16))).ravel() for each in looks]
    assert len(np.unique(alike(np.stack(wide)))) < 0.01 * len(looks)


def test_alike_and_same_by_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_module, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    looks = rng.uniform(0, 255, (40, 64)).astype(np.float32)
    looks[10] = looks[3] * 0.5 + 20
    looks[30], looks[31], looks[32] = 17.0, 17.2, 90.0
    found = {tuple(pair) for pair in alike(looks).tolist()}
    correlation = np.corrcoef(np.delete(looks, [30, 31, 32], axis=0))
    assert (np.argwhere(np.triu(correlation, 1) > 0.995) == [[3, 10]]).all()
    assert found == {(3, 10), (30, 31)}
    rows = np.array([[1, np.nan], [1, 2], [1, np.nan], [-0.0, 2], [0.0, 2], [1, np.nan]], dtype=np.float32)
    assert same(rows).tolist() == [[0, 2], [3, 4], [0, 5]]


def test_together_joins_pairs_and_groups() -> None:
    groups = together(6, np.array([[0, 1], [4, 5]]), np.array([7, 8, 8, 9, 7, 5]))
    assert groups.tolist() == [0, 0, 0, 1, 0, 0]
    assert together(3, np.empty((0, 2), dtype=np.int64)).tolist() == [0, 1, 2]


def test_above_the_limit_only_equal_images_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "pets", {"cat": 4, "dog": 4})
    save(folder / "cat" / "brighter.png", (noise(0, 12, 12) * 0.6 + 60).astype(np.uint8))
    save(folder / "dog" / "copy.png", noise(1000, 12, 12))
    for module in ("fsbench.data.own.likeness.MOST", "fsbench.data.own.reading.MOST"):
        monkeypatch.setattr(module, 5)
    reading = read(folder)
    said = "\n".join(reading.warnings)
    assert "more than 5 images: near-duplicates are not searched, equal ones are" in said
    assert "2 of 10 images" in said


def test_too_many_pixels_are_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders_module, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="8 images of 12x12 are more than 0 GB; give a smaller image size"):
        read(make(tmp_path / "pets", {"cat": 4, "dog": 4}))


def test_unicode_and_hostile_class_names(tmp_path: Path) -> None:
    folder = make(tmp_path / "Früchte & Nüsse", {"Äpfel": 3, "梨": 3, "a\x1b[31mb": 3, "-x": 3})
    reading = read(folder)
    assert reading.dataset.info.text == "Fruchte_Nusse"
    assert set(reading.dataset.info.classes) == {"Äpfel", "梨", "a?[31mb", "-x"}
    assert all("\x1b" not in line for line in reading.facts)


def test_progress_is_told(tmp_path: Path) -> None:
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
def test_names(path: str, name: str) -> None:
    assert valid_name(Path(path), {"digits"}) == name
    assert parse_call_name(name)


def parse_call_name(name: str) -> bool:
    from fsbench.spec import as_call, parse_call

    return as_call(parse_call(f"holdout({name})").args[0]).name == name


def test_a_second_reading_takes_the_place_of_the_first(tmp_path: Path) -> None:
    folder = make(tmp_path / "digits", {"a": 3, "b": 3})
    first = read(folder)
    assert first.register() == "my_digits"
    save(folder / "a" / "new.png", noise(99, 12, 12))
    second = read(folder)
    assert second.register() == "my_digits"
    assert datasets.load_dataset("my_digits").fingerprint == second.dataset.fingerprint
    assert datasets.load_dataset("digits").info.n == 1797


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "x"}, "is a folder of images, which takes no target"),
        ({"group": "x"}, "is a folder of images, which takes no group"),
        ({"image_size": 4}, "image size 4: expected 8 to 256 pixels"),
        ({"symmetries": "hflop"}, "unknown symmetry 'hflop'; did you mean 'hflip'"),
        ({"target": "x", "group": "x"}, "column 'x' is both target and group"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "pets", {"a": 2, "b": 2})
    with pytest.raises(UsageError, match=message):
        read(folder, **options)


def test_symmetries_are_what_the_user_says(tmp_path: Path) -> None:
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
