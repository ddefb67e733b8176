"""Fine-tuning: identities with transfer, what is trained, and a cache by hand."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._comparisons import Cached
from fsbench_plugins._low_rank import Update, add_updates, merge_updates
from fsbench_plugins._unfreezing import layers
from fsbench_plugins.bn_only import BnOnly
from fsbench_plugins.l2_sp import L2Sp, squared_distance
from fsbench_plugins.lp_ft import LpFt
from fsbench_plugins.tip_adapter import TipAdapter
from fsbench_plugins.transfer import Transfer
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer
from toy import fitted_alone, toy_trial

from fsbench import InertComponent, LabeledSet, Recipe, Strategy
from fsbench.engine.backbones import build_network
from fsbench.errors import SpecError
from fsbench.registry import load_registry
from fsbench.testing import toy_split

RECIPE = Recipe("conv4(width=8, norm=batch)", 8, 16)


def predictions(spec: str) -> np.ndarray:
    split = toy_split("image", source=True)
    return toy_trial(spec, split, RECIPE).predictions


def of(strategy: Strategy) -> np.ndarray:
    split = toy_split("image", source=True)
    return toy_trial(strategy, split, RECIPE).predictions


@dataclass(frozen=True)
class FreeL2Sp(L2Sp):
    name = "transfer"  # whose random numbers it then has


@dataclass(frozen=True)
class SameLpFt(LpFt):
    name = "transfer"


@pytest.mark.parametrize(
    ("variant", "same"),
    [
        (FreeL2Sp(alpha=0, source_steps=3), Transfer(source_steps=3)),
        (SameLpFt(source_steps=3), Transfer(source_steps=3, mode="frozen_then_finetune")),
        (SameLpFt(source_steps=3, head_share=0), Transfer(source_steps=3)),
    ],
)
def test_without_what_it_adds_it_is_transfer(variant: Strategy, same: Strategy) -> None:
    assert np.array_equal(of(variant), of(same))


def test_a_penalty_keeps_the_weights_near_the_start() -> None:
    assert not np.array_equal(predictions("l2_sp(source_steps=3)"), predictions("transfer(source_steps=3)"))
    weights, start = [nn.Parameter(torch.ones(2, 3))], [torch.zeros(2, 3)]
    assert squared_distance(weights, start).item() == 6


@pytest.mark.parametrize("layer", [nn.Linear(5, 4), nn.Conv2d(6, 4, 3, groups=2, padding=1)])
def test_an_update_starts_at_zero_and_merges_into_the_weight(layer: nn.Module) -> None:
    x = torch.randn(2, 5) if isinstance(layer, nn.Linear) else torch.randn(2, 6, 4, 4)
    network, before = nn.Sequential(layer), layer(x)
    add_updates(network, 2, 0.5)
    assert torch.equal(network(x), before)
    (update,) = updates(network)
    with torch.no_grad():
        update.b.normal_()
    expected = network(x)
    assert not torch.allclose(expected, before)
    merge_updates(network)
    torch.testing.assert_close(network(x), expected)


def updates(network: nn.Module) -> list[Update]:
    return [module for module in network.modules() if isinstance(module, Update)]


def test_updates_are_of_every_layer_and_leave_no_trace_when_merged() -> None:
    network = build_network("conv4(width=8, norm=batch)", "image", (1, 8, 8), 3)
    names = list(network.state_dict())
    types = [type(module) for module in network.modules()]
    x = torch.rand(4, 1, 8, 8)
    network.eval()
    before = network(x)
    add_updates(network.body, 2, 1.0)
    assert len(updates(network)) == 4
    torch.testing.assert_close(network(x), before)
    merge_updates(network)
    assert list(network.state_dict()) == names
    assert [type(module) for module in network.modules()] == types


def test_updates_are_of_the_attention_of_torchvisions_vit_too() -> None:
    network = VisionTransformer(16, 8, 1, 2, 8, 12, num_classes=3)
    x = torch.rand(2, 3, 16, 16)
    nn.init.normal_(network.heads[0].weight)
    before = network.eval()(x)
    add_updates(network, 2, 1.0)
    assert torch.equal(network(x), before)
    attention = network.encoder.layers[0].self_attention
    assert sorted(update.b.shape[0] for update in updates(attention)) == [8, 24]
    network.requires_grad_(False)
    for update in updates(attention):
        update.requires_grad_(True)
    network(x).sum().backward()
    slopes = [update.b.grad for update in updates(attention)]
    assert all(slope is not None and bool(slope.any()) for slope in slopes)
    with torch.no_grad():
        for update in updates(attention):
            update.b.normal_()
    expected = network(x)
    assert not torch.allclose(expected, before)
    merge_updates(network)
    assert not updates(network)
    torch.testing.assert_close(network(x), expected)


def test_updates_of_copies_are_merged_one_by_one() -> None:
    network = nn.Sequential(nn.Linear(5, 4))
    x = torch.randn(2, 5)
    before = network(x)
    add_updates(network, 2, 1.0)
    other = copy.deepcopy(network)
    merge_updates(network)
    assert torch.equal(other(x), before)
    merge_updates(other)
    assert type(other[0]) is nn.Linear


@pytest.mark.parametrize(
    "spec",
    [
        "lora(mode=gradual)",
        "lora(mode=linear_probe)",
        "lp_ft(mode=finetune)",
        "l2_sp(mode=linear_probe)",
        "bn_only(mode=linear_probe)",
    ],
)
def test_a_mode_that_contradicts_the_name_is_refused(spec: str) -> None:
    with pytest.raises(SpecError, match=r"mode=\w+\): expected one of (finetune|frozen_then_finetune)"):
        load_registry().parse(spec)


def test_bn_only_unfreezes_gradually_where_some_layers_have_no_normalisation() -> None:
    found = predictions("bn_only(source_steps=3, mode=gradual)")
    assert not np.array_equal(found, predictions("transfer(source_steps=3, mode=linear_probe)"))


def test_bn_only_says_that_a_body_has_no_normalisation() -> None:
    with pytest.raises(InertComponent, match="bn_only had no effect; the body has no normalisation with"):
        toy_trial("bn_only(source_steps=3)", toy_split("image", source=True), replace(RECIPE, backbone="mlp"))


def test_lora_says_that_no_layer_can_be_updated() -> None:
    split, recipe = toy_split("text", source=True), replace(RECIPE, backbone="ngrams")
    with pytest.raises(InertComponent, match="lora had no effect; the body has no linear, convolutional or"):
        toy_trial("lora(source_steps=3)", split, recipe)


def test_lora_and_bn_only_train_less_than_transfer() -> None:
    found = {spec: predictions(f"{spec}(source_steps=3)") for spec in ("lora", "bn_only", "transfer")}
    assert len({each.tobytes() for each in found.values()}) == 3


@pytest.mark.parametrize("other", ["self_training(rounds=1)", "snapshot(cycles=2)"])
def test_lora_trains_updates_in_every_fit(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    merged: list[float] = []

    def merge(network: nn.Module) -> None:
        sizes = [float(each.b.detach().abs().max()) for each in network.modules() if isinstance(each, Update)]
        merged.append(min(sizes, default=0.0))
        merge_updates(network)

    monkeypatch.setattr("fsbench_plugins._low_rank.merge_updates", merge)
    toy_trial(f"lora(source_steps=3)+{other}", toy_split("image", source=True, unlabeled=20), RECIPE)
    assert len(merged) == 2
    assert min(merged) > 0


def test_bn_only_trains_normalisation_alone() -> None:
    network: Any = build_network("conv4(width=8, norm=batch)", "image", (1, 8, 8), 3)
    BnOnly()._release(network.body, True)
    trained = {
        type(m) for m in network.body.modules() for p in m.parameters(recurse=False) if p.requires_grad
    }
    assert trained == {nn.BatchNorm2d}


def test_gradual_trains_each_layer_of_the_body_at_last() -> None:
    network: Any = build_network("conv4(width=8, norm=batch)", "image", (1, 8, 8), 3)
    found = layers(network.body)
    assert sum(len(list(layer.parameters())) for layer in found) == len(list(network.body.parameters()))
    assert not np.array_equal(
        predictions("transfer(source_steps=3, mode=gradual)"), predictions("transfer(source_steps=3)")
    )


def test_a_cache_adds_labels_by_similarity() -> None:
    keys = nn.functional.normalize(torch.randn(5, 4))
    x, targets = torch.randn(3, 4), torch.eye(2)[[0, 1, 1, 0, 0]]
    found = Cached(lambda x: torch.zeros(len(x), 2), keys, targets, 2.0, 3.0)(x)
    for row, query in zip(found, nn.functional.normalize(x), strict=True):
        expected = torch.full((2,), -np.log(2))
        for key, target in zip(keys, targets, strict=True):
            expected = expected + 2 * np.exp(-3 * (1 - float(query @ key))) * target
        torch.testing.assert_close(row, expected.float(), rtol=1e-4, atol=1e-5)


def test_sampling_weights_count_in_a_cache() -> None:
    x, targets = torch.randn(4, 3), torch.eye(2)[[0, 0, 0, 1]]
    tip = TipAdapter(classifier="prototype")
    plain, _, _ = fitted_alone(tip, LabeledSet(x, targets))
    weighted, _, _ = fitted_alone(tip, LabeledSet(x, targets, weights=torch.tensor([1.0, 1.0, 1.0, 3.0])))
    assert torch.equal(plain.targets, targets)
    assert weighted.targets.sum(0).tolist() == [2, 2]
