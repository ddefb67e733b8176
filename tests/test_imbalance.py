"""Strategies for imbalanced classes: identities, independent implementations, recall of rare classes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fsbench_plugins import _class_balance
from fsbench_plugins._cosine_head import CosineHead
from fsbench_plugins.balanced_forest import BalancedForest
from fsbench_plugins.balanced_softmax import BalancedSoftmax
from fsbench_plugins.class_weights import ClassWeights
from fsbench_plugins.crt import Crt
from fsbench_plugins.easy_ensemble import EasyEnsemble
from fsbench_plugins.ldam_drw import LdamDrw
from fsbench_plugins.logit_adjustment import LogitAdjustment
from fsbench_plugins.rusboost import Rusboost
from fsbench_plugins.tau_norm import TauNorm
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn import ensemble
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_class_weight
from toy import context, task_info, toy_trial

from fsbench import Fitted, InertComponent, LabeledSet, Strategy
from fsbench.composition import Composition
from fsbench.registry import get_registry
from fsbench.testing import ToySplit, toy_split
from fsbench.types import Recipe
from fsbench.wrapping import cross_entropy

QUICK = Recipe("mlp", steps=30, batch_size=16)
COUNTS = (20, 5, 2)
Y = np.repeat(np.arange(3), COUNTS)
RARE = {"imbalance": 8.0, "per_class": 24}


def rows(counts: tuple[int, ...] = COUNTS, seed: int = 0) -> LabeledSet:
    """Samples of 4 features around a centre for each class."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(5).normal(size=(len(counts), 4))[y] + rng.normal(size=(len(y), 4))
    return LabeledSet(torch.tensor(x, dtype=torch.float32), torch.eye(len(counts))[y])


def loss_of(
    component: Strategy, logits: torch.Tensor, train: LabeledSet, progress: float = 0
) -> torch.Tensor:
    """The component's loss `[N]` on the targets of a training set, around cross-entropy."""
    ctx = context(component, "loss", task_info(num_classes=train.num_classes), train=train)
    ctx._state.progress = progress
    return component.loss(logits, train.targets, cross_entropy, ctx)


def logits_for(train: LabeledSet, seed: int = 1) -> torch.Tensor:
    return 3 * torch.randn(train.targets.shape, generator=torch.Generator().manual_seed(seed))


def predictions(spec: str, split: ToySplit, recipe: Recipe = QUICK) -> np.ndarray:
    return toy_trial(spec, split, recipe).predictions


def recalls(spec: str, split: ToySplit, recipe: Recipe = QUICK) -> list[float]:
    guessed = predictions(spec, split, recipe)[0].argmax(-1)
    return [float((guessed[split.test_y[0] == c] == c).mean()) for c in range(split.info.num_classes)]


# Identities


@pytest.mark.parametrize(
    "spec",
    [
        "class_weights",
        "class_weights(method=effective_number)",
        "balanced_softmax",
        "logit_adjustment",
        "logit_adjustment(mode=post_hoc)",
        "logit_adjustment(tau=0)",
        "tau_norm(tau=0)",
    ],
)
def test_equal_classes_or_neutral_settings_give_plain_training_to_the_bit(spec: str) -> None:
    split = toy_split(per_class=7)
    assert np.array_equal(predictions(spec, split), predictions("erm", split))


@pytest.mark.parametrize(
    "spec", ["logit_adjustment(tau=0)", "logit_adjustment(tau=0, mode=post_hoc)", "tau_norm(tau=0)"]
)
def test_neutral_settings_change_nothing_on_imbalanced_classes_either(spec: str) -> None:
    split = toy_split("image", **RARE)
    assert np.array_equal(predictions(spec, split), predictions("erm", split))


def test_balanced_softmax_is_logit_adjustment_with_tau_1() -> None:
    split = toy_split(**RARE)
    assert np.array_equal(predictions("balanced_softmax", split), predictions("logit_adjustment", split))
    assert not np.array_equal(predictions("balanced_softmax", split), predictions("erm", split))


