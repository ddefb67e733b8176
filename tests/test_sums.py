"""Sums of strategies: what one component promises holds beside another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._cosine_head import CosineHead
from fsbench_plugins._meta_training import zero
from fsbench_plugins._normalisation import batch_norms
from fsbench_plugins.crt import Crt
from test_postprocessing import without_val
from torch import nn
from toy import toy_trial

from fsbench import Fitted, InertComponent, LabeledSet, Recipe
from fsbench.composition import Composition
from fsbench.engine.backbones import build_network
from fsbench.engine.context import EngineContext
from fsbench.registry import get_registry
from fsbench.strategy import Strategy
from fsbench.testing import toy_split

RECIPE = Recipe("conv4(width=8, norm=batch)", 12, 16)
SOURCE = "source_steps=3, source_passes=0"


def parsed(spec: str) -> Composition:
    (found,) = get_registry().parse(spec)
    return found


@pytest.mark.parametrize(
    "spec",
    [
        f"transfer({SOURCE})+ensemble(size=3)",
        f"lora({SOURCE})+ensemble(size=3)",
        f"baseline_pp({SOURCE})+ensemble(size=3)",
        f"simpleshot({SOURCE})+ensemble(size=3)",
        f"transfer({SOURCE})+coteaching",
    ],
)
def test_networks_from_different_starts_learn_the_source_from_different_starts(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[torch.Tensor] = []
    pretrain = EngineContext.pretrain

    def watched(self: EngineContext, model: nn.Module, data: LabeledSet, recipe: Recipe) -> nn.Module:
        starts.append(next(model.get_submodule("body").parameters()).detach().clone())
        return pretrain(self, model, data, recipe)

    monkeypatch.setattr(EngineContext, "pretrain", watched)
    toy_trial(spec, toy_split("image", source=True), RECIPE)
    assert len(starts) > 1
    assert not any(one.equal(other) for place, one in enumerate(starts) for other in starts[:place])


class Watching(Crt):
    """`crt`, which remembers the body after each of its trainings."""

    seen: list[dict[str, torch.Tensor]]

    def fit(self, train: LabeledSet, inner: Any, ctx: Any) -> Fitted:
        def watched(data: LabeledSet, **changes: Any) -> Fitted:
            found: Fitted = inner(data, **changes)
            body = found.require_network("test").get_submodule("body")
            self.seen.append({name: value.clone() for name, value in body.named_parameters()})
            return found

        return super().fit(train, watched, ctx)


def with_crt(spec: str) -> list[dict[str, torch.Tensor]]:
    """The bodies after both trainings of `spec+crt`."""
    watching = Watching()
    object.__setattr__(watching, "seen", [])
    split = toy_split("image", source=True, imbalance=4.0)
    toy_trial(Composition((*parsed(spec).components, watching)), split, RECIPE)
    return watching.seen


@pytest.mark.parametrize("spec", [f"lp_ft({SOURCE})", f"transfer(mode=gradual, {SOURCE})"])
def test_crt_trains_the_head_alone_after_a_training_in_parts(spec: str) -> None:
    first, second = with_crt(spec)
    assert all(value.equal(second[name]) for name, value in first.items())


def test_crt_says_that_another_component_trained_the_frozen_body() -> None:
    with pytest.raises(InertComponent, match="crt had no effect as it is meant; another component trained"):
        with_crt(f"lora({SOURCE})")


@pytest.mark.parametrize("rule", ["protonet", "matching", "r2d2"])
def test_pretrained_batch_normalisation_keeps_its_statistics_in_episodes(rule: str, tmp_path: Path) -> None:
    split = toy_split("image", source=True)
    body = build_network(RECIPE.backbone, "image", split.info.input_shape, 1).body
    for layer in batch_norms(body):
        layer.running_mean.add_(0.05)
    torch.save(body.state_dict(), tmp_path / "body.pt")
    seen = []

    class Looks(Strategy):
        name = "looks"

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Any) -> Fitted:
            seen.extend(layer.running_mean for layer in batch_norms(ctx.model.get_submodule("body")))
            return fitted.map(lambda logits: logits + 0)

    spec = f'transfer(weights="{tmp_path / "body.pt"}")+{rule}(meta_steps=5, source_passes=0)'
    toy_trial(Composition((*parsed(spec).components, Looks())), split, RECIPE)
    assert seen
    for kept, given in zip(seen, batch_norms(body), strict=True):
        torch.testing.assert_close(kept, given.running_mean, atol=0, rtol=0)


def test_a_head_of_directions_is_not_set_to_zero() -> None:
    cosines, linear = CosineHead(4, 3, 10.0), nn.Linear(4, 3)
    before = cosines.weight.detach().clone()
    zero(cosines)
    zero(linear)
    assert cosines.weight.equal(before)
    assert not linear.weight.any()
    assert not linear.bias.any()


def test_an_augmentation_of_nothing_has_no_effect_on_images_either() -> None:
    """With more steps, its trial would be plain training for longer."""
    recipe = replace(RECIPE, passes=2)
    with pytest.raises(InertComponent, match="augmentation had no effect"):
        toy_trial("augmentation(strength=0)", toy_split("image"), recipe)


@pytest.mark.parametrize("name", ["adabn", "cdan", "coral", "dann", "mcc", "mmd", "shot"])
def test_adaptation_to_a_single_input_is_skipped(name: str) -> None:
    (strategy,) = parsed(name).components
    info = toy_split("image", shift=True).info
    assert strategy.skip(info) is None
    assert strategy.skip(replace(info, num_unlabeled=1)) == "needs at least two unlabelled inputs"
    assert strategy.skip(replace(info, num_unlabeled=0)) == "needs unlabelled target data"


def test_a_stack_with_held_out_labels_of_one_class_is_the_mean_of_its_members() -> None:
    """The smaller of two classes has one label, which is never held out beside others to learn from."""
    alone = without_val(toy_split("table", classes=2, per_class=6, imbalance=6.0))
    members = "logistic_regression, naive_bayes"
    stacked, mean = (
        toy_trial(f'{name}(of="{members}")', alone, replace(RECIPE, backbone="mlp"))
        for name in ("stack", "vote")
    )
    assert any("held-out labels of one class only" in note for note in stacked.notes)
    p, q = (torch.from_numpy(each.predictions).softmax(-1).numpy() for each in (stacked, mean))
    np.testing.assert_allclose(p, q, atol=1e-6)
