"""Tables as strategies see them, and draws that divide no group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fsbench.datasets import known
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import add_dataset
from fsbench.errors import DataError, TaskError
from fsbench.kinds import get_kind
from fsbench.tasks.expressions import Task, parse_tasks
from fsbench.tasks.splits import _visible_arrays, draw_split, materialise, open_split

COLUMNS = (0, 3, 0, 2)
laws = settings(max_examples=40)


pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def table(n: int, seed: int = 0, missing: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.stack(
        [rng.normal(50, 9, n), rng.integers(0, 3, n), rng.exponential(2, n), rng.integers(0, 2, n)], axis=1
    )
    x[rng.random(x.shape) < missing] = np.nan
    return x.astype(np.float32)


def info(name: str, y: np.ndarray, shape: tuple[int, ...], **more: object) -> DatasetInfo:
    counts = np.bincount(y).tolist()
    classes = tuple(f"c{label}" for label in range(len(counts)))
    return DatasetInfo(name, "", "table", shape, classes, tuple(counts), "none", "nobody", **more)  # type: ignore[arg-type]


def mixed(n: int = 60, seed: int = 0, name: str = "mixed") -> Dataset:
    y = np.arange(n) % 2
    return Dataset(info(name, y, (7,), columns=COLUMNS), table(n, seed), y)


def task_on(dataset: Dataset, text: str = "holdout({})") -> Task:
    known.DATASETS.pop(dataset.info.text, None)
    (task,) = parse_tasks(text.format(add_dataset(dataset)))
    return task


def reference(train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same with scikit-learn's defaults and the categories that it finds in the training part."""
    numbers, categories = [0, 2], [1, 3]
    fitted = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
        ]
    ).fit(train.astype(np.float64))
    found = fitted.transform(x.astype(np.float64))
    out = np.zeros((len(x), 7))
    out[:, :2], at, start = found[:, :2], 2, 2
    for column, width in zip(fitted.named_transformers_["c"].categories_, (3, 2), strict=True):
        for category in column:
            if not np.isnan(category):  # a missing value has no column
                out[:, start + int(category)] = found[:, at]
            at += 1
        start += width
    return out


def test_numbers_without_gaps_are_only_standardised() -> None:
    x = np.random.default_rng(0).normal(3, 5, (2, 9, 4)).astype(np.float32)
    x[..., 2] = 7
    other = np.random.default_rng(1).normal(3, 5, (2, 5, 4)).astype(np.float32)
    mean, deviation = x.mean(1, keepdims=True, dtype=np.float64), x.std(1, keepdims=True, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1.0)
    transform = get_kind("table").fit(x, info("plain", np.arange(4), (4,)))
    for each in (x, other):
        assert transform(each).tobytes() == ((each - mean) / deviation).astype(np.float32).tobytes()


def test_images_pass_unchanged() -> None:
    x = np.zeros((1, 2, 1, 4, 4), dtype=np.uint8)
    about = DatasetInfo("i", "", "image", (1, 4, 4), ("a", "b"), (1, 1), "none", "nobody")
    assert get_kind("image").fit(x, about)(x) is x


@laws
@given(st.integers(0, 10**6), st.integers(3, 30), st.floats(0, 0.6))
def test_columns_agree_with_scikit_learn(seed: int, n: int, missing: float) -> None:
    train, other = table(n, seed, missing), table(20, seed + 1, missing)
    assume(not np.isnan(train[:, [0, 2]]).all(0).any())
    transform = get_kind("table").fit(train[None], mixed().info)
    for x in (train, other):
        found = transform(x[None])
        assert found.shape == (1, len(x), 7)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], reference(train, x), rtol=1e-5, atol=1e-5)


