"""Prototypical networks: logits against an independent computation, what is trained, what is lowered."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins import _episodic_training, _prototypes
from fsbench_plugins._episodes import Episodes
from fsbench_plugins.protonet import Protonet
from sklearn.neighbors import NearestCentroid
from torch import nn
from toy import quick_context, source_trial, toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, NonFinite, Recipe, Strategy, TaskInfo
from fsbench.composition import Composition
from fsbench.rng import Stream
from fsbench.testing import toy_split

INFO = TaskInfo("toy", "kshot", "table", (3,), 2, source_shape=(3,), source_classes=2, labels_per_class=4)
QUICK = Protonet(meta_steps=2)


make_context = functools.partial(quick_context, info=INFO)


def labelled(counts: list[int], features: int = 3, seed: int = 0, spread: float = 1.0) -> LabeledSet:
    rng = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(99).normal(size=(len(counts), features))
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    x = torch.tensor(centres[y] + spread * rng.normal(size=(len(y), features)), dtype=torch.float32)
    return LabeledSet(x, torch.eye(len(counts))[y])


def by_hand(features: np.ndarray, y: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Snell et al. 2017, equations 1 and 2, sample by sample."""
    logits = np.zeros((len(queries), y.max() + 1))
    for k in range(y.max() + 1):
        prototype = sum(features[i] for i in range(len(y)) if y[i] == k) / (y == k).sum()
        for i, query in enumerate(queries):
            logits[i, k] = -sum((q - c) ** 2 for q, c in zip(query, prototype, strict=True))
    return logits


def test_class_means_and_distances_follow_the_paper() -> None:
    train, query = labelled([4, 2, 7]), labelled([3, 3, 3], seed=1).x
    means = _prototypes.class_means(train.x.double(), train.targets.double())
    found = _prototypes.negative_squared_distances(query.double(), means)
    expected = by_hand(train.x.double().numpy(), train.y.numpy(), query.double().numpy())
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
    nearest = NearestCentroid().fit(train.x.numpy(), train.y.numpy()).predict(query.numpy())
    np.testing.assert_array_equal(found.argmax(1).numpy(), nearest)


def test_a_soft_target_is_weighted_by_its_share() -> None:
    features = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])
    targets = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    means = _prototypes.class_means(features, targets)
    torch.testing.assert_close(means, torch.tensor([[4 / 3, 0.0], [4 / 3, 16 / 3]]))


def predictor(strategy: Protonet, train: LabeledSet) -> tuple[Any, nn.Module]:
    info = replace(INFO, num_classes=train.num_classes)
    ctx = make_context(strategy, info=info)
    ctx._state.model = ctx.new_model()
    fitted = strategy.fit(train, lambda _: pytest.fail("the engine trained"), ctx)
    return fitted.predict, ctx._state.model


def test_the_prediction_is_from_the_features_of_the_training_samples() -> None:
    train, query = labelled([4, 2, 7]), labelled([3, 3, 3], seed=1).x
    predict, model = predictor(QUICK, train)
    with torch.no_grad():
        features = model.forward_features(train.x).double().numpy()  # type: ignore[operator]
        asked = model.forward_features(query).double().numpy()  # type: ignore[operator]
    np.testing.assert_allclose(
        predict(query).numpy(), by_hand(features, train.y.numpy(), asked), rtol=1e-3, atol=1e-4
    )


def test_sampling_weights_weigh_the_means_and_an_absent_class_is_never_predicted() -> None:
    train = LabeledSet(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [9, 9, 9]]),
        torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]),
        weights=torch.tensor([1.0, 0.0, 5.0]),
    )
    predict, _ = predictor(QUICK, train)
    logits = predict(train.x)
    torch.testing.assert_close(logits[0, 0], torch.tensor(0.0), atol=1e-5, rtol=0)
    assert logits[1, 0] < 0
    torch.testing.assert_close(logits[:, 2], logits[:, :2].amin(1) + math.log(1e-7))


def test_an_episode_is_one_batch_and_its_loss_that_of_the_queries() -> None:
    ctx = make_context(QUICK)
    episodes = Episodes(labelled([6, 6, 6, 6]), 3, 2, 3, Stream("episodes"))
    support, query = (part[0] for part in episodes.draw(1))
    seen: list[torch.Size] = []
    model = ctx.new_model()
    model.body.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    learner = _episodic_training.Comparing(model, _prototypes.by_means)
    learner.support = Batch(support, episodes.support_targets)
    loss = ctx.objective(learner)(Batch(query, episodes.query_targets))
    assert seen == [torch.Size([15, 3])]
    with torch.no_grad():
        features = model.forward_features(support).double().numpy()
        asked = model.forward_features(query).double().numpy()
    logits = torch.from_numpy(by_hand(features, np.repeat([0, 1, 2], 2), asked))
    expected = nn.functional.cross_entropy(logits, torch.tensor([0] * 3 + [1] * 3 + [2] * 3))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-5)
    loss.backward()
    body = [p.grad for p in model.body.parameters()]
    assert all(g is not None and float(g.abs().sum()) > 0 for g in body)
    assert all(p.grad is None for p in model.head.parameters())


def test_the_gradient_flows_through_the_prototypes_too() -> None:
    ctx = make_context(QUICK)
    learner = _episodic_training.Comparing(ctx.new_model(), _prototypes.by_means)
    support = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    learner.support = Batch(support, torch.eye(2).repeat_interleave(2, 0))
    ctx.objective(learner)(Batch(torch.randn(2, 3), torch.eye(2))).backward()
    assert support.grad is not None
    assert float(support.grad.abs().sum()) > 0


