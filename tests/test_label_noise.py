"""Strategies for wrong labels: identities, formulas, loops by hand, and that wrong labels pull less."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fsbench_plugins._peers import Peers
from fsbench_plugins._per_sample import Averages, LatestLosses
from fsbench_plugins.coteaching import Coteaching
from fsbench_plugins.gce import Gce
from fsbench_plugins.label_smoothing import LabelSmoothing
from fsbench_plugins.small_loss import SmallLoss
from fsbench_plugins.symmetric_ce import SymmetricCe
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy import context, task_info, toy_trial

from fsbench import Batch, Context, Strategy
from fsbench.composition import Composition
from fsbench.engine.trial import TrialResult
from fsbench.registry import get_registry
from fsbench.testing import ToySplit, toy_split
from fsbench.types import Recipe
from fsbench.wrapping import cross_entropy

QUICK = Recipe("mlp", steps=12, batch_size=16)


def batch(samples: int = 12, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    targets = torch.eye(classes, dtype=torch.float64)[torch.randint(classes, (samples,), generator=generator)]
    return logits.requires_grad_(), targets


def loss_of(
    component: Strategy, logits: torch.Tensor, targets: torch.Tensor, progress: float = 0.0
) -> torch.Tensor:
    ctx = context(component, "loss", task_info(num_classes=logits.shape[1]))
    ctx._state.progress, ctx._state.class_counts = progress, torch.full(logits.shape[1:], 5.0)
    return component.loss(logits, targets, cross_entropy, ctx)


def trial(spec: str | Composition, split: ToySplit, recipe: Recipe = QUICK) -> TrialResult:
    return toy_trial(spec, split, recipe)


NEUTRAL = {
    "label_smoothing(amount=0)",
    "gce(q=0)",
    "symmetric_ce(alpha=1, beta=0)",
    "small_loss(rate=0)",
}


@pytest.mark.parametrize("spec", sorted(NEUTRAL))
@pytest.mark.parametrize("kind", ["table", "image"])
def test_neutral_settings_give_plain_training_to_the_bit(spec: str, kind: str) -> None:
    split = toy_split(kind)
    plain = trial("erm", split).predictions
    assert np.array_equal(trial(spec, split).predictions, plain)
    assert not np.array_equal(trial(spec.partition("(")[0], split).predictions, plain)


def test_a_weight_of_zero_of_early_learning_gives_plain_training_to_the_bit() -> None:
    """It has no effect then, so it is tested beside a component that has one."""
    split = toy_split()
    found = trial("label_smoothing(amount=0)+elr(weight=1e-30)", split).predictions
    assert np.array_equal(found, trial("erm", split).predictions)


# Losses


@pytest.mark.parametrize("amount", [0.05, 0.3])
def test_label_smoothing_is_torchs(amount: float) -> None:
    logits, targets = batch()
    wanted = F.cross_entropy(logits, targets.argmax(1), label_smoothing=amount, reduction="none")
    torch.testing.assert_close(loss_of(LabelSmoothing(amount=amount), logits, targets), wanted)


@settings(max_examples=40)
@given(st.floats(0.01, 1.0), st.integers(0, 99))
def test_gce_is_the_formula_of_the_paper_and_lies_below_cross_entropy(q: float, seed: int) -> None:
    logits, targets = batch(seed=seed)
    p = (logits.softmax(1) * targets).sum(1)
    found = loss_of(Gce(q=q), logits, targets)
    torch.testing.assert_close(found, (1 - p**q) / q)
    assert bool((found <= cross_entropy(logits, targets) + 1e-12).all())
    assert bool((found <= 1 / q).all())


def test_gce_tends_to_cross_entropy_in_value_and_gradient_and_is_the_mean_absolute_error_at_1() -> None:
    logits, targets = batch()
    near, plain = loss_of(Gce(q=1e-6), logits, targets), cross_entropy(logits, targets)
    torch.testing.assert_close(near, plain, rtol=1e-4, atol=1e-4)
    slopes = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (near, plain)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-4)
    absolute = (logits.softmax(1) - targets).abs().sum(1) / 2
    torch.testing.assert_close(loss_of(Gce(q=1.0), logits, targets), absolute)


def test_the_gradient_of_a_surely_wrong_label_vanishes_under_gce_and_stays_finite() -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    found = loss_of(Gce(), logits, targets)
    (slope,) = torch.autograd.grad(found.sum(), logits)
    assert bool(slope.isfinite().all())
    assert float(slope[0].abs().max()) < 1e-6


def test_symmetric_cross_entropy_is_a_sum_over_the_classes() -> None:
    logits, targets = batch()
    p = logits.softmax(1)
    logs = torch.where(targets > 0, 0.0, -4.0)
    wanted = 0.3 * cross_entropy(logits, targets) - 0.7 * (p * logs).sum(1)
    torch.testing.assert_close(loss_of(SymmetricCe(alpha=0.3, beta=0.7), logits, targets), wanted)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 4), st.floats(0.1, 1.0), st.integers(0, 99))
def test_of_each_class_the_smallest_losses_known_so_far_count(
    samples: int, classes: int, fraction: float, seed: int
) -> None:
    """Followed by a loop over three batches of a training set."""
    rng = np.random.default_rng(seed)
    y, known, ours = rng.integers(classes, size=samples), {}, LatestLosses()
    for _ in range(3):
        rows = rng.permutation(samples)[: max(1, samples // 2)]
        losses = rng.random(len(rows))
        known |= dict(zip(rows.tolist(), losses, strict=True))
        targets = torch.eye(classes, dtype=torch.float64)[y[rows]]
        small = ours.small(torch.tensor(rows), torch.tensor(losses), targets, fraction)
        for row, loss, counts in zip(rows, losses, small.tolist(), strict=True):
            own = sorted(known[other] for other in known if y[other] == y[row])
            assert counts == (own.index(loss) < math.ceil(fraction * len(own) - 1e-4))


def test_small_loss_is_the_mean_over_the_samples_that_count_and_reaches_its_rate_in_the_warm_up() -> None:
    logits, targets = batch(20, classes=1)
    logits = torch.cat([logits, torch.zeros_like(logits)], 1)
    targets = torch.cat([targets, torch.zeros_like(targets)], 1)
    smallest = cross_entropy(logits, targets).sort().values
    for progress, number in ((0.0, 20), (0.25, 15), (0.5, 10), (1.0, 10)):
        component = SmallLoss(rate=0.5, warm_up=0.5)
        ctx = context(component, "loss", task_info(num_classes=2))
        ctx._state.progress, ctx._state.memories = progress, {}
        ctx._state.batch = Batch(logits, targets, rows=torch.arange(20))
        found = component.loss(logits, targets, cross_entropy, ctx)
        assert found.mean().item() == pytest.approx(smallest[:number].mean().item())


# Early learning


def test_averages_follow_each_row_by_itself() -> None:
    averages, wanted = Averages(0.7), np.zeros((9, 3))
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows, seen = rng.permutation(9)[:4], rng.random((4, 3))
        wanted[rows] = 0.7 * wanted[rows] + 0.3 * seen
        found = averages.update(torch.tensor(rows), torch.tensor(seen))
        np.testing.assert_allclose(found.numpy(), wanted[rows])


def test_early_learning_adds_the_term_of_the_paper_at_every_step() -> None:
    """The averages are followed by hand, from the logits and rows that the engine shows."""
    kept: dict[int, np.ndarray] = {}
    wanted, found = [], []

    class Watched(get_registry().strategies["elr"]):  # type: ignore[misc]
        def auxiliary_loss(self, out: Any, ctx: Context) -> Any:
            p = out.logits.detach().softmax(1).clamp(1e-4, 1 - 1e-4).double().numpy()
            terms = []
            for row, each in zip(out.batch.rows.tolist(), p, strict=True):
                kept[row] = 0.7 * kept.get(row, np.zeros(3)) + 0.3 * each / each.sum()
                terms.append(math.log(1 - each @ kept[row]))
            wanted.append(3 * np.mean(terms))
            found.append(super().auxiliary_loss(out, ctx))
            return found[-1]

    trial(
        Composition((Watched(),)), toy_split(per_class=16)
    )  # three batches of 16: none meets a sample twice
    assert len(kept) == 48
    np.testing.assert_allclose([float(x.detach()) for x in found], wanted, rtol=1e-4)


def test_what_is_remembered_changes_once_in_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sam` computes gradients twice, the second time with moved weights."""
    updated: list[torch.Tensor] = []

    def update(self: Averages, rows: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        before = self.values.clone()
        found = moved(self, rows, seen)
        updated.append(before)
        return found

    moved = Averages.update
    monkeypatch.setattr(Averages, "update", update)
    trial("sam+elr", toy_split())
    assert len(updated) == 2 * QUICK.steps
    again, following = updated[1::2], updated[2::2]
    assert all(torch.equal(each, next_one) for each, next_one in zip(again, following, strict=False))


def test_a_batch_numbers_its_samples() -> None:
    split, seen = toy_split(), []

    class Looks(Strategy):
        name = "looks"

        def auxiliary_loss(self, out: Any, ctx: Context) -> torch.Tensor:
            assert torch.equal(out.batch.x, torch.from_numpy(split.train_x[0])[out.batch.rows])
            assert ctx.batch.x is out.batch.x
            seen.append(len(out.batch.rows))
            return out.logits.mean()  # its only effect, so that it is not inert

    trial(Composition((Looks(),)), split)
    assert seen == [16] * QUICK.steps


# Co-teaching


def pair_loss(pair: Peers, x: torch.Tensor, y: torch.Tensor, fraction: float) -> torch.Tensor:
    """The loss of Han et al. by a loop: each network on the samples that the other one finds easiest."""
    losses = [F.cross_entropy(network(x), y, reduction="none") for network in (pair.first, pair.peer)]
    total = torch.zeros(())
    for learns, chooses in ((0, 1), (1, 0)):
        chosen = []
        for label in set(y.tolist()):
            own = [i for i in range(len(x)) if y[i] == label]
            own.sort(key=lambda i: float(losses[chooses][i].detach()))
            chosen += own[: math.ceil(fraction * len(own) - 1e-4)]
        total = total + losses[learns][chosen].mean()
    return total


@pytest.mark.parametrize(("progress", "fraction"), [(0.0, 1.0), (0.1, 0.8), (0.2, 0.6), (1.0, 0.6)])
def test_each_network_learns_what_the_other_one_chose(progress: float, fraction: float) -> None:
    torch.manual_seed(0)
    pair = Peers(nn.Linear(5, 2), nn.Linear(5, 2))
    x, y = torch.randn(20, 5), torch.randint(2, (20,))
    targets = torch.eye(2)[y]
    component = Coteaching(rate=0.4, warm_up=0.2)
    ctx = context(component, "loss", task_info(num_classes=2))
    ctx._state.progress, ctx._state.model, ctx._state.memories = progress, pair, {}
    ctx._state.batch = Batch(x, targets, rows=torch.arange(20))
    found = component.loss(pair(x), targets, cross_entropy, ctx).mean()
    wanted = pair_loss(pair, x, y, fraction)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(loss, list(pair.parameters())) for loss in (found, wanted)]
    torch.testing.assert_close(*slopes)


