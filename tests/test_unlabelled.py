"""Unlabelled inputs: which samples they are, who sees them, and that they are worth something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from drawn import draw, task
from hypothesis import given, settings
from hypothesis import strategies as st

import fsbench
from fsbench.datasets.dataset import Dataset
from fsbench.datasets.known import DATASETS, add_dataset, load_dataset
from fsbench.errors import DataError, TaskError
from fsbench.tasks.drawing import Rows, Split
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import materialise, open_split

FAMILIES = ["kshot({}, k={})", "longtail({}, ir=2, head={})", "noisy({}, k={}, rate=0.3)"]


def unlabelled(split: Split) -> list[int]:
    assert split.unlabeled is not None
    return split.unlabeled.index.tolist()


def with_unlabelled(text: str, n: int | str) -> str:
    return f"{text[:-1]}, unlabeled={n})"


def equal(first: Rows, second: Rows) -> bool:
    return np.array_equal(first.index, second.index) and np.array_equal(first.y, second.y)


@settings(max_examples=25)
@given(
    st.sampled_from(FAMILIES),
    st.sampled_from(["digits", "wine"]),
    st.integers(2, 8),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.integers(0, 10**6),
)
def test_unlabelled_inputs_are_nested_and_leave_every_other_part_unchanged(
    family: str, dataset: str, k: int, sizes: tuple[int, int], seed: int
) -> None:
    text = family.format(dataset, k)
    few, many = sorted(sizes)
    plain, small, large, every = (
        draw(text, seed),
        *(draw(with_unlabelled(text, n), seed) for n in (few, many, "all")),
    )
    assert plain.unlabeled is None
    for split in (small, large, every):
        assert equal(split.train, plain.train)
        assert equal(split.val, plain.val)
        assert equal(split.test, plain.test)
        assert split.fingerprint != plain.fingerprint
    assert unlabelled(small) == unlabelled(every)[:few]
    assert unlabelled(large) == unlabelled(every)[:many]
    used = np.concatenate([part.index.ravel() for part in (every.train, every.val, every.test)])
    assert sorted([*unlabelled(every), *used.tolist()]) == list(range(load_dataset(dataset).info.n))


def test_a_further_label_replaces_few_unlabelled_inputs() -> None:
    two, three = (draw(f"kshot(digits, k={k}, val=1, unlabeled=100)") for k in (2, 3))
    new = set(three.train.index.ravel()) - set(two.train.index.ravel())
    assert set(unlabelled(two)) - set(unlabelled(three)) <= new


@pytest.mark.parametrize("text", ["kshot(wine, k=3)", "longtail(digits, ir=7)", "noisy(digits)"])
@pytest.mark.parametrize("n", [5, "all"])
def test_infos_say_truly_how_many_unlabelled_inputs_there_are(text: str, n: int | str) -> None:
    wanted = with_unlabelled(text, n)
    assert task(wanted).info.num_unlabeled == len(unlabelled(draw(wanted)))
    assert task(text).info.num_unlabeled == 0


def test_what_the_profile_of_a_long_tail_leaves_out_is_unlabelled() -> None:
    split, every = draw("longtail(digits, ir=20, unlabeled=all)"), load_dataset("digits")
    assert split.unlabeled is not None
    found = np.bincount(every.y[split.unlabeled.index], minlength=10)
    pool = np.array(every.info.class_counts) - np.bincount(split.test.y[0])
    counts = np.bincount(split.train.y[0]) + np.bincount(split.val.y[0])
    assert (found == pool - counts).all()


@pytest.fixture
def bottles() -> Iterator[Dataset]:
    """Wine with five rows more, of which nobody knows the label."""
    wine = load_dataset("wine")
    more = np.arange(5 * 13, dtype=np.float32).reshape(5, 13)
    info = replace(wine.info, text="bottles", num_unlabeled=5)
    made = Dataset(info, wine.x.copy(), wine.y.copy(), unlabeled=more)
    add_dataset(made)
    yield made
    DATASETS.pop("bottles")


def test_a_dataset_may_have_unlabelled_inputs_of_its_own(bottles, tmp_path) -> None:
    split = draw("holdout(bottles, unlabeled=all)")
    assert sorted(unlabelled(split)) == list(range(178, 183))
    assert split.unlabeled is not None
    assert set(split.unlabeled.y) == {-1}
    assert equal(split.train, draw("holdout(bottles)").train)
    sealed = materialise(task("holdout(bottles, unlabeled=all)"), split, tmp_path / "split")
    opened = open_split(sealed.path)
    train = bottles.x[split.train.index[0]].astype(np.float64)
    wanted = (bottles.unlabeled[np.array(unlabelled(split)) - 178] - train.mean(0)) / train.std(0)
    assert opened.unlabeled_x is not None
    np.testing.assert_allclose(opened.unlabeled_x, wanted, rtol=1e-4)
    assert len(unlabelled(draw("kshot(bottles, k=19, unlabeled=all)"))) == 24 + 5
    with pytest.raises(TaskError, match="unlabeled is 6; expected 0 to 5, or all"):
        parse_tasks("holdout(bottles, unlabeled=6)")


def test_only_tasks_with_unlabelled_inputs_depend_on_a_datasets_own(bottles) -> None:
    before = draw("kshot(bottles, k=2)"), draw("kshot(bottles, k=2, unlabeled=3)")
    add_dataset(replace(bottles, unlabeled=bottles.unlabeled + 1))
    after = draw("kshot(bottles, k=2)"), draw("kshot(bottles, k=2, unlabeled=3)")
    assert before[0].fingerprint == after[0].fingerprint
    assert before[1].fingerprint != after[1].fingerprint


def test_unlabelled_inputs_must_be_like_the_samples(bottles) -> None:
    with pytest.raises(DataError, match="5 unlabelled inputs, expected 4"):
        replace(bottles, info=replace(bottles.info, num_unlabeled=4))
    with pytest.raises(DataError, match=r"loaded float32 \[5, 12\], expected float32 \[5, 13\]"):
        replace(bottles, unlabeled=bottles.unlabeled[:, 1:].copy())


def test_self_training_helps_with_two_labels_and_a_thousand_unlabelled_digits(tmp_path) -> None:
    found = fsbench.run(
        "self_training",
        tasks="kshot(digits, k=2, unlabeled=all)",
        baseline="erm",
        seeds=2,
        results=tmp_path,
        recipe="backbone=conv4(norm=group, width=16), steps=100",
    )
    assert not found.failures
    score: dict[tuple[str, ...], list[float]] = {(): [], ("unlabeled",): []}
    for record in found.records:
        score[record.uses].append(record.metrics["balanced_accuracy"])
    assert np.mean(score["unlabeled",]) > np.mean(score[()]) + 0.05
