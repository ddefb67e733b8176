"""The user's own npz: images and tables of every layout, groups, parts, and arrays that do not fit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from own_files import npz, pixels, read

from fsbench.datasets.files import write
from fsbench.errors import DataError
from fsbench.own import archives as archives_module

Y = np.arange(12) % 3


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (pixels(12, 8, 8), (1, 8, 8)),
        (pixels(12, 8, 8, 1), (1, 8, 8)),
        (pixels(12, 8, 8, 3), (3, 8, 8)),
        (pixels(12, 3, 8, 8), (3, 8, 8)),
        (pixels(12, 10, 14, 4), (3, 10, 10)),
        (pixels(12, 100, 80, 3), (3, 64, 64)),
    ],
)
def test_images_of_every_layout_are_read(x: np.ndarray, shape: tuple[int, ...], tmp_path: Path) -> None:
    info = read(npz(tmp_path, x=x, y=Y)).dataset.info
    assert (info.kind, info.shape, info.classes) == ("image", shape, ("0", "1", "2"))


def test_a_fourth_channel_is_opacity_only_where_something_is_not_opaque(tmp_path: Path) -> None:
    x = pixels(12, 8, 8, 4)
    x[..., 3] = 255
    plain = read(npz(tmp_path, x=x[..., :3], y=Y)).dataset.x
    opaque = read(npz(tmp_path, x=x, y=Y))
    assert np.array_equal(opaque.dataset.x, plain)
    assert not any("opacity" in line for line in opaque.warnings)
    x[0, 0, 0, 3] = 254
    assert any("opacity" in line for line in read(npz(tmp_path, x=x, y=Y)).warnings)


@pytest.mark.parametrize(("first", "second"), [(255.0, 0.0), (1.5, 1.0)])
def test_a_part_in_another_range_by_chance_is_read(first: float, second: float, tmp_path: Path) -> None:
    """It is black, or one pixel elsewhere is a little above 1."""
    rng = np.random.default_rng(0)
    train, test = rng.random((24, 8, 8)) * first, rng.random((12, 8, 8)) * second
    train[0, 0, 0], test[0, 0, 0] = first, second
    y = np.arange(24) % 3
    found = read(npz(tmp_path, x_train=train, y_train=y, x_test=test, y_test=y[:12])).dataset
    assert found.x.max() == 255
    assert found.x[24:].max() == round(255 * second / first)


def test_four_rows_of_pixels_are_no_channels(tmp_path: Path) -> None:
    reading = read(npz(tmp_path, x=pixels(12, 4, 4, 3), y=Y))
    assert reading.dataset.x.shape[1] == 3
    assert not any("opacity" in line for line in reading.warnings)


def test_deep_pixels_in_colour_are_refused(tmp_path: Path) -> None:
    x = pixels(12, 8, 8, 3).astype(np.uint16) * 257
    x[0, 0, 0, 0] = 65535
    with pytest.raises(DataError, match="pixels go up to 65535; expected 0 to 255, or 0 to 1"):
        read(npz(tmp_path, x=x, y=Y))


def test_pixels_of_every_type_are_the_same_image(tmp_path: Path) -> None:
    x = pixels(12, 8, 8)
    x[0, 0, 0] = 255
    for given in (x, x.astype(np.int64), x / 255, x.astype(np.float32)):
        assert np.array_equal(read(npz(tmp_path, x=given, y=Y)).dataset.x[:, 0], x)
    deep = read(npz(tmp_path, x=x.astype(np.uint16) * 257, y=Y)).dataset.x[:, 0]
    assert np.array_equal(deep, x)


def test_tables_groups_parts_and_class_names_are_read(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(24, 4))
    y = np.arange(24) % 2
    assert read(npz(tmp_path, x=x, y=y)).dataset.info.columns == ()
    groups = np.array([f"p{i // 3}" for i in range(24)])
    named = read(npz(tmp_path, x=x, y=y, groups=groups, classes=np.array(["ill", "well"]))).dataset
    assert named.info.classes == ("ill", "well")
    assert named.groups is not None
    assert np.bincount(named.groups).tolist() == [3] * 8
    x[3, 2] = np.nan
    parts = {"x_train": x[:16], "y_train": y[:16], "x_test": x[16:], "y_test": y[16:]}
    divided = read(npz(tmp_path, **parts)).dataset
    assert divided.info.test_counts == (4, 4)
    assert divided.info.columns == (0, 0, 0, 0)
    assert divided.test is not None
    assert np.flatnonzero(divided.test).tolist() == list(range(16, 24))


def test_a_given_group_in_two_given_parts_is_refused(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 4))
    y = np.arange(40) % 2
    groups = np.array([f"patient {i // 4}" for i in range(40)])
    arrays = {"x_train": x[:24], "y_train": y[:24], "x_val": x[24:32], "y_val": y[24:32]}
    arrays |= {"x_test": x[32:], "y_test": y[32:]}
    apart = {"groups_train": groups[:24], "groups_val": groups[24:32], "groups_test": groups[32:]}
    assert read(npz(tmp_path, **arrays, **apart)).dataset.info.grouped
    shared = apart | {"groups_test": groups[:8]}
    with pytest.raises(DataError, match="group patient 0 is in train and test, as are 1 more; put each"):
        read(npz(tmp_path, **arrays, **shared))
    shared = apart | {"groups_val": groups[20:28]}
    with pytest.raises(DataError, match="group patient 5 is in train and val; put each group into one part"):
        read(npz(tmp_path, **arrays, **shared))
    masked = {"x": x, "y": y, "groups": groups, "test": np.arange(40) >= 30}
    with pytest.raises(DataError, match="group patient 7 is in train and test; put each group into one part"):
        read(npz(tmp_path, **masked))


@pytest.mark.parametrize("shape", [(4,), (1, 8, 8)])
def test_a_mask_of_the_test_part_is_kept(shape: tuple[int, ...], tmp_path: Path) -> None:
    x, test = pixels(24, *shape), np.arange(24) % 3 == 0
    reading = read(npz(tmp_path, x=x, y=np.arange(24) % 2, test=test))
    assert reading.dataset.info.test_counts == (4, 4)
    assert np.array_equal(reading.dataset.test, test)
    assert reading.warnings == ()
    assert "parts as given: train 16, test 8" in reading.facts


def test_the_file_of_a_dataset_of_fsbench_keeps_its_test_part(tmp_path: Path) -> None:
    x, y, test = pixels(24, 1, 8, 8), np.arange(24) % 2, np.arange(24) >= 16
    write(tmp_path / "letters.npz", x, y, test, {"classes": ["a", "b"]})
    reading = read(tmp_path / "letters.npz")
    assert np.array_equal(reading.dataset.test, test)
    assert reading.warnings == ("1 array not read: about",)


def test_every_array_that_is_not_read_is_named(tmp_path: Path) -> None:
    x, y = pixels(20, 8, 8), np.arange(20) % 2
    path = npz(tmp_path, x=x, y=y, ages=y, weights=y, classes=np.array(["ill", "well"]))
    assert read(path).warnings == ("2 arrays not read: ages, weights",)
    path = npz(tmp_path, x_train=x, y_train=y, x_test=pixels(13, 8, 8), y_test=np.arange(13) % 2, test=y > 0)
    assert read(path).warnings == ("1 array not read: test",)
    path = npz(tmp_path, x=x, y=y + 1, classes=np.array(["ill", "well"]))
    assert read(path).warnings == ("classes not read: the labels are not numbers from 0 to 1",)


BAD_ARRAYS = [
    ({"x": pixels(12, 8, 8)}, "has only 'x'; expected arrays x and y, or x_train"),
    ({"x": pixels(12, 8, 8), "y": Y[:5]}, "x has 12 samples and y 5 labels"),
    ({"x": pixels(12, 8, 8), "y": np.float32(Y + 2**24)}, "float32 beyond 16777216, where some whole"),
    ({"x": pixels(12, 8, 8), "y": 1e19 * Y}, "float64 beyond 9007199254740992, where some whole"),
    (
        {"x": pixels(12, 8, 8), "y": Y, "classes": np.array(["a", "a", "a"])},
        "classes has one name for two labels; give each label a name of its own",
    ),
    ({"x": pixels(12, 8, 8), "y": np.array([{}] * 12)}, "contains pickled objects, which could run code"),
    ({"x": pixels(12, 8, 8), "y": Y + 0.5}, "labels are missing or not whole numbers"),
    ({"x": pixels(12, 8, 8), "y": np.where(Y, Y, np.nan)}, "labels are missing or not whole numbers"),
    ({"x": np.array(3), "y": Y}, r"x is int64 \[\]; expected images"),
    ({"x": np.zeros((12, 0)), "y": Y}, r"x is float64 \[12, 0\]; expected images"),
    ({"x": pixels(12, 8, 8), "y": np.array(1)}, "x has 12 samples and y 1 labels"),
    (
        {"x": np.full((12, 8, 8), "a"), "y": Y},
        "x is .12, 8, 8., so it is read as images, and its pixels are <U1; expected 0",
    ),
    (
        {"x_train": pixels(12, 8, 8), "y_train": Y, "x_test": pixels(12, 8, 8) / 255, "y_test": Y},
        "pixels of x_test are float64 up to .*, those of x_train up to .*; convert all parts to one range",
    ),
    (
        {
            "x_train": pixels(12, 8, 8),
            "y_train": Y,
            "x_test": pixels(12, 8, 8).astype(np.uint16) * 16,
            "y_test": Y,
        },
        "pixels of x_train are uint8 up to .*, those of x_test up to .*; convert all parts to one range",
    ),
    ({"x": pixels(12, 8, 8), "y": np.arange(12)}, "12 different labels for 12 samples"),
    (
        {"x": pixels(12, 8, 8), "y": np.eye(12)},
        r"one number or text for each sample \(of these one-hot .*argmax",
    ),
    (
        {"x": pixels(12, 8, 8), "y": np.ones((12, 3), dtype=int)},
        r"each sample, not several labels; ask about one of them at a time: y\[:, 0\]$",
    ),
    ({"x": pixels(12, 8, 8), "y": np.full((12, 3), 0.5)}, "expected one number or text for each sample$"),
    ({"x": pixels(12, 8, 8), "y": Y, "groups": Y[:3]}, "groups does not have one value for each sample"),
    (
        {"x": pixels(12, 8, 8) - 300.0, "y": Y},
        r"pixels are float64 from -\d+; expected .* or 0 to 1, .* not images, a table \[N, F\]: x.reshape",
    ),
    ({"x": pixels(12, 8, 8) * 1000.0, "y": Y}, "expected 0 to 255, or 0 to 1"),
    ({"x": pixels(12, 8, 8, 7, 2), "y": Y}, "expected images .N, H, W."),
    ({"x": np.array(["a"] * 12)[:, None], "y": Y}, "x is <U1; expected numbers"),
    ({"x_train": pixels(12, 8, 8), "y_train": Y}, "has x_train but no x_test"),
    ({"x": pixels(12, 8, 8), "y": Y, "test": Y}, r"test is int64 \[12\]; expected bool \[12\], true where"),
    ({"x": pixels(12, 8, 8), "y": Y, "test": pixels(5, 8, 8)}, r"test is uint8 \[5, 8, 8\]; expected bool"),
    ({"x": pixels(12, 8, 8), "y": Y, "test": Y > 5}, "the test part is empty"),
    (
        {"x_train": pixels(12, 8, 8), "y_train": Y, "x_test": pixels(12, 9, 8), "y_test": Y},
        "the samples of x_train and x_test differ in shape",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS)
def test_arrays_that_do_not_fit_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(npz(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_invalid_or_too_large_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="is not an npz, or is damaged; write one by numpy"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY")
    with pytest.raises(DataError, match="is damaged"):
        read(path)
    monkeypatch.setattr(archives_module, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match=r"unpacks to 0\.0 GB; fsbench reads up to 0 GB"):
        read(npz(tmp_path, x=pixels(12, 20, 20), y=Y))


def test_an_array_that_claims_to_exceed_the_memory_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 999), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="is damaged"):
        read(path)


def test_the_same_group_in_two_archives_is_one_group(tmp_path: Path) -> None:
    """Ten patients are in both, in another order and type, and five more in the source."""
    x, y = np.random.default_rng(1).normal(size=(50, 4)), np.arange(30) % 2
    groups = np.arange(100, 115).repeat(2)
    source = npz(made(tmp_path / "source"), x=x[:30], y=y, groups=groups)
    target = npz(made(tmp_path / "target"), x=x[30:], y=y[:20], groups=groups[:20][::-1].astype(float))
    reading = read(source, target_data=target)
    assert "20 rows of the source left out: they are like samples of the target" in reading.warnings[0]
    assert reading.target is not None
    assert len(reading.dataset.y) == 10
    assert len(np.unique(reading.target.groups)) == 10
    apart = npz(made(tmp_path / "apart"), x=x[30:], y=y[:20], groups=groups[:20] + 100)
    assert len(read(source, target_data=apart).dataset.y) == 30


def test_samples_without_a_group_in_two_archives_do_not_belong_together(tmp_path: Path) -> None:
    x, y, none = np.random.default_rng(1).normal(size=(40, 4)), np.arange(20) % 2, np.full(20, np.nan)
    none[:2] = 1.0
    files = [
        npz(made(tmp_path / name), x=part, y=y, groups=none) for name, part in (("a", x[:20]), ("b", x[20:]))
    ]
    assert len(read(files[0], target_data=files[1]).dataset.y) == 18


def test_unlabelled_inputs_of_a_group_with_labels_are_left_out(tmp_path: Path) -> None:
    x, y = np.random.default_rng(1).normal(size=(36, 4)), np.arange(24) % 2
    groups = np.array([f"p{i}" for i in range(12)])
    labelled = npz(made(tmp_path / "labelled"), x=x[:24], y=y, groups=groups.repeat(2))
    more = npz(
        made(tmp_path / "more"), x=x[24:], groups=np.array(["p3", "p3", *(f"q{i}" for i in range(10))])
    )
    reading = read(labelled, unlabeled=more)
    assert reading.dataset.info.num_unlabeled == 10
    assert any(
        "2 rows of" in line and "repeat samples with a label or share their group" in line
        for line in reading.warnings
    )
    known = npz(made(tmp_path / "known"), x=x[24:], groups=groups)
    with pytest.raises(
        DataError, match="each row without a label repeats one with a label or shares its group"
    ):
        read(labelled, unlabeled=known)


def test_accented_labels_and_groups_are_one_in_both_forms(tmp_path: Path) -> None:
    x, both = np.random.default_rng(1).normal(size=(24, 4)), ["caf\u00e9", "cafe\u0301", "tea", "tea"]
    groups = [f"{name} {i}" for i in range(6) for name in both]
    dataset = read(npz(tmp_path, x=x, y=np.array(both * 6), groups=np.array(groups))).dataset
    assert dataset.info.classes == ("caf\u00e9", "tea")
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 12


@pytest.mark.parametrize("missing", ["", " ", "nan"])
def test_texts_that_stand_for_no_label_are_refused(missing: str, tmp_path: Path) -> None:
    x, y = np.random.default_rng(1).normal(size=(24, 4)), np.array(["a", "b", "a", missing] * 6)
    with pytest.raises(DataError, match=r"6 labels missing \('' or 'nan'\); leave these samples out"):
        read(npz(tmp_path, x=x, y=y))


def test_small_numbers_to_64_have_their_largest_as_white(tmp_path: Path) -> None:
    x = pixels(12, 8, 8).astype(np.int64) % 65
    x[0, 0, 0] = 64
    found = read(npz(tmp_path, x=x, y=Y))
    assert "pixels go up to 64, which is taken as white" in found.warnings
    assert found.dataset.x.max() == 255
