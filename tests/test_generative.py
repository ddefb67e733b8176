"""Generative and self-supervised strategies: bounds and losses against formulas, and what they add."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._recipes import converted
from fsbench_plugins._vae import ConditionalVae
from fsbench_plugins.autoencoder import Autoencoder
from fsbench_plugins.m2 import unlabelled_bound
from fsbench_plugins.simclr import Simclr, nt_xent
from fsbench_plugins.vae import Vae
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence
from toy import context, task_info, toy_trial

from fsbench import LabeledSet, NonFinite, Recipe, Stream
from fsbench.composition import Composition
from fsbench.registry import load_registry
from fsbench.testing import toy_split

LABELS = torch.eye(3)[[0, 0, 1, 1, 1, 2]]


def trial(spec: str, kind: str = "table", **toy: Any) -> np.ndarray:
    split = toy_split(kind, **({"unlabeled": 30} | toy))
    return toy_trial(spec, split, Recipe("mlp(width=16)", 8, 16)).predictions


def made(seed: int = 0) -> ConditionalVae:
    torch.manual_seed(seed)
    vae = ConditionalVae(5, 3, 2, 8)
    with torch.no_grad():
        vae.log_deviation.fill_(-0.3)
    return vae


@given(st.integers(0, 30))
def test_the_bound_is_log_likelihood_minus_divergence(seed: int) -> None:
    vae, x, noise = made(seed), torch.randn(6, 5), torch.randn(6, 2)
    mean, log_variance = vae.encoder(torch.cat([x, LABELS], 1)).chunk(2, 1)
    posterior = Normal(mean, (log_variance / 2).exp())
    decoded = vae.decode(mean + posterior.stddev * noise, LABELS)
    likelihood = Normal(decoded, vae.log_deviation.exp()).log_prob(x).sum(1)
    divergence = kl_divergence(posterior, Normal(torch.zeros(2), torch.ones(2))).sum(1)
    constant = 5 / 2 * np.log(2 * np.pi)
    torch.testing.assert_close(vae.bound(x, LABELS, noise) - constant, likelihood - divergence)


def test_a_certain_class_has_the_bound_of_a_labelled_input() -> None:
    vae, x, noise = made(), torch.randn(6, 5), torch.randn(6, 2)
    found = unlabelled_bound(vae, x, 200 * LABELS, noise)
    torch.testing.assert_close(found, vae.bound(x, LABELS, noise).mean())


def test_an_unknown_class_adds_the_entropy_of_the_guess() -> None:
    vae, x, noise = made(), torch.randn(6, 5), torch.randn(6, 2)
    bounds = [vae.bound(x, torch.eye(3)[[c] * 6], noise).mean() for c in range(3)]
    expected = torch.stack(bounds).mean() + np.log(3)
    torch.testing.assert_close(unlabelled_bound(vae, x, torch.zeros(6, 3), noise), expected)


def test_nt_xent_by_hand() -> None:
    z = np.random.default_rng(0).normal(size=(8, 4))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    similarity = np.exp(unit @ unit.T / 0.5)
    losses = []
    for i in range(8):
        others = sum(similarity[i, j] for j in range(8) if j != i)
        losses.append(-np.log(similarity[i, (i + 4) % 8] / others))
    assert nt_xent(torch.from_numpy(z), 0.5).item() == pytest.approx(np.mean(losses), rel=1e-5)


def drawn(strategy: Vae, train: LabeledSet) -> LabeledSet:
    ctx = context(strategy, "resample", task_info(num_classes=3), train=train)
    return strategy.resample(train, ctx)


@pytest.mark.parametrize("number", [20, 100], ids=["whole", "batches"])
def test_vae_adds_samples_of_each_class_that_look_like_it(number: int) -> None:
    rng, y = np.random.default_rng(0), np.repeat([0, 1, 2], number)
    centres = np.array([[3.0, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0]])
    x = torch.tensor(centres[y] + 0.3 * rng.normal(size=(len(y), 6)), dtype=torch.float32)
    more = drawn(Vae(samples=15), LabeledSet(x, torch.eye(3)[y]))
    assert torch.equal(more.x[: len(y)], x)
    assert more.class_counts.tolist() == [number + 15] * 3
    nearest = torch.cdist(more.x[len(y) :], torch.tensor(centres, dtype=torch.float32)).argmin(1)
    assert float((nearest == more.y[len(y) :]).float().mean()) > 0.9


def test_vae_keeps_weights_domains_and_groups_as_long_as_the_inputs() -> None:
    train = LabeledSet(
        torch.randn(6, 6), LABELS, torch.arange(6.0), torch.tensor([0, 0, 0, 1, 1, 1]), torch.arange(6)
    )
    more = drawn(Vae(samples=2, vae_steps=3), train)
    assert len(more) == 12
    assert more.weights is not None
    assert more.domain is not None
    assert more.groups is not None
    assert len(more.weights) == len(more.domain) == len(more.groups) == 12
    assert more.groups[6:].tolist() == [-1] * 6


def test_without_samples_vae_has_no_effect() -> None:
    with pytest.raises(Exception, match="vae had no effect"):
        trial("vae(samples=0)")


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize("name", ["autoencoder", "simclr"])
def test_without_pretext_steps_the_start_is_that_of_erm(kind: str, name: str) -> None:
    with pytest.raises(Exception, match=f"{name} had no effect"):
        trial(f"{name}(pretext_steps=0)", kind)
    assert not np.array_equal(trial(f"{name}(pretext_steps=5)", kind), trial("erm", kind))


def test_a_pretraining_that_diverges_is_an_error_that_says_what_to_try() -> None:
    found, recipe = load_registry().parse("autoencoder")[0], Recipe("mlp(width=16)", 8, 16, lr=1e30)
    with pytest.raises(NonFinite, match=r"the loss of the pretraining became (nan|inf).*learning rate"):
        toy_trial(found, toy_split("table", unlabeled=30), recipe)


@pytest.mark.parametrize("name", ["autoencoder", "simclr"])
def test_pretraining_is_the_same_beside_another_optimizer(name: str) -> None:
    """AdamW pretrains; a rate of SGD is ten times too large for it."""
    starts = []
    for recipe in (plain := Recipe("mlp(width=16)", 8, 16), converted(plain, "sgd")):
        found = load_registry().parse(f"{name}(pretext_steps=5)")[0]
        ctx = context(found.components[0], "init_model", task_info(num_unlabeled=30))
        ctx.state.recipe = recipe
        ctx.state.unlabeled = lambda: torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
        starts.append(found.components[0].init_model(ctx.new_model(), ctx))
    for first, second in zip(*(each.parameters() for each in starts), strict=True):
        torch.testing.assert_close(first, second)


def test_a_weight_near_zero_leaves_m2_with_the_predictions_of_erm() -> None:
    assert np.array_equal(trial("m2(weight=1e-30)"), trial("erm"))
    assert not np.array_equal(trial("m2"), trial("erm"))


def test_an_autoencoder_learns_to_reconstruct() -> None:
    info = task_info(num_unlabeled=50)
    ctx = context(Autoencoder(), "init_model", info)
    model = ctx.new_model()
    decoder, loss = Autoencoder(noise=0.0).pretext(model, ctx)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(50, 2, generator=rng) @ torch.randn(2, 6, generator=rng)
    optimizer = torch.optim.Adam([*model.parameters(), *decoder.parameters()], lr=0.01)
    before = loss(x, ctx.rng).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss(x, ctx.rng).backward()
        optimizer.step()
    assert loss(x, ctx.rng).item() < 0.2 * before


@pytest.mark.parametrize(("inputs", "size"), [(40, 16), (9, 9)])
def test_a_batch_of_a_pretext_task_has_different_inputs(inputs: int, size: int) -> None:
    seen = []

    class Looks(Simclr):
        def pretext(self, model: Any, ctx: Any) -> Any:
            head, loss_of = super().pretext(model, ctx)

            def loss(x: torch.Tensor, stream: Stream) -> torch.Tensor:
                seen.append((len(x), len(x.unique(dim=0))))
                return loss_of(x, stream)

            return head, loss

    split = toy_split("table", unlabeled=inputs)
    found = Composition((Looks(pretext_steps=6),))
    toy_trial(found, split, Recipe("mlp(width=16)", 8, 16))
    assert seen == [(size, size)] * 6
