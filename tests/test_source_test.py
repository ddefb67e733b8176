"""The held-out part of the source: who sees it, and what its accuracy says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pages import render
from records import over_seeds
from sklearn.neighbors import KNeighborsClassifier

import fsbench
from fsbench.engine.source_test import MOST, SourceTest, divide
from fsbench.report.charts.transfer import source_of
from fsbench.report.leaderboard import leaderboard
from fsbench.types import TaskInfo

A, B = "kshot(digits, k=5, source=mnist5k(size=8))", "kshot(digits, k=5, source=glyphs(size=8))"


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 9))
def test_a_tenth_of_each_class_is_held_out(counts, key):
    y = np.random.default_rng(key).permutation(np.repeat(np.arange(len(counts)), counts))
    seen, held_out = divide(y, "task", key)
    assert sorted([*seen, *held_out]) == list(range(len(y)))
    assert list(np.bincount(y[held_out], minlength=len(counts))) == [count // 10 for count in counts]
    assert all(np.array_equal(a, b) for a, b in zip(divide(y, "task", key), (seen, held_out), strict=True))


def test_at_most_a_fixed_number_is_held_out():
    _, held_out = divide(np.arange(20_000) % 7, "task", 0)
    assert len(set(held_out)) == MOST
    assert np.bincount(held_out % 7).min() > 0.7 * MOST / 7


class Body(torch.nn.Module):
    """A network whose features are a fixed linear map of the inputs."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.tensor(matrix, dtype=torch.float32))
        self.modes = []

    def forward_features(self, x):
        self.modes.append(self.training)
        return x @ self.matrix


def test_the_accuracy_is_that_of_the_nearest_class_mean():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (rng.normal(size=(300, 4)) + np.eye(3, 4)[y]).astype(np.float32)
    task = TaskInfo("t", "kshot", "table", (4,), 3, source_shape=(4,), source_classes=3)
    part = (x, y, np.arange(200)), (x, y, np.arange(200, 300))
    test = SourceTest.of(*part, task=task, open=torch.from_numpy)
    body = Body(np.eye(4)).train()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    means = np.stack([unit[:200][y[:200] == c].mean(0) for c in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    expected = (KNeighborsClassifier(1).fit(means, [0, 1, 2]).predict(unit[200:]) == y[200:]).mean()
    assert test.accuracy(body) == expected > 0.5
    assert body.training
    assert not any(body.modes), "features are those of evaluation mode"
    assert test.accuracy(Body(np.zeros((4, 4)))) == pytest.approx(1 / 3, abs=0.1)
    assert test.accuracy(torch.nn.Identity()) is test.accuracy(None) is None


@pytest.mark.slow
def test_records_of_strategies_that_start_from_a_source_say_what_is_kept(tmp_path):
    """A linear probe changes nothing in the features, fine-tuning does; ERM has no source."""
    results = fsbench.run(
        "transfer(source_steps=40), transfer(source_steps=40, mode=linear_probe), protonet(meta_steps=10)",
        tasks=[A, "shift(mnist5k(size=8), digits, k=1)"],
        seeds=1,
        recipe="steps=40",
        results=tmp_path,
        jobs=1,
        baseline="erm",
    )
    assert not results.failures
    for record in results.records:
        before, after = record.source_before, record.source_after
        if "source" not in record.uses:
            assert before is after is None
        elif record.spec == "transfer(source_steps=40)":
            assert before != after
            assert 0.3 < before < 1
        else:
            assert before == after > 0.3
    board = results.leaderboard()
    assert board[board.strategy == "erm"].source_before.isna().all()


def test_tables_show_what_is_kept_and_the_gain_by_source():
    more = {"uses": ("source",), "source_before": 0.95, "source_after": 0.8125}
    records = over_seeds(A, "erm", [0.7, 0.72]) + over_seeds(B, "erm", [0.7, 0.72])
    records += over_seeds(A, "transfer", [0.8, 0.82], **more) + over_seeds(B, "transfer", [0.6, 0.66], **more)
    board = leaderboard(records)
    for style in ("terminal", "markdown"):
        shown = " ".join(render(board, style, 160).split())
        assert "95.0 > 81.2" in shown
        gains = "mnist5k(size=8) +10.0 points (1 task); glyphs(size=8) -8.0 (1 task)."
        assert f"By source, transfer: {gains}" in shown
    assert "source" not in render(leaderboard(over_seeds(A, "erm", [0.7])), "terminal").replace(A, "")


@pytest.mark.parametrize(
    ("task", "source"),
    [
        (A, "mnist5k(size=8)"),
        ("shift(mnist, usps(size=28), k=1)", "mnist"),
        ("episodes(omniglot, way=5)", "omniglot"),
    ],
)
def test_sources_are_read_from_tasks(task, source):
    assert source_of(task) == source