@settings(max_examples=50)
@given(st.integers(1, 1000), st.integers(2, 100), st.floats(0, 0.99999))
def test_equal_counts_give_weights_of_exactly_1(count: int, classes: int, beta: float) -> None:
    counts = torch.full((classes,), float(count))
    assert torch.equal(_class_balance.inverse(counts), torch.ones(classes))
    assert torch.equal(_class_balance.effective_number(counts, beta), torch.ones(classes))
    assert torch.equal(_class_balance.log_priors(counts), torch.zeros(classes))


# Weights and priors


def test_inverse_weights_are_scikit_learns_and_weigh_the_loss_as_torchs_do() -> None:
    train, logits = rows(), logits_for(rows())
    weights = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    wanted = F.cross_entropy(logits, train.y, torch.tensor(weights).float(), reduction="none")
    torch.testing.assert_close(loss_of(ClassWeights(), logits, train), wanted)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 400), min_size=2, max_size=6), st.floats(0.01, 0.9999))
def test_effective_numbers_follow_the_formula(counts: list[int], beta: float) -> None:
    n = np.array(counts, dtype=float)
    wanted = (1 - beta) / (1 - beta**n)
    wanted *= n.sum() / (wanted * n).sum()
    found = _class_balance.effective_number(torch.tensor(n).float(), beta)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-4)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 400), min_size=2, max_size=6).filter(any), st.floats(0, 0.9999))
def test_the_mean_weight_is_1_and_a_smaller_class_never_has_the_smaller_weight(
    counts: list[int], beta: float
) -> None:
    n = torch.tensor(counts).float()
    for weights in (_class_balance.inverse(n), _class_balance.effective_number(n, beta)):
        assert float((weights * n).sum() / n.sum()) == pytest.approx(1, rel=1e-5)
        assert bool((weights[n.argsort()].diff() <= 1e-6 * weights.max()).all())
        assert bool(weights.isfinite().all())


def test_beta_0_weighs_all_classes_alike_and_beta_near_1_as_the_inverse() -> None:
    counts = torch.tensor(COUNTS).float()
    assert torch.equal(_class_balance.effective_number(counts, 0.0), torch.ones(3))
    torch.testing.assert_close(
        _class_balance.effective_number(counts, 0.99999), _class_balance.inverse(counts), rtol=1e-3, atol=0
    )


def test_a_soft_target_has_the_mean_weight_of_its_classes() -> None:
    train = rows()
    half = torch.tensor([[0.5, 0.0, 0.5]]).expand(27, 3)
    found = loss_of(ClassWeights(), torch.zeros(27, 3), LabeledSet(train.x, half))
    assert found.shape == (27,)
    ctx = context(ClassWeights(), "loss", task_info(), train=train)
    weights = _class_balance.inverse(torch.tensor(COUNTS).float())
    losses = ClassWeights().loss(torch.zeros(27, 3), half, cross_entropy, ctx)
    torch.testing.assert_close(losses, torch.full((27,), math.log(3)) * (weights[0] + weights[2]) / 2)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_the_adjusted_loss_is_cross_entropy_of_logits_plus_log_priors(tau: float) -> None:
    train, logits = rows(), logits_for(rows())
    priors = torch.tensor(COUNTS).float() / sum(COUNTS)
    wanted = F.cross_entropy(logits + tau * priors.log(), train.y, reduction="none")
    torch.testing.assert_close(loss_of(LogitAdjustment(tau=tau), logits, train), wanted)
    if tau == 1:
        counted = logits.exp() * torch.tensor(COUNTS)
        direct = -(counted / counted.sum(1, keepdim=True)).log()[torch.arange(27), train.y]
        torch.testing.assert_close(loss_of(BalancedSoftmax(), logits, train), direct)


