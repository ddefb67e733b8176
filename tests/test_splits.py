from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.data import datasets
from fsbench.data.dataset import Dataset, DatasetInfo
from fsbench.data.datasets import Entry, load_dataset
from fsbench.data.drawing import Split, pool_count
from fsbench.data.splits import SealedSplit, SplitArrays, draw_split, materialise, open_split
from fsbench.data.tasks import Task, parse_tasks
from fsbench.errors import DataError, StoreError

laws = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 10**6)
SHIFT = "shift(mnist5k(size=8), digits)"
EVERY = [
    "kshot(digits, k=3, source=mnist5k(size=8))",
    "kshot(wine, k=4)",
    "longtail(digits, ir=10)",
    "noisy(digits, k=10, rate=0.3)",
    f"{SHIFT[:-1]}, k=2)",
    "episodes(glyphs(size=8), way=3, shot=2, n=4)",
]
anything = st.sampled_from(EVERY)


def task(text: str) -> Task:
    (only,) = parse_tasks(text)
    return only


def draw(text: str, seed: int = 0) -> Split:
    return draw_split(task(text), seed)


def labels(text: str, index: np.ndarray) -> np.ndarray:
    return load_dataset(text).y[index]


def counts(y: np.ndarray, classes: int) -> list[int]:
    return np.bincount(y.ravel(), minlength=classes).tolist()


@laws
@given(anything, seeds)
def test_parts_are_disjoint_and_have_no_repeats(text: str, seed: int) -> None:
    split = draw(text, seed)
    for cell in range(len(split.train.y)):
        seen: set[tuple[int, int]] = set()
        for part in (split.train, split.val, split.test):
            rows = set(zip(part.origin[cell].tolist(), part.index[cell].tolist(), strict=True))
            assert len(rows) == part.index.shape[1]
            assert not rows & seen
            seen |= rows
        for extra in (split.unlabeled, None if text.startswith("shift") else split.source):
            if extra is not None:
                rows = set(zip(extra.origin.tolist(), extra.index.tolist(), strict=True))
                assert len(rows) == len(extra.index)
                assert not rows & seen


@laws
@given(anything, seeds)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(text: str, seed: int) -> None:
    first, again, other = draw(text, seed), draw(text, seed), draw(text, seed + 1)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert np.array_equal(first.train.index, again.train.index)
    assert np.array_equal(first.test.index, again.test.index)
    assert not np.array_equal(first.test.index, other.test.index)


def test_fingerprints_tell_tasks_apart() -> None:
    assert len({draw(text).fingerprint for text in EVERY}) == len(EVERY)
    assert draw("kshot(wine, k=4)").fingerprint != draw("kshot(wine, k=4, val=2)").fingerprint


