"""Near-duplicates and other samples that belong together: found, said, and never divided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from own_files import make, noise, read, save
from PIL import Image

from fsbench.data import datasets
from fsbench.data.own import likeness as likeness_module
from fsbench.data.own.likeness import alike, same, together
from fsbench.data.splits import draw_split
from fsbench.data.tasks import parse_tasks


@pytest.fixture(autouse=True)
def _no_dataset_stays() -> Iterator[None]:
    before = dict(datasets.DATASETS)
    yield
    datasets.DATASETS.clear()
    datasets.DATASETS.update(before)


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