def test_after_the_fact_probabilities_are_divided_by_the_priors() -> None:
    train, logits = rows(), logits_for(rows())
    component = LogitAdjustment(mode="post_hoc")
    ctx = context(component, "postprocess", task_info(), train=train)
    found = component.postprocess(Fitted(lambda x: x), train, ctx).predict(logits).softmax(1)
    divided = logits.softmax(1) / (torch.tensor(COUNTS) / sum(COUNTS))
    torch.testing.assert_close(found, divided / divided.sum(1, keepdim=True))


def test_a_class_without_labels_leaves_losses_and_predictions_finite() -> None:
    train, logits = rows((9, 3, 0)), logits_for(rows((9, 3, 0)))
    for component in (ClassWeights(), BalancedSoftmax(), LogitAdjustment(), LdamDrw()):
        assert bool(loss_of(component, logits, train, progress=0.9).isfinite().all())
    post = LogitAdjustment(mode="post_hoc")
    ctx = context(post, "postprocess", task_info(), train=train)
    found = post.postprocess(Fitted(lambda x: x), train, ctx).predict(logits)
    assert bool(found.isfinite().all())


def test_classifiers_without_a_network_can_be_adjusted_after_the_fact() -> None:
    split = toy_split(**RARE)
    plain = predictions("logistic_regression", split)
    found = predictions("logistic_regression+logit_adjustment(mode=post_hoc)", split)
    counts = np.bincount(split.train_y[0])
    np.testing.assert_allclose(
        plain - found, np.broadcast_to(np.log(counts / counts.max()), plain.shape), atol=1e-5
    )


# LDAM


def test_margins_are_those_of_the_paper() -> None:
    raw = 1 / np.sqrt(np.sqrt(np.array(COUNTS)))
    wanted = raw * (0.5 / raw.max())
    np.testing.assert_allclose(LdamDrw().margins(torch.tensor(COUNTS).float()).numpy(), wanted, rtol=1e-6)


def test_the_loss_equals_a_loop_over_the_samples_before_and_after_the_weights() -> None:
    train, cosines = rows(), torch.rand(27, 3) * 2 - 1
    weights = _class_balance.effective_number(torch.tensor(COUNTS).float(), 0.9999)
    margins = LdamDrw().margins(torch.tensor(COUNTS).float())
    for progress, weighted in ((0.79, False), (0.8, True)):
        found = loss_of(LdamDrw(), 30 * cosines, train, progress)
        for i, label in enumerate(Y):
            z = cosines[i].clone()
            z[label] -= margins[label]
            plain = -(30 * z).log_softmax(0)[label]
            torch.testing.assert_close(found[i], plain * (weights[label] if weighted else 1))


def test_defer_1_never_weighs_and_a_margin_of_0_is_cross_entropy() -> None:
    train, logits = rows(), logits_for(rows())
    found = loss_of(LdamDrw(margin=0.0, defer=1.0), logits, train, progress=1.0)
    assert torch.equal(found, cross_entropy(logits, train.targets))


def test_the_head_gives_scaled_cosines_whatever_the_norms() -> None:
    torch.manual_seed(0)
    head, x = CosineHead(5, 3, 30.0), torch.randn(7, 5)
    wanted = 30 * F.cosine_similarity(x[:, None], head.weight[None], dim=-1)
    torch.testing.assert_close(head(x), wanted)
    torch.testing.assert_close(head(100 * x), wanted)


# Re-training and normalising the classifier


