"""What the protocols draw: disjoint, nested, stratified, deterministic."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from drawn import EVERY, SHIFT, draw, task
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import load_dataset
from fsbench.tasks import drawing
from fsbench.tasks.drawing import Rows, group_numbers, pool_count
from fsbench.tasks.grouping import draw_test

laws = settings(max_examples=25)
seeds = st.integers(0, 10**6)
anything = st.sampled_from(EVERY)


def labels(text: str, index: np.ndarray) -> np.ndarray:
    return load_dataset(text).y[index]


def counts(y: np.ndarray, classes: int) -> list[int]:
    return np.bincount(y.ravel(), minlength=classes).tolist()


@pytest.mark.slow
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


def test_fingerprints_differ_between_tasks() -> None:
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


def possible(rate: float, *ks: int) -> bool:
    """Whether some of k labels are wrong and some right, or all are meant to be right."""
    return rate == 0 or all(0 < round(rate * k) < k for k in ks)


@laws
@given(
    st.sampled_from(["digits", "wine", "breast_cancer"]),
    st.integers(1, 19),
    st.just(0.0) | st.floats(0.05, 0.95),
    st.sampled_from(["symmetric", "asymmetric"]),
    seeds,
)
def test_noise_is_exact_in_each_class_and_the_test_is_clean(
    dataset: str, k: int, rate: float, kind: str, seed: int
) -> None:
    assume(possible(rate, k))
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
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.tuples(*[st.just(0.0) | st.floats(0.05, 0.95)] * 2),
    st.sampled_from(["symmetric", "asymmetric"]),
    seeds,
)
def test_noise_is_nested_in_k_and_rate(
    ks: tuple[int, int], rates: tuple[float, float], kind: str, seed: int
) -> None:
    (few, many), (low, high) = sorted(ks), sorted(rates)
    assume(possible(low, few, many) and possible(high, many))
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
def test_episodes_have_renumbered_test_classes_and_are_nested(way: int, shot: int, seed: int) -> None:
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
def test_the_order_of_rows_does_not_reveal_the_class(text: str) -> None:
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


@pytest.mark.parametrize(("counts", "expected"), [((2, 2), 1), ((1, 9), 1), ((10, 10), 4), ((2, 9998), 1)])
def test_each_class_has_a_test_sample(counts, expected):
    info = DatasetInfo("some", "d", "table", (1,), ("a", "b"), counts, "l", "c")
    assert drawing.test_count(info, 0) == expected


def test_groups_of_two_datasets_with_equal_numbers_are_different_groups():
    datasets = [SimpleNamespace(groups=np.array([0, 0, 1])), SimpleNamespace(groups=np.array([0, 1, 1]))]
    index = np.array([0, 1, 2, 0, 1, 2])
    rows = Rows(index, np.zeros(6, np.int64), np.array([0, 0, 0, 1, 1, 1]))
    assert group_numbers(rows, datasets).tolist() == [0, 0, 1, 2, 3, 3]


def test_whole_groups_for_the_test_leave_room_in_every_class():
    """Groups have samples of both classes; one class has far less room."""
    y, groups = np.tile([0, 0, 0, 1], 20), np.repeat(np.arange(20), 4)
    info = DatasetInfo("mixed", "d", "table", (1,), ("a", "b"), (60, 20), "l", "c", grouped=True)
    data = Dataset(info, np.zeros((80, 1), np.float32), y, groups=groups)
    for seed in range(5):
        chosen = draw_test(data, [24, 3], seed)
        assert np.bincount(y[chosen], minlength=2).tolist() == [9, 3]
        assert not set(groups[chosen].tolist()) & set(groups[~chosen].tolist())
