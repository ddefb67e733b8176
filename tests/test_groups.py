"""Samples that belong together: on one side of every split, and of what strategies divide themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from drawn import draw, task
from fsbench_plugins.best_classical import BestClassical
from fsbench_plugins.early_stopping import EarlyStopping
from fsbench_plugins.probe import Probe
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import context, fitted_alone, toy_trial

from fsbench import LabeledSet, TaskInfo
from fsbench.datasets.dataset import Dataset, DatasetInfo
from fsbench.datasets.known import add_dataset
from fsbench.errors import FsbenchError, PluginError
from fsbench.tasks.drawing import Rows, Split, join
from fsbench.tasks.parts import FOLDS
from fsbench.tasks.protocols.holdout import Holdout
from fsbench.tasks.splits import draw_split, materialise, open_split

pytestmark = pytest.mark.usefixtures("no_dataset_stays")


def ids(rows: Rows) -> set[int]:
    return set(rows.index[0].tolist())


def grouped() -> Dataset:
    y = np.repeat(np.arange(2), 30)
    x = np.random.default_rng(0).random((60, 3), dtype=np.float32)
    info = DatasetInfo("grouped60", "d", "table", (3,), ("a", "b"), (30, 30), "l", "c", grouped=True)
    return Dataset(info, x, y, groups=np.arange(60) // 3)


def patients(sizes: Sequence[int]) -> Dataset:
    """Rows of patients, so many of each, of two classes at random."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = np.random.default_rng(0).integers(0, 2, len(groups))
    counts = tuple(np.bincount(y).tolist())
    info = DatasetInfo("patients", "d", "table", (1,), ("a", "b"), counts, "l", "c", grouped=True)
    return Dataset(info, np.arange(len(y), dtype=np.float32)[:, None], y, groups=groups)


def test_a_search_leaves_two_classes_to_learn() -> None:
    """Of the rare class, there are two groups, so one in each training part."""
    y, groups = np.repeat([0, 1], [40, 6]), np.r_[np.arange(40), np.repeat([40, 41], 3)]
    info = DatasetInfo("rare", "d", "table", (1,), ("a", "b"), (40, 6), "l", "c", grouped=True)
    add_dataset(Dataset(info, np.arange(46, dtype=np.float32)[:, None], y, groups=groups))
    protocol = task("folds(rare, n=2)").protocol
    for seed in range(4):
        split = protocol.draw(seed)
        parts = [protocol.hold_out(split, fold, seed) for fold in range(FOLDS)]
        assert all(set(part.train.y[0]) == {0, 1} for part in parts)
        held_out = np.concatenate([part.test.index[0] for part in parts])
        assert sorted(held_out) == sorted(split.train.index[0][split.train.y[0] == 0])


@pytest.mark.parametrize("sizes", [range(3, 27), range(20, 420, 20), [2] * 20 + [40] * 3], ids=str)
def test_groups_of_any_size_are_tested_in_some_splits(sizes: Sequence[int]) -> None:
    data, tested, shares = patients(sizes), set(), []
    add_dataset(data)
    for seed in range(40):
        found = draw("holdout(patients)", seed)
        parts = [set(data.groups[each.index[0]].tolist()) for each in (found.train, found.val, found.test)]
        assert sum(map(len, parts)) == len(sizes)
        tested |= parts[2]
        shares.append(len(found.test.y[0]) / len(data.y))
    assert tested == set(range(len(sizes)))
    assert 0.25 < np.mean(shares) < 0.35
    assert max(shares) < 0.5


def test_groups_stay_whole_within_a_training_part() -> None:
    add_dataset(grouped())
    outer = draw("holdout(grouped60, val=0)", 1)
    inner = draw("holdout(grouped60, val=0, within=1)", 5)
    assert ids(inner.train) | ids(inner.test) == ids(outer.train)
    groups = [{sample // 3 for sample in ids(part)} for part in (inner.train, inner.test)]
    assert not groups[0] & groups[1]


def test_strategies_are_told_which_training_samples_belong_together(tmp_path: Path) -> None:
    add_dataset(grouped())
    whole = task("holdout(grouped60)")
    drawn = draw_split(whole, 0)
    seen = open_split(materialise(whole, drawn, tmp_path / "split").path)
    assert seen.train_group is not None
    numbers, groups = seen.train_group[0], drawn.train.index[0] // 3
    assert np.array_equal(numbers[:, None] == numbers, groups[:, None] == groups)
    assert numbers.max() + 1 == len(np.unique(groups)) < len(groups)


def test_a_choice_within_a_strategy_divides_no_group(tmp_path: Path) -> None:
    """Copies of rows with random labels: only where they are divided, the nearest neighbour is right."""
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3), dtype=np.float32).repeat(5, 0), np.arange(40).repeat(5) % 2
    info = DatasetInfo("copies", "d", "table", (3,), ("a", "b"), (100, 100), "l", "c", grouped=True)
    add_dataset(Dataset(info, x, y, groups=np.arange(40).repeat(5)))
    whole = task("holdout(copies, val=0)")
    seen = open_split(materialise(whole, draw_split(whole, 0), tmp_path / "split").path)
    chosen = [
        toy_trial(BestClassical(), split=each).notes[0] for each in (seen, replace(seen, train_group=None))
    ]
    assert "knn(n_neighbors=1)" in chosen[1]
    assert "knn" not in chosen[0]