def test_crt_keeps_the_body_of_plain_training_and_changes_the_head() -> None:
    """With a linear probe as the second training, features equal those of ERM."""
    seen: list[Any] = []

    class Looks(Crt):
        def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
            def spied(data: LabeledSet, **changes: Any) -> Fitted:
                seen.append((data, changes, inner(data, **changes)))
                return seen[-1][2]

            return super().fit(train, spied, ctx)

    split = toy_split(**RARE)
    toy_trial(Looks(head_share=0.5), split, QUICK)
    (_, _, first), (data, changes, second) = seen
    share = torch.stack([data.weights[data.y == c].sum() for c in range(3)])
    torch.testing.assert_close(share, torch.ones(3))
    assert changes["recipe"].steps == 15
    for name, value in first.network.body.state_dict().items():
        assert torch.equal(value, second.network.body.state_dict()[name])
    assert not torch.equal(first.network.head.weight, second.network.head.weight)


def test_after_crt_the_whole_network_is_trained_again_in_later_fits() -> None:
    """Each round of self-training trains the body, then the head alone."""
    trained: list[bool] = []

    class Sees(Strategy):
        name = "sees"

        def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
            body = ctx.model.get_submodule("body")
            trained.append(all(p.requires_grad for p in body.parameters()))
            found: Fitted = inner(train)
            return found.map(lambda logits: logits + 0)

    (strategy,) = get_registry().parse("crt+self_training(rounds=2)")
    toy_trial(Composition((Sees(), *strategy.components)), toy_split(**RARE, unlabeled=20), QUICK)
    assert trained == [True, False] * 3


def test_draws_are_balanced_in_each_part_of_a_training() -> None:
    weights = torch.tensor([[1.0, 0, 0, 1, 0], [1, 2, 3, 1, 1]])
    train = LabeledSet(torch.zeros(5, 1), torch.eye(2)[[0, 0, 0, 1, 1]], weights)
    found = _class_balance.balanced_draws(train)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0, 0, 1, 0], [1 / 6, 2 / 6, 3 / 6, 0.5, 0.5]]))
    for part, own in zip(found, weights, strict=True):
        assert torch.equal(part, _class_balance.balanced_draws(replace(train, weights=own)))


@pytest.mark.parametrize("spec", ["crt+curriculum", "curriculum+crt"])
def test_crt_and_a_curriculum_work_together(spec: str) -> None:
    assert np.isfinite(predictions(spec, toy_split(**RARE))).all()


def test_tau_norm_divides_logits_by_the_norms_of_the_class_weights() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential()
    network.head = torch.nn.Linear(4, 3)
    found = TauNorm(tau=1.0).postprocess(
        Fitted(network.head, network), rows(), context(TauNorm(), "postprocess", task_info())
    )
    x, norms = torch.randn(6, 4), network.head.weight.norm(dim=1)
    unit = torch.nn.functional.linear(x, network.head.weight / norms[:, None], network.head.bias / norms)
    torch.testing.assert_close(found.predict(x), unit * norms.mean())


def test_a_head_that_compares_directions_is_renewed_as_such_and_has_no_norms() -> None:
    seen: list[torch.nn.Module] = []

    class Looks(Crt):
        def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
            def spied(data: LabeledSet, **changes: Any) -> Fitted:
                fitted = inner(data, **changes)
                assert fitted.network is not None
                seen.append(fitted.network.get_submodule("head"))
                return fitted

            return super().fit(train, spied, ctx)

    toy_trial(Composition((LdamDrw(scale=20.0), Looks())), toy_split(**RARE), QUICK)
    first, second = seen
    assert isinstance(first, CosineHead)
    assert isinstance(second, CosineHead)
    assert (second.scale, second.weight.shape) == (20.0, first.weight.shape)
    assert not torch.equal(first.weight, second.weight)
    with pytest.raises(InertComponent, match="tau_norm had no effect; the last layer compares directions"):
        predictions("ldam_drw+tau_norm", toy_split(**RARE))


@pytest.mark.parametrize("spec", ["svm+crt", "svm+tau_norm"])
def test_without_a_network_they_are_inert(spec: str) -> None:
    with pytest.raises(InertComponent, match=r"(crt|tau_norm) had no effect"):
        predictions(spec, toy_split())


# Tables, by imbalanced-learn