def test_with_nothing_left_out_the_first_network_is_that_of_plain_training() -> None:
    """Both networks then learn from all samples, so the peer changes nothing."""
    split = toy_split()
    found = trial("coteaching(rate=0)", split).predictions
    np.testing.assert_allclose(found, trial("erm", split).predictions, rtol=1e-5, atol=1e-5)


def test_a_pair_is_its_first_network_except_for_its_parameters() -> None:
    first, peer = nn.Linear(5, 4), nn.Linear(5, 4)
    pair, x = Peers(first, peer), torch.randn(3, 5)
    assert torch.equal(pair(x), first(x))
    assert pair.in_features == 5
    assert len(list(pair.parameters())) == 4
    with pytest.raises(AttributeError, match="nothing"):
        pair.nothing  # noqa: B018
    assert torch.equal(copy.deepcopy(pair).peer(x), peer(x))


# What they are for


def noisy_split(rate: float = 0.5) -> ToySplit:
    """Five classes that overlap; some training labels are those of other classes."""
    split = toy_split(classes=5, per_class=40, test_per_class=60)
    rng, y = np.random.default_rng(0), split.train_y.copy()
    wrong = rng.permutation(y.shape[1])[: round(rate * y.shape[1])]
    y[0, wrong] = (y[0, wrong] + rng.integers(1, 5, len(wrong))) % 5
    noise = {
        name: getattr(split, name) + rng.normal(scale=1.0, size=getattr(split, name).shape).astype(np.float32)
        for name in ("train_x", "test_x")
    }
    return ToySplit(**vars(split) | noise | {"train_y": y})


@pytest.mark.parametrize(
    "spec", ["gce", "symmetric_ce", "small_loss(rate=0.5)", "coteaching(rate=0.5)", "elr(weight=7)"]
)
def test_wrong_labels_are_learned_less(spec: str) -> None:
    """Fewer of the given training labels are predicted, and more of the true test labels."""
    split, recipe = noisy_split(), Recipe("mlp(width=256)", steps=150, batch_size=32, lr=3e-3)
    plain, robust = trial("erm", split, recipe), trial(spec, split, recipe)

    def accuracy(found: TrialResult) -> float:
        return float((found.predictions.argmax(-1) == split.test_y).mean())

    assert robust.train_accuracy < plain.train_accuracy
    assert accuracy(robust) > accuracy(plain)
