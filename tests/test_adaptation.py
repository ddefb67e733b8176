"""Adaptation to another domain: losses against formulas, statistics by hand, and identities."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fsbench_plugins._adapting import certainty
from fsbench_plugins._adversarial import domain_loss
from fsbench_plugins._normalisation import batch_norms, equal_parts
from fsbench_plugins.coral import coral_distance
from fsbench_plugins.mcc import class_confusion
from fsbench_plugins.mmd import SCALES, squared_discrepancy
from fsbench_plugins.rotation import Rotation, turned
from fsbench_plugins.shot import information, pseudo_labels
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from toy import context, toy_trial

from fsbench import Batch, Context, Recipe, Strategy, Stream, laws
from fsbench.composition import Composition
from fsbench.engine.backbones import build_network
from fsbench.registry import load_registry
from fsbench.testing import toy_split

RECIPE = Recipe("conv4(width=8, norm=batch)", 6, 16, lr=3e-3)


def trial(spec: str, recipe: Recipe = RECIPE, **toy: Any) -> Any:
    split = toy_split("image", **({"shift": True, "test_per_class": 8} | toy))
    return toy_trial(spec, split, recipe)


def draws(seed: int, moved: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(9, 5, generator=rng), torch.randn(7, 5, generator=rng) + moved


@given(st.integers(0, 100), st.floats(-3, 3))
def test_coral_is_the_distance_of_numpys_covariances(seed: int, moved: float) -> None:
    source, target = draws(seed, moved)
    expected = np.square(np.cov(source.numpy().T) - np.cov(target.numpy().T)).sum() / 100
    assert coral_distance(source, target).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(st.integers(0, 100), st.floats(-3, 3))
def test_mmd_is_the_unbiased_estimate_with_scikit_learns_kernels(seed: int, moved: float) -> None:
    source, target = (each.double() for each in draws(seed, moved))
    both = np.concatenate([source, target])
    scale = euclidean_distances(both, squared=True).sum() / (16 * 15)
    kernel = np.mean([rbf_kernel(both, gamma=1 / (s * scale)) for s in SCALES], 0)
    within, other = kernel[:9, :9], kernel[9:, 9:]
    expected = (
        within[~np.eye(9, dtype=bool)].mean()
        + other[~np.eye(7, dtype=bool)].mean()
        - 2 * kernel[:9, 9:].mean()
    )
    assert squared_discrepancy(source, target).item() == pytest.approx(expected, abs=1e-9)


def test_mmd_grows_with_the_distance_of_the_domains() -> None:
    found = [squared_discrepancy(*draws(0, moved)).item() for moved in (0.0, 1.0, 3.0)]
    assert abs(found[0]) < 0.1 < found[1] < found[2]


def test_class_confusion_is_zero_for_certain_and_largest_for_uniform_predictions() -> None:
    certain = 100 * torch.eye(4).repeat(3, 1)
    assert class_confusion(certain, 2.5).item() == pytest.approx(0, abs=1e-6)
    assert class_confusion(torch.zeros(12, 4), 2.5).item() == pytest.approx(0.75)


def test_class_confusion_by_hand() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    p = (logits / 2.0).softmax(-1).numpy()
    weights = 1 + np.exp((p * np.log(p)).sum(1))
    weights = 6 * weights / weights.sum()
    shares = np.zeros((3, 3))
    for row, weight in zip(p, weights, strict=True):
        shares += weight * np.outer(row, row)
    shares /= shares.sum(1, keepdims=True)
    expected = (shares.sum() - np.trace(shares)) / 3
    assert class_confusion(logits, 2.0).item() == pytest.approx(expected, rel=1e-5)


def test_weights_of_one_change_no_domain_loss() -> None:
    labelled, target, ones = torch.randn(7), torch.randn(5), torch.ones(7)
    domain = torch.tensor([0.0, 0, 1, 0, 1, 0, 1])
    for given_domain in (None, domain):
        torch.testing.assert_close(
            domain_loss(labelled, target, given_domain, ones, ones[:5]),
            domain_loss(labelled, target, given_domain),
        )


def test_certain_predictions_count_twice_as_much_as_a_mix_without_end() -> None:
    p = torch.stack([F.one_hot(torch.tensor(3), 1000).float(), torch.full((1000,), 1e-3)])
    torch.testing.assert_close(certainty(p), torch.tensor([2.0, 1.001]))


def test_information_is_least_for_certain_and_diverse_predictions() -> None:
    certain = 100 * torch.eye(4)
    assert information(certain).item() == pytest.approx(-np.log(4), abs=1e-5)
    assert information(certain[[0, 0, 0, 0]]).item() == pytest.approx(0, abs=1e-5)
    assert information(torch.zeros(4, 4)).item() == pytest.approx(0, abs=1e-5)


class Centred(torch.nn.Module):
    """Features are the inputs; the head is nearly right."""

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward_head(self, features: torch.Tensor) -> torch.Tensor:
        return 3 * features @ torch.tensor([[1.0, 0.2], [0.1, 1.0]])


def test_pseudo_labels_are_clusters_around_the_classes_that_the_head_sees() -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = torch.tensor([2.0, 0.3]), torch.tensor([0.2, 2.0])
    x = torch.cat([centre + 0.2 * torch.randn(20, 2, generator=rng) for centre in (first, second)])
    labels = pseudo_labels(Centred(), x)
    assert labels[:20].unique().tolist() == [0]
    assert labels[20:].unique().tolist() == [1]


def test_turned_is_torchs_rotation() -> None:
    x = torch.randn(4, 1, 5, 5)
    for k in range(4):
        assert torch.equal(turned(x, torch.full((4,), k)), x.rot90(k, (-2, -1)))


@pytest.mark.parametrize("name", ["coral", "mmd", "mcc", "cdan", "rotation"])
def test_with_weight_zero_the_predictions_are_those_of_erm(name: str) -> None:
    """Unlabelled inputs change the statistics of batch normalisation, so there is none."""
    plain = replace(RECIPE, backbone="conv4(width=8, norm=group)")
    erm = trial("erm", plain).predictions
    found = load_registry().parse(f"{name}(weight=1e-30)")[0]
    split = toy_split("image", shift=True, test_per_class=8)
    assert np.array_equal(toy_trial(found, split, plain).predictions, erm)
    assert not np.array_equal(trial(name, plain).predictions, erm)


def test_turned_images_leave_running_averages_alone() -> None:
    model = build_network("conv4(width=8, norm=batch)", "image", (1, 8, 8), 3)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    rotation, ctx = Rotation(), SimpleNamespace(rng=Stream("turns"), autocast=nullcontext)
    batch = SimpleNamespace(x=torch.rand(6, 1, 8, 8), unlabeled=torch.rand(8, 1, 8, 8))
    head = rotation.auxiliary_modules(model, ctx)
    loss = rotation.auxiliary_loss(SimpleNamespace(model=model.train(), batch=batch, modules=head), ctx)
    loss.backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert all(p.grad is not None for p in model.body.parameters())


def test_shot_adapts_at_the_rate_of_adam_whatever_the_recipes_optimizer() -> None:
    seen = []

    class Watched(torch.optim.Adam):
        def __init__(self, parameters: Any, lr: float) -> None:
            seen.append(lr)
            super().__init__(parameters, lr=lr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", Watched)
        for recipe in (RECIPE, replace(RECIPE, optimizer="sgd", lr=10 * RECIPE.lr)):
            trial("shot(adapt_steps=1, lr_scale=0.5)", recipe)
    assert seen == [pytest.approx(0.5 * RECIPE.lr)] * 2


def test_adabn_has_the_mean_and_variance_of_the_target() -> None:
    seen: list[torch.Tensor] = []
    split = toy_split("image", shift=True, test_per_class=8)
    composition = load_registry().parse("adabn")[0]
    kept: list[Any] = []
    original = type(composition.components[0]).postprocess

    def watched(self: Any, fitted: Any, val: Any, ctx: Any) -> Any:
        found = original(self, fitted, val, ctx)
        kept.append(found.network)
        seen.append(ctx.unlabeled.clone())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(composition.components[0]), "postprocess", watched)
        toy_trial(composition, split, RECIPE)
    first = batch_norms(kept[0])[0]
    inputs: list[torch.Tensor] = []
    handle = first.register_forward_hook(lambda module, given, out: inputs.append(given[0]))
    kept[0](seen[0])
    handle.remove()
    torch.testing.assert_close(first.running_mean, inputs[0].mean((0, 2, 3)))
    torch.testing.assert_close(first.running_var, inputs[0].var((0, 2, 3)))


def test_every_input_counts_alike_in_statistics_from_parts() -> None:
    x = torch.randn(10, 2)
    assert [len(part) for part in equal_parts(x, 8)] == [5, 5]
    assert [len(part) for part in equal_parts(x, 10)] == [10]
    assert [len(part) for part in equal_parts(x, 4)] == [4, 3, 3]
    assert torch.equal(torch.cat(equal_parts(x, 4)), x)


def test_tent_without_steps_uses_the_statistics_of_the_test_inputs_only() -> None:
    steady, adapted = trial("tent(steps=0)"), trial("tent(steps=20, lr=0.01)")
    assert not np.array_equal(steady.predictions, trial("erm").predictions)

    def entropy(result: Any) -> float:
        p = torch.from_numpy(result.predictions[0]).softmax(-1)
        return float(-(p * p.log()).sum(1).mean())

    assert entropy(adapted) < entropy(steady)


def test_tent_predicts_a_single_input_without_adapting_to_it() -> None:
    split = toy_split("table", test_per_class=1, classes=2)
    one = replace(split, test_x=split.test_x[:, :1], test_y=split.test_y[:, :1])
    recipe = Recipe("mlp(norm=batch)", 6, 16)
    np.testing.assert_array_equal(
        toy_trial("tent", one, recipe).predictions, toy_trial("erm", one, recipe).predictions
    )


def test_adabn_takes_no_part_of_a_single_input() -> None:
    split = toy_split("table", shift=True, test_per_class=7)
    trial = toy_trial("adabn(batch_size=3)", split, Recipe("mlp(norm=batch)", 6, 16))
    assert np.isfinite(trial.predictions).all()


@pytest.mark.parametrize("name", ["adabn", "tent"])
def test_without_batch_normalisation_there_is_nothing_to_adapt(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsbench.engine.fitting.train", lambda *args: pytest.fail("trained in vain"))
    with pytest.raises(Exception, match=f"{name} had no effect; the network has no batch normalisation"):
        trial(name, replace(RECIPE, backbone="conv4(width=8, norm=group)"))


@pytest.mark.parametrize("name", ["coral", "mmd", "mcc", "cdan", "adabn", "shot"])
def test_labelled_target_samples_are_welcome(name: str) -> None:
    found = trial(name, target_per_class=2).predictions
    assert np.isfinite(found).all()


def test_a_frozen_body_cannot_be_adapted() -> None:
    spec = "transfer(target_only=false, mode=linear_probe)+shot"
    with pytest.raises(Exception, match="shot had no effect; it adapts the body, and all of it is frozen"):
        trial(spec, source=True, target_per_class=2)


@pytest.mark.parametrize("spec", ["mixup(alpha=4)", "cutmix(p=1)"])
def test_unlabelled_inputs_stay_unmixed(spec: str) -> None:
    """Otherwise `shot` and `fixmatch` would learn the pseudo-label of one input from two."""
    (composition,) = load_registry().parse(spec)
    x = torch.rand(16, 1, 8, 8)
    batch = Batch(x, torch.eye(2)[[0, 1] * 8], unlabeled=x)
    found = laws.augment(
        composition, batch, context(composition.components[0], "augment", toy_split("image").info)
    )
    assert torch.equal(found.unlabeled, x)
    assert not torch.equal(found.x, x)


@dataclass(frozen=True)
class Counting(Strategy):
    """Notes the labels per class."""

    name = "counting"

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, inner: Any, ctx: Context) -> torch.Tensor:
        ctx.note(str([int(count) for count in ctx.class_counts]))
        return inner(logits, targets) + 0


@pytest.mark.parametrize(("target_only", "counts"), [(True, "[4, 4, 4]"), (False, "[32, 19, 12]")])
def test_the_labels_are_those_of_the_target_where_no_others_are_left(target_only: bool, counts: str) -> None:
    """A loss that corrects for the source's classes would be wrong for those of the target."""
    (transfer,) = load_registry().parse(f"transfer(target_only={str(target_only).lower()})")
    split = toy_split("image", shift=True, per_class=28, imbalance=3.5, target_per_class=4)
    found = toy_trial(Composition((*transfer.components, Counting())), split, RECIPE)
    assert [note for note in found.notes if note.startswith("counting")] == [f"counting: {counts}"]