def test_early_stopping_holds_out_no_class_whose_samples_all_belong_together() -> None:
    y, groups = torch.arange(2).repeat_interleave(6), torch.arange(12) // 2
    groups[6:] = 9
    train = LabeledSet(torch.zeros(12, 3), torch.eye(2)[y], groups=groups)
    kept: list[LabeledSet] = []

    def inner(train: LabeledSet, val: LabeledSet) -> Any:
        kept.append(train)
        return SimpleNamespace(require_network=lambda name: None)

    stopping = EarlyStopping()
    ctx = context(stopping, "fit", TaskInfo("toy", "holdout", "table", (3,), 2), train=train)
    ctx._state.val = train.select(y < 0)
    stopping.fit(train, inner, ctx)
    assert (kept[0].class_counts > 0).all()
    assert len(ctx._state.notes) == 1
    made = replace(train, groups=groups.new_full((12,), -1))
    stopping.fit(train.with_added(made), inner, ctx)
    assert len(kept[1]) == len(kept[0])
    lost = "12 samples that other components may have made from these are not trained on"
    assert ctx._state.notes[1:] == [f"early_stopping: {lost}"]
    with pytest.raises(FsbenchError, match="no class has two training samples that do not belong together"):
        stopping.fit(replace(train, groups=y), inner, ctx)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=4), st.integers(1, 9), st.integers(0, 99))
def test_groups_of_any_classes_leave_something_to_fit(counts: list[int], many: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    x = torch.from_numpy(rng.normal(size=(len(y), 3))).float()
    groups = torch.from_numpy(rng.integers(0, many, len(y)))
    train = LabeledSet(x, torch.eye(len(counts))[y], groups=groups)
    for subject in (BestClassical(), Probe()):
        logits = fitted_alone(subject, train)[0](x)
        assert logits.shape == (len(y), len(counts))
        assert bool(logits.isfinite().all())


def test_joined_sets_keep_all_groups_of_every_sample() -> None:
    plain = LabeledSet(torch.zeros(3, 2), torch.eye(2)[[0, 1, 0]], groups=torch.tensor([4, 5, -1]))
    made = LabeledSet(torch.ones(2, 2), torch.eye(2)[[0, 1]], groups=torch.tensor([[4, 5], [6, 4]]))
    both, none = plain.joined(made), torch.arange(0)
    assert both.groups is not None
    assert both.groups.tolist() == [[4, 5, -1, 4, 5], [4, 5, -1, 6, 4]]
    for empty in (plain.select(none), made.select(none)):
        found = both.joined(empty).groups
        assert found is not None
        assert torch.equal(found, both.groups)
    assert plain.joined(LabeledSet(made.x, made.targets)).groups is None


def test_joined_sets_have_weights_of_the_same_parts_of_the_training() -> None:
    x, y = torch.zeros(2, 1), torch.eye(2)
    one, two, three = (LabeledSet(x, y, torch.rand(parts, 2)) for parts in (1, 2, 3))
    found = two.joined(replace(one, weights=torch.ones(2))).weights
    assert found is not None
    assert found.shape == (2, 4)
    with pytest.raises(ValueError, match="the weights are of 2 and 3 parts of the training"):
        two.joined(three)


def test_a_protocol_that_tears_groups_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise rows like those of the test would be trained on."""
    add_dataset(grouped())
    whole = Holdout.draw

    def torn(self: Holdout, seed: int) -> Split:
        split = whole(self, seed)
        rest = Rows(split.test.index[:, 1:], split.test.y[:, 1:], split.test.origin[:, 1:])
        return replace(split, train=join([split.train, split.test.first(1)]), test=rest)

    monkeypatch.setattr(Holdout, "draw", torn)
    with pytest.raises(
        PluginError, match=r"its protocol draws \d+ training samples? of groups that the test has"
    ):
        draw("holdout(grouped60)", 0)
