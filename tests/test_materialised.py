"""What is written of a split for workers, and that it contains no test labels."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import EVERY, draw, task

from fsbench.datasets import known
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import DatasetEntry, load_dataset
from fsbench.errors import DataError, StoreError
from fsbench.tasks.splits import SealedSplit, SplitArrays, draw_split, materialise, open_split


def sealed(text: str, folder: Path, seed: int = 0) -> tuple[SealedSplit, SplitArrays]:
    found = task(text)
    split = materialise(found, draw_split(found, seed), folder)
    return split, open_split(split.path)


@pytest.mark.parametrize("text", EVERY)
def test_a_worker_sees_the_inputs_and_labels_of_the_split(text: str, tmp_path: Path) -> None:
    drawn, (kept, seen) = draw(text), sealed(text, tmp_path / "split")
    assert seen.info == task(text).info
    assert kept.fingerprint == drawn.fingerprint
    assert np.array_equal(kept.test_y, drawn.test.y)
    assert kept.test_y.dtype == np.int64
    assert kept.num_classes == seen.info.num_classes
    assert np.array_equal(seen.train_y, drawn.train.y)
    assert np.array_equal(seen.val_y, drawn.val.y)
    for x, y in ((seen.train_x, drawn.train.y), (seen.val_x, drawn.val.y), (seen.test_x, drawn.test.y)):
        assert x.shape == (*y.shape, *seen.info.input_shape)
        assert isinstance(x, np.memmap)
        assert not x.flags.writeable
    if text.startswith("shift"):
        assert seen.train_domain is not None
        assert np.bincount(seen.train_domain[0]).tolist() == [4000, 20]
    else:
        assert seen.train_domain is None
    if seen.info.has_source:
        assert seen.source_x is not None
        assert seen.source_y is not None
        assert seen.info.source_shape == seen.source_x.shape[1:]
        assert len(seen.source_x) == len(seen.source_y)
        assert seen.source_y.max() + 1 == seen.info.source_classes
    else:
        assert seen.source_x is None
    assert seen.info.num_val == seen.val_y.shape[1]
    assert seen.info.num_unlabeled == (0 if seen.unlabeled_x is None else len(seen.unlabeled_x))


@pytest.mark.parametrize(
    ("text", "every"), [("kshot(wine, k=4)", False), ("folds(wine, n=2)", True), ("holdout(wine)", True)]
)
def test_only_splits_that_use_every_sample_overlap(text: str, every: bool, tmp_path: Path) -> None:
    kept, seen = sealed(text, tmp_path / "split")
    assert kept.overlap == (seen.test_x.shape[1] / seen.train_x.shape[1] if every else 0.0)


def test_inputs_are_those_of_the_indices(tmp_path: Path) -> None:
    drawn, (_, seen) = draw(EVERY[4]), sealed(EVERY[4], tmp_path / "split")
    sources = [load_dataset("mnist5k(size=8)").x, load_dataset("digits").x]
    for row in range(0, 4020, 10):
        expected = sources[drawn.train.origin[0, row]][drawn.train.index[0, row]]
        assert np.array_equal(seen.train_x[0, row], expected)
    assert np.array_equal(seen.test_x[0], sources[1][drawn.test.index[0]])
    assert np.array_equal(seen.val_x[0], sources[0][drawn.val.index[0]])
    assert drawn.unlabeled is not None
    assert seen.unlabeled_x is not None
    assert np.array_equal(seen.unlabeled_x, sources[1][drawn.unlabeled.index])


def test_tables_are_standardised_by_the_training_part(tmp_path: Path) -> None:
    from sklearn.preprocessing import StandardScaler

    drawn, (_, seen) = draw("kshot(wine, k=4)"), sealed("kshot(wine, k=4)", tmp_path / "split")
    x = load_dataset("wine").x.astype(np.float64)
    scaler = StandardScaler().fit(x[drawn.train.index[0]])
    np.testing.assert_allclose(seen.train_x[0], scaler.transform(x[drawn.train.index[0]]), atol=1e-4)
    np.testing.assert_allclose(seen.test_x[0], scaler.transform(x[drawn.test.index[0]]), rtol=1e-4, atol=1e-4)
    assert seen.test_x.dtype == np.float32


def test_a_constant_column_and_a_source_table_stay_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry(name: str, scale: float) -> DatasetEntry:
        info = DatasetInfo(name, "", "table", (3,), ("a", "b"), (30, 30), "none", "nobody")
        x = np.random.default_rng(0).normal(5, scale, (60, 3)).astype(np.float32)
        x[:, 1] = 7
        return DatasetEntry(name, lambda text: info, lambda info: Dataset(info, x.copy(), np.arange(60) % 2))

    monkeypatch.setitem(known.DATASETS, "one", entry("one", 1))
    monkeypatch.setitem(known.DATASETS, "two", entry("two", 100))
    for text in ("kshot(one, k=2, source=two)", "shift(two, one)"):
        _, seen = sealed(text, tmp_path / text[:4])
        assert seen.source_x is not None
        assert (seen.train_x[..., 1] == 0).all()
        assert np.isfinite(seen.test_x).all()
        np.testing.assert_allclose(seen.source_x.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(seen.source_x.std(0), [1, 0, 1], atol=1e-5)


@pytest.mark.parametrize("text", EVERY)
def test_no_file_of_a_split_holds_the_test_labels(text: str, tmp_path: Path) -> None:
    drawn, (kept, seen) = draw(text), sealed(text, tmp_path / "split")
    noisy_or_true = {"train_y", "val_y", "source_y", "train_domain"}
    everything = {f.name: f.read_bytes() for f in Path(kept.path).iterdir()}
    assert {n.removesuffix(".npy") for n in everything} <= {*vars(seen), *noisy_or_true, "task.json"}
    secrets = [kept.test_y, drawn.test.index]
    if drawn.unlabeled is not None:
        secrets += [drawn.unlabeled.y, drawn.unlabeled.index]
    for secret in secrets:
        start = secret.ravel()[:24]
        for kind in ("u1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "<f4", "<f8"):
            for name, content in everything.items():
                assert start.astype(kind).tobytes() not in content, (name, kind)
        for mark in (",", ", ", " ", "", "\n"):
            listed = mark.join(map(str, start.tolist())).encode()
            assert not any(listed in content for content in everything.values())
    assert kept.fingerprint.encode() not in b"".join(everything.values())


def test_noisy_training_labels_are_written_as_given_only(tmp_path: Path) -> None:
    drawn, (kept, seen) = draw(EVERY[3]), sealed(EVERY[3], tmp_path / "split")
    true = load_dataset("digits").y[drawn.train.index]
    assert (np.asarray(seen.train_y) != true).sum() == 30
    for file in Path(kept.path).iterdir():
        assert true.tobytes() not in file.read_bytes()


def test_files_are_read_only(tmp_path: Path) -> None:
    kept, _ = sealed("kshot(wine)", tmp_path / "a" / "split")
    assert all(not f.stat().st_mode & 0o222 for f in Path(kept.path).iterdir())
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["split"]


def test_an_existing_folder_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "train_y.npy").write_text("another's")
    with pytest.raises(StoreError, match="cannot write the split"):
        sealed("kshot(wine)", tmp_path / "split")
    assert [f.read_text() for f in (tmp_path / "split").iterdir()] == ["another's"]


@pytest.mark.parametrize("room", [100, 700, 2000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    """A file-size limit makes writing fail as on a full disk: in a header, a small or a large array."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write the split of kshot\(wine, k=5\).*too large"):
            materialise(task("kshot(wine)"), draw("kshot(wine)"), tmp_path / "split")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_many_splits_of_a_dataset_load_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def load(info: DatasetInfo) -> Dataset:
        loads.append(info.text)
        return Dataset(info, np.arange(120, dtype=np.float32).reshape(60, 2), np.arange(60) % 3)

    info = DatasetInfo("counted", "", "table", (2,), ("a", "b", "c"), (20,) * 3, "none", "nobody")
    monkeypatch.setitem(known.DATASETS, "counted", DatasetEntry("counted", lambda text: info, load))
    for seed in range(10):
        for text in ("kshot(counted, k=2)", "longtail(counted, ir=2, head=4)", "folds(counted, n=2)"):
            draw(text, seed)
            sealed(text, tmp_path / f"{text[:4]}-{seed}", seed)
    assert loads == ["counted"]


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write the split"):
        materialise(task("kshot(wine)"), draw("kshot(wine)"), tmp_path / "file" / "split")


def test_a_folder_that_is_not_a_split_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the folder of a split"):
        open_split(str(tmp_path / "nothing"))
    kept, _ = sealed("kshot(wine)", tmp_path / "split")
    (Path(kept.path) / "train_y.npy").unlink()
    with pytest.raises(DataError, match="is not the folder of a split"):
        open_split(kept.path)
    (Path(kept.path) / "task.json").chmod(0o644)
    (Path(kept.path) / "task.json").write_text(json.dumps({"text": "kshot"}))
    with pytest.raises(DataError, match="is not the folder of a split"):
        open_split(kept.path)


def test_a_task_is_light_to_send() -> None:
    for text in EVERY:
        sent = pickle.dumps(task(text))
        assert len(sent) < 4000
        assert pickle.loads(sent) == task(text)
        assert len(pickle.dumps(replace(task(text).info))) < 1000