def test_categories_missing_from_the_training_part_are_zero() -> None:
    train = np.array([[1, 0, np.nan, 0], [3, 0, np.nan, 0], [np.nan, 1, np.nan, np.nan]], dtype=np.float32)
    new = np.array([[2, 2, 9000, 1], [np.nan, np.nan, np.nan, np.nan]], dtype=np.float32)
    transform = get_kind("table").fit(train[None], mixed().info)
    assert transform(new[None])[0].tolist() == [[0.0] * 7] * 2
    assert transform(train[None])[0][:, 2:].tolist() == [[1, 0, 0, 1, 0], [1, 0, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert transform(new[None, :0]).shape == (1, 0, 7)


def test_cells_are_fitted_apart() -> None:
    train = np.stack([table(9, 1), table(9, 2)])
    both = get_kind("table").fit(train, mixed().info)(train)
    for cell in range(2):
        alone = get_kind("table").fit(train[[cell]], mixed().info)(train[[cell]])
        assert np.array_equal(both[cell], alone[0])


def test_a_split_is_fitted_on_its_training_part(tmp_path: Path) -> None:
    dataset = mixed()
    task = task_on(dataset)
    split = draw_split(task, 0)
    seen = open_split(materialise(task, draw_split(task, 0), tmp_path / "split").path)
    train = dataset.x[split.train.index[0]]
    for found, rows in ((seen.train_x, split.train), (seen.val_x, split.val), (seen.test_x, split.test)):
        np.testing.assert_allclose(found[0], reference(train, dataset.x[rows.index[0]]), rtol=1e-5, atol=1e-5)
    assert seen.info.input_shape == (7,)


def test_changing_test_and_val_rows_changes_nothing_of_the_training_part() -> None:
    dataset = mixed()
    task = task_on(dataset)
    split = draw_split(task, 3)
    before = dict(_visible_arrays(task, split))
    x = dataset.x.copy()
    for rows in (split.test, split.val):
        x[rows.index[0]] = table(rows.index.size, 99) * np.float32([1000, 1, 1000, 1])
    task = task_on(Dataset(dataset.info, x, dataset.y))
    after = dict(_visible_arrays(task, split))
    assert before["train_x"].tobytes() == after["train_x"].tobytes()
    assert not np.array_equal(before["test_x"], after["test_x"])


def test_datasets_must_say_that_they_are_grouped() -> None:
    y = np.arange(4) % 2
    x = np.zeros((4, 1), dtype=np.float32)
    with pytest.raises(
        DataError, match="it has no groups, and its description says grouped=True; expected grouped=False"
    ):
        Dataset(info("g", y, (1,), grouped=True), x, y)


# holdout


@st.composite
def grouped(draw: st.DrawFn) -> Dataset:
    """2 to 4 classes of 4 to 30 samples; groups of one class, mostly small, or none at all."""
    sizes = draw(st.lists(st.integers(4, 30), min_size=2, max_size=4))
    y = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mixing = draw(st.booleans())
    groups = np.empty(len(y), dtype=np.int64)
    for label, size in enumerate(sizes):
        most = draw(st.integers(1, max(1, size // 2)))
        number = -(-size // most) + 1
        groups[y == label] = rng.permutation(np.arange(size) % number) + (0 if mixing else 100 * label)
    _, groups = np.unique(groups, return_inverse=True)
    given = draw(st.booleans())
    x = rng.normal(size=(len(y), 2)).astype(np.float32)
    return Dataset(
        info("grouped", y, (2,), grouped=given), x, y, groups=groups.astype(np.int64) if given else None
    )


@laws
@given(grouped(), st.integers(0, 10**6), st.sampled_from([0.1, 0.3, 0.5]), st.sampled_from([0.0, 0.2]))
def test_holdout_covers_everything_once_and_divides_no_group(
    dataset: Dataset, seed: int, test: float, val: float
) -> None:
    task = task_on(dataset, f"holdout({{}}, test={test}, val={val})")
    try:
        split, again = draw_split(task, seed), draw_split(task, seed)
    except TaskError:
        assert dataset.groups is not None  # some groups cannot be divided into parts with every class
        return
    parts = [split.train.index[0], split.val.index[0], split.test.index[0]]
    assert split.fingerprint == again.fingerprint
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.y)))
    classes = dataset.info.num_classes
    for part in (parts[0], parts[2]):
        assert (np.bincount(dataset.y[part], minlength=classes) > 0).all()
    if dataset.groups is not None:
        found = [set(dataset.groups[part]) for part in parts]
        assert not found[0] & found[1]
        assert not found[0] & found[2]
        assert not found[1] & found[2]
    else:
        wanted = np.maximum(1, np.floor(np.array(dataset.info.class_counts) * test + 0.5))
        assert np.bincount(dataset.y[parts[2]]).tolist() == wanted.tolist()
        assert not task.info.balanced or len(set(np.bincount(dataset.y[parts[0]]))) == 1
    assert np.array_equal(split.test.y[0], dataset.y[parts[2]])


def test_groups_of_one_class_are_nearly_stratified() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [120, 60, 30])
    groups = np.repeat(np.arange(70), 3)
    x = rng.normal(size=(210, 2)).astype(np.float32)
    task = task_on(Dataset(info("patients", y, (2,), grouped=True), x, y, groups=groups))
    for seed in range(5):
        split = draw_split(task, seed)
        assert np.abs(np.bincount(split.test.y[0]) - [36, 18, 9]).max() <= 2
        assert np.abs(np.bincount(split.val.y[0]) - [24, 12, 6]).max() <= 2
    assert draw_split(task, 0).fingerprint != draw_split(task, 1).fingerprint


def test_four_samples_of_each_class_are_enough() -> None:
    y = np.arange(16) % 4
    x = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    split = draw_split(task_on(Dataset(info("tiny", y, (2,)), x, y)), 0)
    assert np.bincount(split.train.y[0]).tolist() == [3] * 4
    assert np.bincount(split.test.y[0]).tolist() == [1] * 4
    assert split.val.y.size == 0


def test_given_parts_of_a_dataset_are_used() -> None:
    y = np.arange(40) % 2
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    test, val = np.arange(40) >= 30, (np.arange(40) >= 20) & (np.arange(40) < 30)
    own = info("own", y, (2,), test_counts=(5, 5), val_counts=(5, 5))
    tasks = task_on(Dataset(own, x, y, test=test, val=val))
    one, two = draw_split(tasks, 0), draw_split(tasks, 1)
    for split in (one, two):
        assert set(split.test.index[0]) == set(range(30, 40))
        assert set(split.val.index[0]) == set(range(20, 30))
        assert set(split.train.index[0]) == set(range(20))
    half = info("half", y, (2,), test_counts=(5, 5))
    task = task_on(Dataset(half, x, y, test=test))
    assert set(draw_split(task, 0).test.index[0]) == set(range(30, 40))
    assert np.bincount(draw_split(task, 0).val.y[0]).tolist() == [3, 3]
    with pytest.raises(TaskError, match="the dataset has its own test part; leave test= out"):
        parse_tasks("holdout(half, test=0.5)")


def test_groups_that_hold_a_whole_class_cannot_be_held_out() -> None:
    y = np.repeat([0, 1], 6)
    x = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    groups = np.array([0] * 6 + [1, 2, 3, 4, 5, 6])
    task = task_on(Dataset(info("whole", y, (2,), grouped=True), x, y, groups=groups))
    with pytest.raises(TaskError, match="one group has too many samples of a class"):
        draw_split(task, 0)


def test_there_are_as_many_folds_of_groups_as_samples_of_a_class_allow() -> None:
    y = np.arange(600) % 2
    x = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    groups = np.arange(600)
    groups[:8] = [0, 0, 1, 1, 2, 2, 3, 3]
    dataset = Dataset(
        info("many", y, (2,), grouped=True), x, y, groups=np.unique(groups, return_inverse=True)[1]
    )
    split = draw_split(task_on(dataset, "folds({}, n=200)"), 199)
    assert (split.train.y.size, split.test.y.size) == (598, 2)


@pytest.mark.parametrize("seed", range(5))
def test_kshot_tests_on_whole_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 3
    groups = rng.integers(0, 30, 60)
    _, groups = np.unique(groups, return_inverse=True)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    dataset = Dataset(info("few", y, (2,), grouped=True), x, y, groups=groups.astype(np.int64))
    split = draw_split(task_on(dataset, "kshot({}, k=6)"), seed)
    tested = set(groups[split.test.index[0]])
    assert not tested & set(groups[split.train.index[0]])
    assert not tested & set(groups[split.val.index[0]])
    assert (np.bincount(split.test.y[0], minlength=3) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("test=0", "test is 0; expected a fraction between 0 and 1"),
        ("test=1.5", "test is 1.5"),
        ("test=0.6, val=0.4", "val is 0.4; expected at least 0 and test [+] val below 1"),
        ("val=-0.1", "val is -0.1"),
    ],
)
def test_bad_shares_are_refused(arguments: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        parse_tasks(f"holdout(wine, {arguments})")