DIRECTLY = {
    BalancedForest(20, min_samples_leaf=2): lambda seed: ensemble.BalancedRandomForestClassifier(
        20, min_samples_leaf=2, sampling_strategy="all", replacement=True, bootstrap=False, random_state=seed
    ),
    EasyEnsemble(3, rounds=5): lambda seed: ensemble.EasyEnsembleClassifier(
        3, AdaBoostClassifier(n_estimators=5), random_state=seed
    ),
    Rusboost(rounds=8, max_depth=2): lambda seed: ensemble.RUSBoostClassifier(
        DecisionTreeClassifier(max_depth=2), n_estimators=8, random_state=seed
    ),
}


@pytest.mark.parametrize("subject", DIRECTLY, ids=str)
@pytest.mark.parametrize("counts", [(40, 6), (12, 5, 9)])
def test_predictions_equal_imbalanced_learns(subject: Strategy, counts: tuple[int, ...]) -> None:
    train, test = rows(counts), rows(counts, seed=1).x
    ctx = context(subject, "fit", task_info(num_classes=len(counts)), train=train)
    found = subject.fit(train, lambda _: pytest.fail("the engine trained"), ctx).predict(test)
    direct = DIRECTLY[subject](ctx.rng.seed()).fit(train.x.double().numpy(), train.y.numpy())
    np.testing.assert_allclose(
        found.exp().numpy(), direct.predict_proba(test.double().numpy()), atol=1e-5, rtol=1e-5
    )


def test_rusboost_draws_again_if_its_first_tree_is_worse_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    class Unlucky(ensemble.RUSBoostClassifier):
        def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
            seeds.append(self.random_state)
            if len(seeds) < 3:
                raise ValueError("BaseClassifier in AdaBoostClassifier ensemble is worse than random")
            return super().fit(x, y, sample_weight)

    monkeypatch.setattr(ensemble, "RUSBoostClassifier", Unlucky)
    train = rows((40, 6))
    ctx = context(Rusboost(), "fit", task_info(num_classes=2), train=train)
    Rusboost().fit(train, lambda _: pytest.fail("the engine trained"), ctx)
    assert len(set(seeds)) == 3
    assert ctx._state.notes == ["rusboost: the first tree was worse than chance, so other samples were drawn"]


@pytest.mark.parametrize("name", ["balanced_forest", "easy_ensemble", "rusboost"])
def test_they_are_for_tables_and_no_baselines(name: str) -> None:
    cls = get_registry().strategies[name]
    assert not cls.baseline
    assert cls().kinds == {"table"}
    assert cls.family == "imbalance"


# What they are for


@pytest.mark.parametrize(
    "spec",
    ["class_weights", "balanced_softmax", "logit_adjustment(mode=post_hoc)", "ldam_drw", "crt"],
)
def test_the_rarest_class_is_found_more_often(spec: str) -> None:
    split = toy_split(classes=2, per_class=100, imbalance=50.0, test_per_class=150, shift=False, seed=3)
    noisy = np.random.default_rng(0).normal(scale=3, size=split.train_x.shape).astype(np.float32)
    harder = np.random.default_rng(1).normal(scale=3, size=split.test_x.shape).astype(np.float32)
    split = ToySplit(**vars(split) | {"train_x": split.train_x + noisy, "test_x": split.test_x + harder})
    recipe = Recipe("mlp(width=16)", steps=60, batch_size=32, weight_decay=0.1)
    assert recalls(spec, split, recipe)[1] > recalls("erm", split, recipe)[1]


@pytest.mark.parametrize("name", ["class_weights", "balanced_softmax", "logit_adjustment", "resampling"])
def test_tasks_with_balanced_classes_are_skipped(name: str) -> None:
    (found,) = get_registry().parse(name)
    assert "balanced" in str(found.skip(task_info(balanced=True)))
    assert found.skip(task_info(balanced=False)) is None
