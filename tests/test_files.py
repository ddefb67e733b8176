"""Datasets from files: the layouts that are read, and damaged files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.datasets import files
from fsbench.datasets.known import (
    about,
    dataset_info,
    download_size,
    family,
    is_available,
    load_dataset,
)
from fsbench.datasets.resizing import recolour, resize
from fsbench.errors import AbsentData, DataError, SpecError, TaskError
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (60, 28, 28), dtype=np.uint8)
Y = np.arange(60) % 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    return tmp_path


def parted(**changes: Any) -> dict[str, Any]:
    return {"x_train": X[:40], "y_train": Y[:40], "x_test": X[40:], "y_test": Y[40:]} | changes


def test_all_layouts_of_one_content_are_one_dataset(folder: Path) -> None:
    test, found = np.arange(60) >= 40, []
    image = X[:, None]
    layouts: list[dict[str, Any]] = [
        parted(),
        parted(y_train=Y[:40, None].astype(np.uint8), y_test=Y[40:, None].astype(np.uint8)),
        {"x": image, "y": Y, "test": test},
        {"x": X, "y": Y, "test": test},
        {"x": X[..., None], "y": Y.astype(np.int16), "test": test},
        {
            "train_images": X[:30],
            "train_labels": Y[:30, None],
            "val_images": X[30:40],
            "val_labels": Y[30:40, None],
            "test_images": X[40:],
            "test_labels": Y[40:, None],
        },
    ]
    for number, layout in enumerate(layouts):
        (np.savez if number % 2 else np.savez_compressed)(folder / "kmnist.npz", **layout)
        found.append(load_dataset("kmnist"))
    files.write(folder / "kmnist.npz", image, Y, test, {})
    found.append(load_dataset("kmnist"))
    assert {dataset.fingerprint for dataset in found} == {found[0].fingerprint}
    assert np.array_equal(found[-1].x, image)
    assert found[0].info.test_counts == (2,) * 10
    assert found[0].info.classes[0] == "o"


def test_channels_last_become_channels_first(folder: Path) -> None:
    x = RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "svhn.npz", x_train=x[:10], y_train=Y[:10], x_test=x[10:], y_test=Y[:10])
    assert np.array_equal(load_dataset("svhn").x, x.transpose(0, 3, 1, 2))
    grey = load_dataset("svhn(channels=1, size=28)")
    assert grey.x.shape == (20, 1, 28, 28)
    assert np.array_equal(grey.x, recolour(resize(load_dataset("svhn").x, 28), 1))


def test_duplicates_are_left_out_of_cifair10_only(folder: Path) -> None:
    x = RNG.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    named = {"x_train": x[:20], "y_train": Y[:20], "x_test": x[20:], "y_test": Y[20:50]}
    np.savez(folder / "cifair10.npz", **named, cifair_duplicates=np.array([3, 17]))
    np.savez(folder / "cifar10.npz", **named, cifair_duplicates=np.array([3, 17]))
    kept = [number for number in range(50) if number not in (23, 37)]
    fair, all_of_it = load_dataset("cifair10"), load_dataset("cifar10")
    assert np.array_equal(fair.x, x.transpose(0, 3, 1, 2)[kept])
    assert (fair.info.n, all_of_it.info.n) == (48, 50)
    assert fair.test is not None
    assert fair.info.test_counts == tuple(np.bincount(fair.y[fair.test]))


def test_several_binary_labels_become_whether_any_is_set(folder: Path) -> None:
    labels = np.zeros((60, 14), dtype=np.uint8)
    labels[::3, 5] = labels[::6, 9] = 1
    names = ("train", "val", "test")
    np.savez(
        folder / "chestmnist.npz",
        **{f"{name}_images": X[20 * i : 20 * i + 20] for i, name in enumerate(names)},
        **{f"{name}_labels": labels[20 * i : 20 * i + 20] for i, name in enumerate(names)},
    )
    data = load_dataset("chestmnist")
    assert data.y.tolist() == [int(i % 3 == 0) for i in range(60)]
    assert data.info.classes == ("no finding", "finding")


def test_omniglots_layout_gives_characters_and_their_rotations(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from fsbench.datasets import about, omniglot

    known = replace(about.image_sets()["omniglot"], num_classes=5, fingerprints={})
    monkeypatch.setitem(about.image_sets(), "omniglot", known)
    monkeypatch.setattr(omniglot, "TRAINING", 3)
    x = RNG.integers(0, 2, (10, 105, 105), dtype=np.uint8) * np.uint8(255)
    character, alphabet = np.repeat(np.arange(5), 2), np.repeat([0, 1], [4, 6])
    np.savez(folder / "omniglot.npz", x=x, character=character, alphabet=alphabet, alphabets=["Aa", "Bb"])
    upright, data = load_dataset("omniglot(rotations=false, size=105)"), load_dataset("omniglot")
    names = ("Aa/character01", "Aa/character02", "Bb/character01", "Bb/character02", "Bb/character03")
    assert upright.info.classes == names
    assert np.array_equal(upright.x[:, 0], x)
    assert upright.info.evaluation_classes == (3, 4)
    assert data.info.evaluation_classes == tuple(range(12, 20))
    assert data.info.classes[6] == "Aa/character02/rot180"
    for sample in range(10):
        (turned,) = np.flatnonzero(data.y == character[sample] * 4 + 2)[sample % 2 : sample % 2 + 1]
        assert np.array_equal(data.x[turned, 0], resize(np.rot90(x[sample], 2)[None], 28)[0])


DAMAGES: list[tuple[dict[str, Any], str]] = [
    (parted(x_train=X[:40].astype(np.float32)), r"x_train is float32 \[40, 28, 28\], expected uint8"),
    (parted(y_train=Y[:39]), r"y_train is int64 \[39\], expected whole numbers from 0, \[40\]"),
    (parted(y_train=Y[:40] - 1), "y_train goes from -1 to 8, expected whole numbers from 0, each of which"),
    (parted(y_train=Y[:40].astype(np.int64) + 2**60), "y_train goes from 1152921504606846976 to"),
    (parted(y_train=Y[:40].astype(np.uint64) + np.uint64(2**63)), "y_train goes from 9223372036854775808"),
    (parted(x_train=np.uint8(3)), r"x_train is uint8 \[\], expected uint8 \[N, H, W\]"),
    (parted(about=np.array('{"classes": 5}')), "classes in about are 5, expected a list of names"),
    (parted(about=np.array('{"fingerprint": 5}')), "the fingerprint in about is 5, expected a text"),
    (parted(y_train=Y[:40] + 0.5), "y_train is float64"),
    (parted(y_train=Y[:40] % 9, y_test=Y[40:] % 9), "9 classes of 1x28x28 images, kmnist has 10 classes"),
    (parted(y_train=Y[:40] * 2, y_test=Y[40:] * 2), "class 1 has no samples, expected labels 0 to 18"),
    (parted(x_train=X[:40, :20], x_test=X[40:, :20]), "images of|1x20x28 images, kmnist has"),
    (parted(x_train=X[:40, :20]), "images have the shapes"),
    ({"x": X, "y": Y, "test": np.arange(60)}, r"test is int64 \[60\], expected bool"),
    ({"x": X}, "kmnist.npz has x; expected x and y, or x_train"),
    ({"x": X[:0], "y": Y[:0]}, r"x is uint8 \[0, 28, 28\]"),
    ({"x": X, "y": Y, "about": np.array("[1]")}, "about is list, expected a JSON object"),
    ({"x": X, "y": Y, "about": np.array("{")}, "cannot read .*remove it, then fetch"),
    ({"x": np.array([None]), "y": Y}, "cannot read|expected uint8"),
]


@pytest.mark.parametrize(("arrays", "message"), DAMAGES)
def test_a_file_that_is_not_the_dataset_is_one_clear_line(
    arrays: dict[str, Any], message: str, folder: Path
) -> None:
    np.savez(folder / "kmnist.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        dataset_info("kmnist")
    assert "\n" not in str(caught.value)
    assert str(folder / "kmnist.npz") in str(caught.value)


@pytest.mark.parametrize("kept", [0, 10, 5000, -30])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_truncated_file_is_one_clear_line(kept: int, save: Any, folder: Path) -> None:
    file = folder / "kmnist.npz"
    save(file, **parted())
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"cannot read .*kmnist.npz: .*; remove it, then fetch") as caught:
        load_dataset("kmnist")
    assert "\n" not in str(caught.value)


def test_an_array_alone_is_not_a_dataset(folder: Path) -> None:
    with (folder / "kmnist.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="it is not an npz file"):
        dataset_info("kmnist")


def test_altered_bytes_are_noticed(folder: Path) -> None:
    file = folder / "kmnist.npz"
    files.write(file, X[:, None], Y, None, {})
    content = bytearray(file.read_bytes())
    place = content.find(X[30].tobytes())
    content[place + 100] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*CRC"):
        load_dataset("kmnist")


def test_data_that_contradict_the_file_or_fsbench_are_refused(folder: Path) -> None:
    files.write(folder / "kmnist.npz", X[:, None], Y, None, {"fingerprint": "0" * 64})
    with pytest.raises(
        DataError, match=r"has other data than kmnist should have .*expected 0000000000000000"
    ):
        load_dataset("kmnist")
    np.savez(folder / "mnist.npz", **parted())
    with pytest.raises(DataError, match=r"other data than mnist should have .*expected dfe7f6a70c948af7"):
        load_dataset("mnist(size=8)")


def test_a_file_that_changes_is_read_again(folder: Path) -> None:
    files.write(folder / "kmnist.npz", X[:, None], Y, None, {})
    before = load_dataset("kmnist")
    assert load_dataset("kmnist") is before
    files.write(folder / "kmnist.npz", X[:50, None], Y[:50], None, {})
    assert dataset_info("kmnist").n == 50
    assert load_dataset("kmnist").info.n == 50


def test_a_file_is_written_completely_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "kmnist.npz"
    files.write(file, X[:, None], Y, None, {"classes": ["a"]})
    before = file.read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", stop)
    with pytest.raises(KeyboardInterrupt):
        files.write(file, X[:, None], Y, None, {})
    assert file.read_bytes() == before
    assert [each.name for each in folder.iterdir()] == ["kmnist.npz"]
    with zipfile.ZipFile(file) as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    with np.load(file, allow_pickle=False) as arrays:
        assert json.loads(arrays["about"].item()) == {"classes": ["a"]}


def test_missing_data_gives_advice(folder: Path) -> None:
    assert not is_available("cifar10")
    for text in ("cifar10", "cifar10(size=16)"):
        with pytest.raises(
            AbsentData, match=r"'fsbench data fetch cifar10' downloads it \(about 170 MB\)"
        ) as e:
            dataset_info(text)
        assert str(folder) in str(e.value)
    with pytest.raises(AbsentData):
        parse_tasks("kshot(digits, source=mnist)")
    assert (download_size("cifar10"), download_size("digits")) == (170, None)
    assert about("cifar10").num_classes == 10


def test_datasets_know_their_families() -> None:
    assert family("mnist5k") == family("mnist") == "mnist"
    assert family("cifair10") == "cifar10"
    assert family("keel-yeast1") == family("keel-yeast_2_vs_8") == "yeast"
    assert family("keel-wdbc") == family("breast_cancer")
    assert family("something of one's own") == "something of one's own"


def test_sizes_and_channels_have_one_canonical_text_and_bounds(folder: Path) -> None:
    files.write(folder / "kmnist.npz", X[:, None], Y, None, {})
    assert dataset_info("kmnist(size=28, channels=1)").text == "kmnist"
    assert load_dataset("kmnist(size=40, channels=3)").x.shape == (60, 3, 40, 40)
    for text, message in (
        ("kmnist(size=3)", "a size from 4 to 512"),
        ("kmnist(size=4096)", "a size from 4 to 512"),
        ("kmnist(channels=2)", "channels=1 or channels=3"),
    ):
        with pytest.raises(SpecError, match=message):
            dataset_info(text)
    x = RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "svhn.npz", x=x, y=Y[:20])
    with pytest.raises(TaskError, match=r"are 3x32x32 and 1x28x28; write svhn\(channels=1, size=28\)"):
        parse_tasks("shift(svhn, kmnist)")
    with pytest.raises(TaskError, match=r"are 3x28x28 and 1x28x28; write svhn\(channels=1, size=28\)"):
        parse_tasks("shift(svhn(size=28), kmnist)")


def test_a_split_of_a_file_is_tested_on_its_test_part(folder: Path) -> None:
    np.savez(folder / "kmnist.npz", **parted())
    (task,) = parse_tasks("blocks(kmnist, k=2)")
    assert sorted(draw_split(task, 1).test.index[0]) == list(range(40, 60))


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_a_larger_image_is_interpolated_between_the_centres_of_pixels(
    side: int, size: int, seed: int
) -> None:
    size = max(side, size)
    image = np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.uint8)
    centres, places = np.arange(side) + 0.5, (np.arange(size) + 0.5) * side / size
    rows = np.stack([np.interp(places, centres, row) for row in image.astype(float)])
    expected = np.stack([np.interp(places, centres, column) for column in rows.T]).T
    assert np.abs(resize(image[None], size)[0] - expected).max() <= 0.5 + 1e-6


def test_resizing_is_as_exact_in_float32_as_in_integers() -> None:
    images = RNG.integers(0, 256, (3, 1, 105, 105), dtype=np.uint8)
    old, new = np.arange(105), np.arange(28)[:, None]
    overlap = (np.minimum((old + 1) * 28, (new + 1) * 105) - np.maximum(old * 28, new * 105)).clip(min=0)
    sums = overlap @ images.astype(np.int64) @ overlap.T
    assert np.array_equal(resize(images, 28), (2 * sums + 105**2) // (2 * 105**2))
    assert np.array_equal(resize(np.full((1, 7, 7), 200, dtype=np.uint8), 301), np.full((1, 301, 301), 200))
    assert resize(images, 105) is images


def test_luma_follows_bt601() -> None:
    red, green, blue = (np.zeros((1, 3, 1, 1), dtype=np.uint8) for _ in range(3))
    red[0, 0], green[0, 1], blue[0, 2] = 255, 255, 255
    assert [int(recolour(x, 1).item()) for x in (red, green, blue, red | green | blue)] == [76, 150, 29, 255]
    assert np.array_equal(recolour(X[:2, None], 3)[:, 2], X[:2])
