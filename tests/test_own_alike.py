"""Near-duplicates and other samples that belong together: found, reported, and never divided."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from own_files import groups_of_parts, make, noise, npz, read, save
from PIL import Image

from fsbench.kinds import get_kind
from fsbench.own import likeness as likeness_module
from fsbench.own.belonging import find_groups
from fsbench.own.likeness import alike, same, together
from fsbench.own.samples import Samples

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


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
    for parts in groups_of_parts(reading):
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]


def test_near_duplicates_across_given_parts_are_warnings(tmp_path: Path) -> None:
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


def test_real_digits_are_not_mistaken_for_near_duplicates() -> None:
    from sklearn.datasets import load_digits

    looks = load_digits().images * 255 / 16
    wide = [np.asarray(Image.fromarray(each.astype(np.float32)).resize((16, 16))).ravel() for each in looks]
    assert len(np.unique(np.concatenate(list(alike(np.stack(wide)))))) < 0.01 * len(looks)


def test_alike_and_same_agree_with_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_module, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    looks = rng.uniform(0, 255, (40, 64)).astype(np.float32)
    looks[10] = looks[3] * 0.5 + 20
    looks[30], looks[31], looks[32] = 17.0, 17.2, 90.0
    found = {tuple(pair) for pairs in alike(looks) for pair in pairs.tolist()}
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
    monkeypatch.setattr("fsbench.own.belonging.MOST", 5)
    reading = read(folder)
    said = "\n".join(reading.warnings)
    assert "more than 5 images: only equal images are searched for, not near-duplicates" in said
    assert "2 of 10 images" in said


def aligned(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with one background: half with a defect of 3x3 pixels, no two with the same bytes."""
    rng = np.random.default_rng(seed)
    x = np.repeat(noise(seed, 32, 32)[None], n, axis=0).astype(int) + rng.integers(-2, 3, (n, 32, 32))
    for each in x[1::2]:
        row, column = rng.integers(0, 29, 2)
        each[row : row + 3, column : column + 3] += 90
    return x.clip(0, 255).astype(np.uint8), np.arange(n) % 2


def test_pictures_on_one_background_are_not_near_duplicates(tmp_path: Path) -> None:
    x, y = aligned(60)
    x[58], x[59] = x[0], x[1]
    reading = read(npz(tmp_path, x=x, y=y))
    assert reading.dataset.info.class_counts == (30, 30)
    said = "\n".join(reading.warnings)
    assert "images are too similar to find near-duplicates (one background or template, perhaps)" in said
    assert "4 of 60 images are equal images; each set of them is kept on one side of a split" in said
    groups = reading.dataset.groups
    assert groups is not None
    assert groups[58] == groups[0]
    assert groups[59] == groups[1]
    assert len(np.unique(groups)) == 58
    reading.register()


def test_a_class_of_blank_pictures_is_not_lost(tmp_path: Path) -> None:
    x = np.concatenate([aligned(20)[0][::2], np.stack([noise(i, 32, 32) for i in range(90)])])
    info = read(npz(tmp_path, x=x, y=np.arange(100) >= 10)).dataset.info
    assert info.class_counts == (10, 90)
    assert not info.grouped


def test_pictures_that_are_all_equal_but_for_a_few_are_read(tmp_path: Path) -> None:
    x, y = np.repeat(noise(3, 32, 32)[None], 40, axis=0), np.arange(40) % 2
    reading = read(npz(tmp_path, x=x, y=y))
    assert reading.dataset.groups is None
    assert (
        "most images are identical to most others of their class, so equal images are not kept on one "
        "side of a split" in reading.warnings
    )


def test_bursts_are_kept_together_even_if_every_image_belongs_to_one(tmp_path: Path) -> None:
    x = np.concatenate([aligned(10, seed)[0][::2] for seed in range(12)])
    groups = read(npz(tmp_path, x=x, y=np.arange(60) // 30)).dataset.groups
    assert groups is not None
    assert np.array_equal(np.unique(groups, return_inverse=True)[1], np.arange(60) // 5)


class Names(Sequence[str]):
    """Names that count how often one is read."""

    asked = 0

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: object) -> str:  # type: ignore[override]
        self.asked += 1
        return f"sample {number}"


@pytest.mark.parametrize("alike_ones", [1800, 4000])
def test_millions_of_pairs_take_little_memory_and_two_are_named(alike_ones: int) -> None:
    n = 4000
    looks = np.random.default_rng(0).uniform(0, 255, (n, 256)).astype(np.float32)
    looks[:alike_ones] = looks[0] + looks[:alike_ones] / 100
    y, part, names = np.arange(n) % 3 // 2, (np.arange(n) % 7 == 0).astype(np.int8), Names(n)
    samples = Samples(get_kind("image"), looks[:, :4], y, ["a", "b"], names, part, looks=looks)
    tracemalloc.start()
    groups = find_groups(samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 * 2**20
    assert names.asked <= 8
    if alike_ones == n:
        assert groups is None
        return
    assert groups is not None
    assert np.bincount(groups).max() == alike_ones
    differ = int((y[:alike_ones] == 1).sum()) * int((y[:alike_ones] == 0).sum())
    assert (
        f"{differ} pairs of near-duplicate images have different classes: sample 0 and sample 2, "
        in (samples.warnings[0])
    )
    assert samples.warnings[0].endswith(f" and {differ - 2} more")