def accuracy(model: nn.Module, data: LabeledSet) -> float:
    """Of 2-way 1-shot episodes."""
    episodes, right = Episodes(data, 5, 1, 5, Stream("test")), []
    for support, query in zip(*episodes.draw(40), strict=True):
        means = _prototypes.class_means(_prototypes.embed(model, support), episodes.support_targets)
        logits = _prototypes.negative_squared_distances(_prototypes.embed(model, query), means)
        right.append(float((logits.argmax(1) == episodes.query_targets.argmax(1)).float().mean()))
    return float(np.mean(right))


def noisy(seed: int) -> LabeledSet:
    """Twenty classes that differ in 3 of 10 inputs; the other 7 are loud noise."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(20, 10)) * ([1] * 3 + [0] * 7)
    y = np.repeat(np.arange(20), 20)
    x = centres[y] + rng.normal(size=(len(y), 10)) * ([0.1] * 3 + [1.5] * 7)
    return LabeledSet(torch.tensor(x, dtype=torch.float32), torch.eye(20)[y])


def test_meta_training_learns_what_distinguishes_classes() -> None:
    ctx = make_context(QUICK, info=replace(INFO, input_shape=(10,)))
    model = ctx.new_model()
    before, head = accuracy(model, noisy(1)), copy.deepcopy(model.head.state_dict())
    episodes = Episodes(noisy(0), 10, 1, 5, Stream("train"))
    _episodic_training.train_on_episodes(
        model, _prototypes.by_means, episodes, ctx, lr=1e-3, halve_every=100, steps=200
    )
    after = accuracy(model, noisy(1))
    assert after > before + 0.2, (before, after)
    assert all(torch.equal(value, head[name]) for name, value in model.head.state_dict().items())


@pytest.mark.parametrize(
    ("halve_every", "wanted"),
    [
        (2, [0.01, 0.01, 0.005, 0.005, 0.0025]),
        (None, [0.005 * (1 + math.cos(math.pi * k / 5)) for k in range(5)]),
    ],
)
def test_the_learning_rate_is_halved_at_fixed_intervals_or_falls_along_a_cosine(
    monkeypatch: pytest.MonkeyPatch, halve_every: int | None, wanted: list[float]
) -> None:
    rates: list[float] = []

    class Watched(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    ctx = make_context(QUICK)
    episodes = Episodes(labelled([6, 6, 6]), 2, 1, 1, Stream("episodes"))
    _episodic_training.train_on_episodes(
        ctx.new_model(), _prototypes.by_means, episodes, ctx, lr=0.01, halve_every=halve_every, steps=5
    )
    assert rates == pytest.approx(wanted)


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    ctx, data = make_context(QUICK), labelled([6, 6, 6])
    broken = replace(data, x=data.x * float("nan"))
    episodes = Episodes(broken, 2, 1, 1, Stream("episodes"))
    with pytest.raises(NonFinite, match="the loss became nan at step 0 of 2; no update came before"):
        _episodic_training.train_on_episodes(
            ctx.new_model(), _prototypes.by_means, episodes, ctx, lr=0.01, halve_every=2, steps=2
        )


def test_a_source_of_few_classes_lowers_the_way_with_a_note() -> None:
    result, _ = source_trial(Protonet(meta_steps=3, source_passes=0), per_class=4)
    assert result.notes == (
        "protonet: 3 episodes, 6-way 4-shot with 5 queries; "
        "train_way=20 was asked for, the source has 6 classes",
    )
    result, _ = source_trial(Protonet(meta_steps=3, train_way=5, shot=1, source_passes=0), per_class=4)
    assert result.notes == ("protonet: 3 episodes, 5-way 1-shot with 5 queries",)


def test_it_skips_tasks_that_it_cannot_do() -> None:
    assert Protonet().skip(replace(INFO, source_shape=None)) == "needs source data"
    assert Protonet().skip(replace(INFO, source_shape=(4,))) == "source has 4 features, the task 3"
    assert "no labelled target" in str(Protonet().skip(replace(INFO, labels_on_target=False)))
    assert Protonet().skip(INFO) is None


@pytest.mark.parametrize("kind", ["image", "table"])
def test_it_learns_in_a_trial_and_trains_nothing_on_the_task(kind: str) -> None:
    recipe = Recipe("conv4(width=16)" if kind == "image" else "mlp", 10**9, 16)
    result, split = source_trial(Protonet(meta_steps=40), recipe, per_class=3, kind=kind)
    assert (result.predictions.argmax(-1) == split.test_y).mean() > 0.9


def test_predictions_do_not_depend_on_other_test_samples() -> None:
    kept: list[Any] = []

    @dataclass(frozen=True)
    class Keep(Strategy):
        name = "keep"

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
            kept.append(fitted.predict)
            return fitted.map(lambda logits: logits + 0)

    split = toy_split(kind="image", source=True)
    recipe = Recipe("conv4(norm=batch, width=8)", 5, 16)
    toy_trial(Composition((QUICK, Keep())), split, recipe)
    x = torch.from_numpy(np.array(split.test_x[0])).float() / 255
    torch.testing.assert_close(kept[0](x)[:5], kept[0](x[:5]), rtol=1e-4, atol=1e-4)


def test_losses_and_augmentations_act_in_the_episodes() -> None:
    plain, _ = source_trial("protonet(meta_steps=5)", kind="image")
    for other in ("focal", "augmentation"):
        result, _ = source_trial(f"protonet(meta_steps=5)+{other}", kind="image")
        assert not np.array_equal(result.predictions, plain.predictions)


def test_a_frozen_body_keeps_its_weights_and_gives_nearest_class_means() -> None:
    result, split = source_trial("transfer(mode=linear_probe, source_steps=60)+protonet", per_class=3)
    assert any("frozen" in note for note in result.notes)
    assert (result.predictions.argmax(-1) == split.test_y).mean() > 0.8
