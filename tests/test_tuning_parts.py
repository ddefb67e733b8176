"""The parts that a search is on: every label is held out once, and no sample of the test part is in any."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from drawn import EVERY, SHIFT, draw, task

from fsbench.datasets.known import load_dataset
from fsbench.errors import TaskError
from fsbench.tasks.drawing import Rows
from fsbench.tasks.parts import FOLDS, Part
from fsbench.tasks.splits import take

MORE = ["holdout(wine)", "folds(wine, n=3)", SHIFT, "kshot(wine, k=1)"]
VALIDATED = [text for text in [*EVERY, *MORE] if text.startswith(("kshot", "longtail", "noisy", "holdout"))]


def ids(rows: Rows | None, cell: int | None = 0) -> list[tuple[int, int]]:
    if rows is None:
        return []
    pick = (slice(None),) if cell is None or rows.index.ndim == 1 else (cell,)
    return list(zip(rows.origin[pick].ravel().tolist(), rows.index[pick].ravel().tolist(), strict=True))


def labelled(rows: Rows) -> set[tuple[int, int, int]]:
    return set(zip(rows.origin[0].tolist(), rows.index[0].tolist(), rows.y[0].tolist(), strict=True))


@pytest.mark.parametrize("text", [*EVERY, *MORE])
@pytest.mark.parametrize("keeps_val", [False, True])
def test_no_part_has_a_sample_of_the_test(text, keeps_val):
    whole, of = draw(text), task(text)
    hidden = set(ids(whole.test, None))
    for fold in range(of.protocol.folds):
        _, part = take(of, whole, 0, Part(fold, keeps_val))
        for rows in (part.train, part.val, part.test, part.source, part.unlabeled):
            assert not hidden & set(ids(rows, None))
        assert part.fingerprint == whole.fingerprint
        for cell in range(len(part.train.y)):
            assert not set(ids(part.train, cell)) & set(ids(part.test, cell))


@pytest.mark.parametrize("text", VALIDATED)
@pytest.mark.parametrize("keeps_val", [False, True])
def test_each_label_as_given_is_held_out_once(text, keeps_val):
    whole, of = draw(text), task(text)
    every = labelled(whole.train) | labelled(whole.val)
    held_out = []
    for fold in range(FOLDS):
        _, part = take(of, whole, 0, Part(fold, keeps_val))
        rest = labelled(part.train) | labelled(part.val)
        assert rest == every - labelled(part.test)
        assert part.val.y.size == 0 or keeps_val
        assert not keeps_val or labelled(part.val) <= labelled(whole.val)
        held_out += list(labelled(part.test))
    assert len(held_out) == len(set(held_out))
    assert set(held_out) == every


@pytest.mark.parametrize("text", ["kshot(digits, k=3)", "longtail(digits, ir=10)", "kshot(wine, k=1)"])
def test_folds_are_stratified(text):
    whole, of = draw(text), task(text)
    counts = np.array(
        [
            np.bincount(take(of, whole, 0, Part(fold))[1].test.y[0], minlength=of.info.num_classes)
            for fold in range(FOLDS)
        ]
    )
    assert (counts.max(0) - counts.min(0)).max() <= 1
    assert counts.sum(1).max() - counts.sum(1).min() <= 1


@pytest.mark.parametrize("text", VALIDATED)
def test_all_labels_are_those_of_train_and_val(text):
    whole, of = draw(text), task(text)
    described, part = take(of, whole, 0, Part())
    assert labelled(part.train) == labelled(whole.train) | labelled(whole.val)
    assert part.test is whole.test
    assert described.info.num_val == part.val.y.size == 0
    assert described.info.labels_per_class == np.bincount(part.train.y[0]).max()


def test_a_strategy_that_uses_validation_labels_keeps_them():
    whole, of = draw("kshot(wine, k=4)"), task("kshot(wine, k=4)")
    described, part = take(of, whole, 0, Part(keeps_val=True))
    assert labelled(part.train) == labelled(whole.train)
    assert labelled(part.val) == labelled(whole.val)
    assert described.info == of.info


def test_samples_of_one_group_stay_in_one_fold(monkeypatch):
    whole, of = draw("longtail(digits, ir=10)"), task("longtail(digits, ir=10)")
    groups = np.random.default_rng(0).integers(0, 40, of.protocol.data.n)
    dataset = SimpleNamespace(groups=groups)
    monkeypatch.setattr("fsbench.tasks.parts.load_dataset", lambda text: dataset)
    for fold in range(FOLDS):
        _, part = take(of, whole, 0, Part(fold))
        assert part.test.y.size
        assert not set(groups[part.train.index[0]]) & set(groups[part.test.index[0]])


def test_shift_is_validated_on_the_source():
    whole, of = draw(SHIFT), task(SHIFT)
    _, part = take(of, whole, 0, Part(0))
    assert of.protocol.folds == 1
    assert labelled(part.train) == labelled(whole.train)
    assert labelled(part.test) == labelled(whole.val)
    assert set(part.test.origin[0].tolist()) == {0}


@pytest.mark.parametrize("keeps_val", [False, True])
def test_the_unlabelled_part_has_the_labels_of_the_final_fit_and_shows_none_of_its_test(keeps_val):
    whole, of = draw(SHIFT), task(SHIFT)
    _, final = take(of, whole, 0, Part(keeps_val=keeps_val))
    _, part = take(of, whole, 0, Part(keeps_val=keeps_val, unlabeled=True))
    assert labelled(part.train) == labelled(final.train)
    assert labelled(part.val) == labelled(final.val)
    assert ids(part.test) == ids(whole.unlabeled)
    assert not set(ids(part.test)) & set(ids(whole.test))
    assert set(whole.unlabeled.y.tolist()) == set(range(10))
    assert part.test.y.shape == (1, len(whole.unlabeled.y))
    assert not part.test.y.any()


def test_without_unlabelled_inputs_there_is_no_such_part():
    text = "kshot(wine, k=1)"
    with pytest.raises(TaskError, match="there are no unlabelled inputs"):
        take(task(text), draw(text), 0, Part(unlabeled=True))


def test_parts_have_names_of_their_own():
    parts = [Part(f, v, u) for f in (None, 0, 1) for v in (False, True) for u in (False, True)]
    assert len({str(part) for part in parts}) == len(parts)
    assert str(Part(0)) == "without fold 0"  # as in the keys of stored tries
    assert str(Part(None, keeps_val=True)) == "all labels, validation apart"


def test_episodes_are_validated_on_classes_held_out_of_the_source():
    text = "episodes(glyphs(size=8), way=3, shot=2, n=4)"
    whole, of, y = draw(text), task(text), load_dataset("glyphs(size=8)").y
    sources, supports, validation = set(), set(), set()
    for fold in range(of.protocol.folds):
        described, part = take(of, whole, 0, Part(fold))
        classes = set(y[part.test.index].ravel().tolist())
        assert len(classes) >= 3
        assert classes == set(y[part.train.index].ravel().tolist()) | classes
        rest = set(y[part.source.index].tolist())
        assert not classes & rest
        assert described.info.source_classes == len(rest) == part.source.y.max() + 1
        assert part.train.y.shape == whole.train.y.shape
        sources.add(part.source.index.tobytes())
        supports.add(part.train.index.tobytes())
        validation |= classes
        assert not validation & rest
    assert len(sources) == 1
    assert len(supports) == of.protocol.folds == FOLDS


def test_too_few_labels_are_refused():
    whole, of = draw("kshot(breast_cancer, k=1, val=0)"), task("kshot(breast_cancer, k=1, val=0)")
    with pytest.raises(TaskError, match="there are 2 labels, which is too few"):
        take(of, whole, 0, Part(0))


def test_too_few_groups_are_refused_and_named(monkeypatch):
    whole, of = draw("kshot(breast_cancer, k=20)"), task("kshot(breast_cancer, k=20)")
    dataset = SimpleNamespace(groups=np.arange(of.protocol.data.n) % 3)
    monkeypatch.setattr("fsbench.tasks.parts.load_dataset", lambda text: dataset)
    with pytest.raises(TaskError, match=r"there are \d+ labels of 3 groups that stay together, which is too"):
        take(of, whole, 0, Part(0))


def test_too_few_classes_are_refused():
    of = task("episodes(glyphs(size=8), way=3, shot=2, n=4)")
    object.__setattr__(of.protocol, "way", 10_000)
    with pytest.raises(TaskError, match=r"a search holds out 10000 of the source's classes"):
        _ = of.protocol.folds


@pytest.mark.parametrize("text", VALIDATED)
def test_validation_samples_stay_validation_samples(text):
    whole, of = draw(text), task(text)
    for fold in range(FOLDS):
        _, part = take(of, whole, 0, Part(fold, keeps_val=True))
        assert set(ids(part.train)) <= set(ids(whole.train))
        assert set(ids(part.val)) <= set(ids(whole.val))
