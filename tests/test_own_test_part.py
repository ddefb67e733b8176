"""Protocols on datasets that have a test part, and `folds` on those that have none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsbench.datasets import known
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import add_dataset, dataset_names, load_dataset
from fsbench.errors import DataError, TaskError
from fsbench.tasks.drawing import Split, divide
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split

laws = settings(max_examples=25)
seeds = st.integers(0, 10**6)


def made(name: str, counts: tuple[int, ...], tested: tuple[int, ...], grouped: bool = False) -> Dataset:
    """A table whose rows are all different, in an order that mixes classes and parts."""
    rng = np.random.default_rng(len(name))
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y), dtype=np.float32)[:, None] * np.ones(3, dtype=np.float32)
    test = np.zeros(len(y), dtype=np.bool_)
    for label, n in enumerate(tested):
        test[rng.permutation(np.flatnonzero(y == label))[:n]] = True
    names = tuple("abcdefgh"[: len(counts)])
    info = DatasetInfo(
        name, "", "table", (3,), names, counts, "none", "nobody", test_counts=tested, grouped=grouped
    )
    groups = np.arange(len(y)) // 2 if grouped else None
    return Dataset(info, x, y, test=test if tested else None, groups=groups)


@pytest.fixture(scope="module", autouse=True)
def parted() -> Iterator[Dataset]:
    dataset = made("parted", (40, 31, 60), (10, 11, 20))
    add_dataset(dataset)
    add_dataset(made("together", (40, 31, 60), (), grouped=True))
    yield dataset
    del known.DATASETS["parted"], known.DATASETS["together"]


def draw(text: str, seed: int = 0) -> Split:
    (task,) = parse_tasks(text)
    return draw_split(task, seed)


@laws
@given(
    st.sampled_from(["kshot(parted, k=3)", "longtail(parted, ir=2, head=12)", "noisy(parted, k=8)"]), seeds
)
def test_the_dataset_is_tested_on_its_whole_test_part(text: str, seed: int) -> None:
    split, dataset = draw(text, seed), load_dataset("parted")
    assert dataset.test is not None
    assert set(split.test.index[0]) == set(np.flatnonzero(dataset.test))
    assert split.test.index.size == 41
    for part in (split.train, split.val):
        assert not dataset.test[part.index].any()


def test_the_training_pools_are_all_other_samples(parted: Dataset) -> None:
    test, pools = divide(parted, 3)
    assert sorted([*test, *np.concatenate(pools)]) == list(range(131))
    assert [len(pool) for pool in pools] == [30, 20, 40]
    assert all((parted.y[pool] == label).all() for label, pool in enumerate(pools))
    with pytest.raises(TaskError, match="class 'b' has 31 samples, of which 11 are for the test"):
        parse_tasks("kshot(parted, k=21, val=0)")


@laws
@given(st.integers(1, 9), st.integers(0, 5), st.data())
def test_blocks_are_consecutive_disjoint_and_in_the_datasets_order(
    k: int, val: int, data: st.DataObject
) -> None:
    num = 20 // (k + val)
    seed = data.draw(st.integers(0, num - 1))
    split, dataset = draw(f"blocks(parted, k={k}, val={val})", seed), load_dataset("parted")
    assert dataset.test is not None
    assert set(split.test.index[0]) == set(np.flatnonzero(dataset.test))
    for label in range(3):
        mine = np.array([i for i in range(131) if dataset.y[i] == label and not dataset.test[i]])
        start = seed * (k + val)
        train, held = (part.index[0][part.y[0] == label] for part in (split.train, split.val))
        assert sorted(train) == mine[start : start + k].tolist()
        assert sorted(held) == mine[start + k : start + k + val].tolist()


def test_the_smallest_class_limits_the_number_of_blocks() -> None:
    draw("blocks(parted, k=4, val=1)", 3)
    with pytest.raises(TaskError, match=r"parted has 4 blocks of 5 samples per class; .* seeds from 0 to 3"):
        draw("blocks(parted, k=4, val=1)", 4)
    with pytest.raises(
        TaskError, match=r"class 'b' has 20 samples that are not for the test; k \+ val is 21"
    ):
        parse_tasks("blocks(parted, k=20, val=1)")


@laws
@given(st.integers(2, 13), st.integers(0, 20))
def test_each_repetition_of_folds_tests_each_sample_once(n: int, repetition: int) -> None:
    dataset = load_dataset("wine")
    folds = [draw(f"folds(wine, n={n})", repetition * n + fold) for fold in range(n)]
    assert sorted(np.concatenate([split.test.index[0] for split in folds])) == list(range(178))
    for split in folds:
        assert sorted([*split.train.index[0], *split.test.index[0]]) == list(range(178))
        assert np.array_equal(split.train.y[0], dataset.y[split.train.index[0]])
        tested = np.bincount(split.test.y[0])
        assert all(
            count // n <= got <= -(-count // n) for got, count in zip(tested, (59, 71, 48), strict=True)
        )
        assert split.val.index.shape == (1, 0)


def test_folds_are_repeated_in_another_order_and_leave_test_parts_alone_and_groups_whole() -> None:
    assert not np.array_equal(draw("folds(wine, n=2)", 0).test.index, draw("folds(wine, n=2)", 2).test.index)
    with pytest.raises(TaskError, match="parted has its own test part"):
        parse_tasks("folds(parted)")
    groups = load_dataset("together").groups
    split = draw("folds(together, n=2)", 0)
    assert not set(groups[split.train.index[0]]) & set(groups[split.test.index[0]])


def test_own_data_has_a_separate_name(parted: Dataset) -> None:
    assert add_dataset(parted) == "parted"
    assert "parted" in dataset_names()
    with pytest.raises(DataError, match="'parted' exists already, with other data"):
        add_dataset(made("parted", (40, 31, 60), (10, 11, 19)))
    with pytest.raises(DataError, match="'a b' cannot name a dataset"):
        add_dataset(made("a b", (4, 4), ()))
    with pytest.raises(DataError, match="'digits' exists already"):
        add_dataset(made("digits", (4, 4), ()))


def test_a_test_part_is_in_the_fingerprint_and_must_match_the_info(parted: Dataset) -> None:
    other = made("parted", (40, 31, 60), ())
    assert np.array_equal(other.x, parted.x)
    assert np.array_equal(other.y, parted.y)
    assert other.fingerprint != parted.fingerprint
    with pytest.raises(DataError, match=r"the test part has \[10, 11, 20\] samples of the classes"):
        Dataset(other.info, parted.x, parted.y, test=parted.test)