@laws
@given(st.sampled_from(["digits", "wine", "breast_cancer", "mnist5k(size=8)"]), st.integers(1, 19), seeds)
def test_kshot_is_stratified_and_nested_with_one_test_part(dataset: str, k: int, seed: int) -> None:
    info = load_dataset(dataset).info
    small, large = draw(f"kshot({dataset}, k=1)", seed), draw(f"kshot({dataset}, k={k})", seed)
    assert counts(large.train.y, info.num_classes) == [k] * info.num_classes
    assert counts(large.val.y, info.num_classes) == [max(1, k // 2)] * info.num_classes
    assert set(small.train.index[0]) <= set(large.train.index[0])
    assert np.array_equal(small.test.index, large.test.index)
    assert np.array_equal(labels(dataset, large.train.index), large.train.y)
    assert np.array_equal(labels(dataset, large.test.index), large.test.y)


@pytest.mark.parametrize("dataset", ["digits", "wine", "breast_cancer", "mnist5k(size=8)", "glyphs(size=8)"])
def test_the_test_part_is_two_fifths_of_each_class_or_a_thousand_in_all(dataset: str) -> None:
    split, info = draw(f"kshot({dataset}, k=1)"), load_dataset(dataset).info
    assert split.test.y.size <= 1000
    share = min(0.4, 1000 / info.n)
    for label, n in enumerate(counts(split.test.y, info.num_classes)):
        assert share * info.class_counts[label] - 1 < n <= share * info.class_counts[label]
        assert n + pool_count(info, label) == info.class_counts[label]


def test_protocols_on_one_dataset_share_the_test_part_and_the_first_labels() -> None:
    kshot, noisy, tail = draw("kshot(digits, k=20)"), draw("noisy(digits)"), draw("longtail(digits, ir=40)")
    assert np.array_equal(kshot.test.index, noisy.test.index)
    assert np.array_equal(kshot.test.index, tail.test.index)
    assert set(kshot.train.index[0]) == set(noisy.train.index[0])
    assert np.array_equal(kshot.test.index, draw(SHIFT).test.index)


def test_validation_can_be_asked_for_or_left_out() -> None:
    assert counts(draw("longtail(digits, ir=10, val=3)").val.y, 10) == [3] * 10
    assert draw("longtail(digits, ir=10, val=0)").val.y.shape == (1, 0)
    assert counts(labels("digits", draw("noisy(digits, val=7)").val.index), 10) == [7] * 10
    assert draw("kshot(wine, k=3, val=4)").val.y.shape == (1, 12)
    assert draw("kshot(wine, k=3, val=0)").val.y.shape == (1, 0)


@laws
@given(st.sampled_from(["digits", "breast_cancer"]), st.integers(1, 40), seeds)
def test_longtail_falls_exponentially_in_class_order(dataset: str, ir: int, seed: int) -> None:
    split, classes = draw(f"longtail({dataset}, ir={ir})", seed), load_dataset(dataset).info.num_classes
    found = np.array(counts(split.train.y, classes))
    exact = 40 * np.exp(-np.log(ir) * np.arange(classes) / (classes - 1))
    assert ((exact - 1 < found) & (found <= exact + 1e-6)).all()
    assert (found[0], found[-1]) == (40, 40 // ir)
    assert counts(split.val.y, classes) == [max(1, n // 2) for n in found]
    assert set(draw(f"longtail({dataset}, ir=40)", seed).train.index[0]) <= set(split.train.index[0])


@laws
@given(
    st.sampled_from(["digits", "wine", "breast_cancer"]),
    st.integers(1, 19),
    st.floats(0, 0.99),
    st.sampled_from(["symmetric", "asymmetric"]),
    seeds,
)
def test_noise_is_exact_in_each_class_and_the_test_is_clean(
    dataset: str, k: int, rate: float, kind: str, seed: int
) -> None:
    split = draw(f"noisy({dataset}, k={k}, rate={rate!r}, kind={kind})", seed)
    classes = load_dataset(dataset).info.num_classes
    for part, n in ((split.train, k), (split.val, max(1, k // 2))):
        true, given = labels(dataset, part.index[0]), part.y[0]
        assert counts(true[true != given], classes) == [round(rate * n)] * classes
        if kind == "asymmetric":
            assert set((given - true) % classes) <= {0, 1}
    assert np.array_equal(labels(dataset, split.test.index), split.test.y)


@laws
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    st.sampled_from(["symmetric", "asymmetric"]),
    seeds,
)
def test_noise_is_nested_in_k_and_rate(
    ks: tuple[int, int], rates: tuple[float, float], kind: str, seed: int
) -> None:
    (few, many), (low, high) = sorted(ks), sorted(rates)
    for part in ("train", "val"):

        def given_labels(k: int, rate: float, part: str = part) -> dict[int, int]:
            split = draw(f"noisy(digits, k={k}, val={k}, rate={rate!r}, kind={kind})", seed)
            rows = getattr(split, part)
            return dict(zip(rows.index[0].tolist(), rows.y[0].tolist(), strict=True))

        small, large, noisier = given_labels(few, low), given_labels(many, low), given_labels(many, high)
        true = dict(zip(large, labels("digits", np.array(list(large))).tolist(), strict=True))
        assert set(small) <= set(large) == set(noisier)
        assert all(noisier[i] == large[i] for i in large if large[i] != true[i])
        differ = Counter(true[i] for i in small if small[i] != large[i])
        assert max(differ.values(), default=0) <= 2
        assert all(true[i] in (small[i], large[i]) for i in small if small[i] != large[i])


def test_symmetric_noise_is_uniform_over_the_other_classes() -> None:
    steps = np.zeros(10)
    for seed in range(60):
        split = draw("noisy(digits, k=20, rate=0.5)", seed)
        steps += np.bincount((split.train.y - labels("digits", split.train.index))[0] % 10, minlength=10)
    assert steps[0] == steps[1:].sum() == 6000
    assert (np.abs(steps[1:] - 6000 / 9) < 5 * np.sqrt(6000 / 9)).all()


def test_a_source_changes_neither_the_samples_nor_the_noise() -> None:
    alone, helped = draw("noisy(digits)"), draw("noisy(digits, source=mnist5k(size=8))")
    assert np.array_equal(alone.train.index, helped.train.index)
    assert np.array_equal(alone.train.y, helped.train.y)
    assert alone.fingerprint != helped.fingerprint
    assert helped.source is not None
    assert helped.source.index.tolist() == list(range(5000))


@laws
@given(st.integers(0, 100), seeds)
def test_shift_has_labels_of_the_source_and_k_of_the_target(k: int, seed: int) -> None:
    split = draw(f"{SHIFT[:-1]}, k={k})", seed)
    domain, index, y = split.train.origin[0], split.train.index[0], split.train.y[0]
    assert counts(y[domain == 1], 10) == [k] * 10
    assert counts(y[domain == 0], 10) == [400] * 10
    assert np.array_equal(labels("mnist5k(size=8)", index[domain == 0]), y[domain == 0])
    assert np.array_equal(labels("digits", index[domain == 1]), y[domain == 1])
    assert (split.val.origin == 0).all()
    assert (split.test.origin == 1).all()
    assert split.unlabeled is not None
    assert split.source is not None
    assert (split.unlabeled.origin == 1).all()
    assert len(split.unlabeled.index) + 10 * k + split.test.y.size == 1797
    assert set(split.source.index) == set(index[domain == 0])
    assert len(split.unlabeled.index) == task(f"{SHIFT[:-1]}, k={k})").info.num_unlabeled


@laws
@given(st.integers(2, 10), st.integers(1, 9), seeds)
def test_episodes_are_of_test_classes_numbered_anew_and_nested(way: int, shot: int, seed: int) -> None:
    data = load_dataset("glyphs(size=8)")
    split = draw(f"episodes(glyphs(size=8), way={way}, shot={shot}, queries=5, n=3)", seed)
    small = draw("episodes(glyphs(size=8), way=2, shot=1, queries=5, n=2)", seed)
    assert split.val.y.shape == (3, 0)
    for cell in range(3):
        assert counts(split.train.y[cell], way) == [shot] * way
        assert counts(split.test.y[cell], way) == [5] * way
        index = np.concatenate([split.train.index[cell], split.test.index[cell]])
        pairs = set(
            zip(data.y[index], np.concatenate([split.train.y[cell], split.test.y[cell]]), strict=True)
        )
        assert len(pairs) == len({label for label, _ in pairs}) == way
        assert {int(label) for label, _ in pairs} <= set(data.info.evaluation_classes)
    for cell in range(2):
        assert set(small.train.index[cell]) <= set(split.train.index[cell])
        assert set(small.test.index[cell]) <= set(split.test.index[cell])
    assert split.source is not None
    classes = np.unique(split.source.y)
    assert classes.tolist() == list(range(118))
    assert not set(data.y[split.source.index]) & set(data.info.evaluation_classes)
    assert len(split.source.y) == 118 * 24


@pytest.mark.parametrize("text", EVERY)
def test_the_order_of_rows_says_nothing_of_the_class(text: str) -> None:
    found = []
    for seed in range(8):
        split = draw(text, seed)
        for y in (
            split.test.y,
            split.train.y,
            *([] if split.unlabeled is None else [split.unlabeled.y[None]]),
        ):
            flat = y.ravel() if y.shape[1] < 100 else y[0]
            place = np.tile(np.arange(y.shape[1]), y.shape[0])[: len(flat)]
            found.append(np.corrcoef(place, flat)[0, 1] * np.sqrt(len(flat)))
            assert (np.diff(flat) == 0).mean() < 0.75
    assert np.sqrt(np.mean(np.square(found))) < 2


def sealed(text: str, folder: Path, seed: int = 0) -> tuple[SealedSplit, SplitArrays]:
    split = materialise(task(text), seed, folder)
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
    assert seen.info.num_unlabeled == (0 if seen.unlabeled_x is None else len(seen.unlabeled_x))


def test_inputs_are_those_of_the_numbers(tmp_path: Path) -> None:
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
    def entry(name: str, scale: float) -> Entry:
        info = DatasetInfo(name, "", "tabular", (3,), ("a", "b"), (30, 30), "none", "nobody")
        x = np.random.default_rng(0).normal(5, scale, (60, 3)).astype(np.float32)
        x[:, 1] = 7
        return Entry(lambda text: info, lambda info: Dataset(info, x.copy(), np.arange(60) % 2))

    monkeypatch.setitem(datasets.DATASETS, "one", entry("one", 1))
    monkeypatch.setitem(datasets.DATASETS, "two", entry("two", 100))
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
    true = labels("digits", drawn.train.index)
    assert (np.asarray(seen.train_y) != true).sum() == 30
    for file in Path(kept.path).iterdir():
        assert true.tobytes() not in file.read_bytes()


def test_files_are_read_only_and_a_second_call_finds_them(tmp_path: Path) -> None:
    first, _ = sealed("kshot(wine)", tmp_path / "a" / "split")
    files = sorted(Path(first.path).iterdir())
    assert all(not f.stat().st_mode & 0o222 for f in files)
    before = [f.stat().st_mtime_ns for f in files]
    again, _ = sealed("kshot(wine)", tmp_path / "a" / "split")
    assert [f.stat().st_mtime_ns for f in files] == before
    assert (again.path, again.fingerprint) == (first.path, first.fingerprint)
    assert np.array_equal(again.test_y, first.test_y)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["split"]
    with pytest.raises(StoreError, match="holds another"):
        materialise(task("kshot(digits)"), 0, tmp_path / "a" / "split")


@pytest.mark.parametrize("room", [100, 700, 2000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    """Where a file may not grow, writing fails as on a full disk: in a header, a small or a large array."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot write the split of kshot\(wine, k=5\).*too large"):
            materialise(task("kshot(wine)"), 0, tmp_path / "split")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_many_splits_of_a_dataset_load_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def load(info: DatasetInfo) -> Dataset:
        loads.append(info.text)
        return Dataset(info, np.arange(120, dtype=np.float32).reshape(60, 2), np.arange(60) % 3)

    info = DatasetInfo("counted", "", "tabular", (2,), ("a", "b", "c"), (20,) * 3, "none", "nobody")
    monkeypatch.setitem(datasets.DATASETS, "counted", Entry(lambda text: info, load))
    for seed in range(10):
        for text in ("kshot(counted, k=2)", "longtail(counted, ir=2, head=4)", "folds(counted, n=2)"):
            draw(text, seed)
            sealed(text, tmp_path / f"{text[:4]}-{seed}", seed)
    assert loads == ["counted"]


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write the split"):
        materialise(task("kshot(wine)"), 0, tmp_path / "file" / "split")


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
