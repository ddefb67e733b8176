"""`holdout` with parts of its training part: a fraction of it, and splits within it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fsbench.errors import TaskError
from fsbench.tasks.expressions import parse_tasks
from fsbench.tasks.splits import draw_split


def split(text: str, seed: int = 0):
    return draw_split(*parse_tasks(text), seed)


def ids(rows) -> set[int]:
    return set(rows.index[0].tolist())


def test_a_fraction_of_the_training_part_is_nested_and_leaves_the_test_as_it_is():
    parts = [split(f"holdout(wine, train={share})", 3) for share in (0.1, 0.25, 0.5)]
    parts.append(split("holdout(wine)", 3))
    for smaller, larger in itertools.pairwise(parts):
        assert ids(smaller.train) < ids(larger.train)
        assert ids(smaller.test) == ids(larger.test)
        assert ids(smaller.val) == ids(larger.val)
    counts = [np.bincount(part.train.y[0]).tolist() for part in parts]
    assert counts == [[3, 4, 3], [8, 9, 6], [15, 18, 13], [30, 36, 25]]
    assert parse_tasks("holdout(wine, train=0.1)")[0].info.labels_per_class == 4


def test_splits_within_a_training_part_see_no_sample_of_its_test():
    outer = split("holdout(wine, val=0)", 2)
    tested = []
    for seed in range(4):
        inner = split("holdout(wine, val=0, within=2)", seed)
        assert ids(inner.train) | ids(inner.test) == ids(outer.train)
        assert not ids(inner.train) & ids(inner.test)
        tested.append(ids(inner.test))
    assert len(set(map(frozenset, tested))) == 4
    assert np.bincount(inner.test.y[0]).tolist() == [12, 15, 10]


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ("holdout(wine, train=0)", "train is 0; expected a fraction above 0"),
        ("holdout(wine, train=1.5)", "train is 1.5; expected a fraction above 0, or 1"),
        ("holdout(wine, within=-1)", "within is -1; expected at least 0"),
        ("holdout(wine, test=0.99, val=0, within=0)", "class 'class_2' has too few samples"),
    ],
)
def test_wrong_fractions_are_refused(task, problem):
    with pytest.raises(TaskError, match=problem):
        parse_tasks(task)
