"""Metric learning and meta-learning: rules against scikit-learn, Reptile against a loop by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fsbench_plugins import _meta_training, _prototypes
from fsbench_plugins._comparisons import Attention, Ridge
from fsbench_plugins._episodes import Episodes
from fsbench_plugins._prototypes import embed
from fsbench_plugins._transformed import Transformed
from fsbench_plugins.reptile import Reptile
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize
from torch import nn
from toy import source_trial

from fsbench import InertComponent, LabeledSet, Recipe, TaskInfo
from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.registry import load_registry
from fsbench.rng import Stream

CPU = torch.device("cpu")
INFO = TaskInfo("toy", "kshot", "table", (3,), 2, source_shape=(3,), source_classes=2, labels_per_class=4)
NEW = ["matching", "r2d2", "simpleshot", "baseline_pp", "reptile"]


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 50), st.sampled_from([3, 12]), st.floats(0.01, 10))
def test_ridge_is_scikit_learns(seed: int, samples: int, l2: float) -> None:
    support, queries = drawn(seed, samples, 6), drawn(seed + 1, 4, 6)
    targets = torch.eye(3, dtype=torch.float64)[torch.arange(samples) % 3]
    penalty = l2 * float(support.square().sum(1).mean())
    model = linear_model.Ridge(alpha=penalty, fit_intercept=False).fit(support.numpy(), targets.numpy())
    found = Ridge(l2, 2.0)(queries, support, targets).numpy()
    np.testing.assert_allclose(found, 2 * model.predict(queries.numpy()), atol=1e-8)


@given(st.integers(0, 50), st.sampled_from([3, 12]))
def test_sums_of_targets_are_the_weights_of_samples(seed: int, samples: int) -> None:
    support, queries = drawn(seed, samples, 6), drawn(seed + 1, 4, 6)
    targets = torch.eye(3, dtype=torch.float64)[torch.arange(samples) % 3]
    weights = drawn(seed + 2, samples).exp()
    weights[0] = 0
    model = linear_model.Ridge(alpha=float(0.3 * support.square().sum(1).mean()), fit_intercept=False)
    model.fit(support.numpy(), targets.numpy(), sample_weight=weights.numpy())
    found = Ridge(0.3, 2.0)(queries, support, weights[:, None] * targets).numpy()
    np.testing.assert_allclose(found, 2 * model.predict(queries.numpy()), atol=1e-7)


def test_attention_is_the_softmax_of_cosines() -> None:
    support, queries = drawn(0, 5, 4), drawn(1, 3, 4)
    targets = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1, 1]]
    weights = np.exp(7 * cosine_similarity(queries.numpy(), support.numpy()))
    shares = weights @ targets.numpy() / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(Attention(7.0)(queries, support, targets).exp().numpy(), shares, rtol=1e-9)


def test_features_are_centred_and_scaled() -> None:
    class Raw(nn.Module):
        def forward_features(self, x: torch.Tensor) -> torch.Tensor:
            return x

    x, centre = drawn(0, 6, 4), drawn(1, 4)
    expected = 3 * normalize((x - centre).numpy())
    np.testing.assert_allclose(Transformed(Raw(), centre, 3.0).forward_features(x).numpy(), expected)
    assert torch.equal(Transformed(Raw(), None, None).forward_features(x), x)


def labelled(classes: int, each: int) -> LabeledSet:
    rng = np.random.default_rng(0)
    centres, y = rng.normal(size=(classes, 3)), np.repeat(np.arange(classes), each)
    x = torch.tensor(centres[y] + 0.3 * rng.normal(size=(len(y), 3)), dtype=torch.float32)
    return LabeledSet(x, torch.eye(classes)[y])


def test_reptile_moves_as_a_loop_by_hand() -> None:
    state = TrialState(("toy", 0, 0), INFO, Composition((Reptile(),)), Recipe("mlp", 5, 8), CPU)
    ctx = EngineContext(state)
    model, by_hand = ctx.new_model(), ctx.new_model()
    inner = _meta_training.Inner(0.2, 3, first_order=True)
    draw = lambda: Episodes(labelled(4, 7), 2, 6, 1, Stream("episodes"))  # noqa: E731
    _meta_training.move_to_solutions(model, draw(), 2, inner, ctx, rate=0.5, steps=4, episodes_a_step=2)
    episodes = draw()
    for step in range(4):
        results = []
        for support in episodes.draw(2)[0]:
            learner = ctx.new_model()
            learner.load_state_dict(by_hand.state_dict())
            optimizer = torch.optim.SGD(learner.parameters(), lr=0.2)
            for first in (0, 2, 4):
                rows = [first, first + 1, 6 + first, 6 + first + 1]
                optimizer.zero_grad()
                nn.functional.cross_entropy(learner(support[rows]), torch.tensor([0, 0, 1, 1])).backward()
                optimizer.step()
            results.append(learner)
        with torch.no_grad():
            for p, *found in zip(by_hand.parameters(), *(r.parameters() for r in results), strict=True):
                p.add_(0.5 * (1 - step / 4) * (torch.stack(list(found)).mean(0) - p))
    for p, expected in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(p, expected, rtol=1e-4, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(2, 9))
def test_inner_steps_are_on_other_labels_as_long_as_there_are_any(
    way: int, shot: int, steps: int, each: int
) -> None:
    episodes = Episodes(labelled(way, each), way, shot * steps, 1, Stream("episodes"))
    parts = _meta_training.minibatches(episodes, shot, steps)
    assert parts.shape == (steps, way * shot)
    for rows in parts:
        assert episodes.support_targets[rows].sum(0).tolist() == [shot] * way
    counts = parts.flatten().bincount(minlength=way * episodes.shot)
    assert counts.max() - counts.min() <= 1


def test_reptile_that_does_not_move_differs_from_one_that_does() -> None:
    (still, _), (moved, _) = (source_trial(Reptile(meta_lr=rate, meta_steps=2)) for rate in (0.0, 0.5))
    assert not np.array_equal(still.predictions, moved.predictions)


@pytest.mark.parametrize("name", NEW)
def test_without_labels_on_the_target_it_says_so(name: str) -> None:
    strategy = load_registry().strategies[name]()
    assert "no labelled target samples" in (strategy.skip(replace(INFO, labels_on_target=False)) or "")
    assert strategy.skip(replace(INFO, source_shape=None)) == "needs source data"


def test_a_cosine_head_is_fitted_until_it_converges_whatever_the_recipe() -> None:
    short, long = (
        source_trial("baseline_pp(source_passes=0, source_steps=3)", Recipe("mlp", steps, 16))[0]
        for steps in (1, 50)
    )
    assert short.train_accuracy == 1.0
    assert np.array_equal(short.predictions, long.predictions)


def test_the_mean_of_the_source_is_computed_once_for_all_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return embed(model, x)

    monkeypatch.setattr(_prototypes, "embed", counted)
    _, split = source_trial("simpleshot(source_passes=0, source_steps=3)", cells=3)
    assert split.source_y is not None
    assert [size for size in sizes if size > split.train_x.shape[1]] == [max(sizes)]
    assert sizes.count(split.train_x.shape[1]) == 3


@pytest.mark.parametrize("spec", ["simpleshot(source_steps=3)", "matching(meta_steps=2)", "svm"])
def test_a_peer_needs_a_network_that_is_trained_on_the_samples(spec: str) -> None:
    with pytest.raises(InertComponent, match="coteaching had no effect; no network is trained"):
        source_trial(f"coteaching+{spec}")


@pytest.mark.parametrize(
    ("name", "samples"), [("protonet", 48), ("matching", 48), ("r2d2", 48), ("maml", 15), ("reptile", 30)]
)
def test_a_large_source_is_seen_as_often_as_asked_for(name: str, samples: int) -> None:
    """`samples` are those of one step. Of the 120 of the source, the engine holds out a tenth."""
    one = "meta_batch=1, " if name in ("maml", "reptile") else ""

    def steps(least: int, passes: int) -> int:
        spec = f"{name}({one}meta_steps={least}, source_passes={passes})"
        result, _ = source_trial(spec, per_class=3)
        return int(result.notes[0].split(": ")[1].split()[0])

    assert steps(2, passes=0) == 2
    assert steps(2, passes=3) == math.ceil(3 * 108 / samples)
    assert steps(50, passes=3) == 50
