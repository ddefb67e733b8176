"""Augmentations: mixing and erasing by hand, torchvision's policies, and views at test time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fsbench_plugins._mixing import mix, rectangles
from fsbench_plugins._policies import PARTS, by_policy, wide_within
from fsbench_plugins._test_views import Averaged, movements
from fsbench_plugins.augmentation import Augmentation
from fsbench_plugins.cutmix import Cutmix
from fsbench_plugins.mixup import Mixup
from fsbench_plugins.randaugment import Randaugment
from fsbench_plugins.random_erasing import RandomErasing
from fsbench_plugins.trivialaugment import Trivialaugment
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2
from toy import context, task_info, toy_trial

from fsbench import Batch, Recipe, Strategy
from fsbench.rng import Stream
from fsbench.testing import toy_split


def batch(size: int = 12, channels: int = 1, side: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(size, channels, side, side, generator=rng)
    return Batch(images, torch.eye(3)[torch.arange(size) % 3])


def changed(strategy: Strategy, given_batch: Batch) -> Batch:
    return strategy.augment(given_batch, context(strategy, "augment", task_info("image")))


def test_a_share_of_one_mixes_nothing() -> None:
    own = batch()
    found = mix(own, torch.ones(12), torch.arange(12).flip(0))
    assert torch.equal(found.x, own.x)
    assert torch.equal(found.targets, own.targets)


@given(st.floats(0.05, 4))
def test_mixup_mixes_inputs_and_targets_alike(alpha: float) -> None:
    """Inputs that are their targets stay so."""
    targets = torch.eye(3)[torch.arange(12) % 3]
    found = changed(Mixup(alpha=alpha), Batch(targets.clone(), targets))
    torch.testing.assert_close(found.x, found.targets)
    torch.testing.assert_close(found.targets.sum(1), torch.ones(12))
    assert bool((found.targets * targets >= 0.5 * targets - 1e-6).all())


def test_mixup_with_alpha_zero_returns_the_batch() -> None:
    own = batch()
    assert changed(Mixup(alpha=0), own) is own


def test_rectangles_have_their_area_and_aspect() -> None:
    area, aspect = torch.full((500,), 0.16), torch.full((500,), 4.0)
    masks = rectangles((50, 50), area, aspect, Stream("r"))
    heights, widths = masks.any(3).sum(2)[:, 0], masks.any(2).sum(2)[:, 0]
    assert int(heights.max()) == 40
    assert int(widths.max()) == 10
    whole = (heights == 40) & (widths == 10)
    assert int(whole.sum()) > 20
    torch.testing.assert_close(masks[whole].float().mean((1, 2, 3)), torch.full((int(whole.sum()),), 0.16))


def test_cutmix_mixes_targets_by_the_area_that_is_left() -> None:
    own = batch()
    images = own.targets.argmax(1).float().view(-1, 1, 1, 1).expand(12, 1, 8, 8)
    found = changed(Cutmix(p=1.0), Batch(images, own.targets))
    for image, target in zip(found.x, found.targets, strict=True):
        shares = [(image == label).float().mean() for label in range(3)]
        torch.testing.assert_close(target, torch.stack(shares))
    assert changed(Cutmix(p=0.0), own) is own


def test_random_erasing_leaves_the_rest_as_it_is() -> None:
    own = batch(400)
    found = changed(RandomErasing(p=0.5), own).x
    different = (found != own.x).float().mean((1, 2, 3))
    assert 0.3 < float((different > 0).float().mean()) < 0.6
    assert float(different.max()) < 0.45
    assert torch.equal(changed(RandomErasing(p=0.0), own).x, own.x)


@pytest.mark.parametrize("transform", [v2.RandAugment(2, 9), v2.TrivialAugmentWide()])
def test_policies_are_torchvisions_with_the_same_random_numbers(transform: Any) -> None:
    own = batch()
    found = by_policy(own, transform, Stream("p")).x
    torch.manual_seed(Stream("p").seed())
    parts = [transform((part * 255).round().to(torch.uint8)) for part in torch.chunk(own.x, PARTS)]
    torch.testing.assert_close(found, torch.cat(parts).float() / 255)


def test_trivialaugment_is_torchvisions_on_images_of_32_pixels() -> None:
    own, theirs = batch(12, 3, 32), v2.TrivialAugmentWide()
    for seed in range(20):
        found = by_policy(own, wide_within(32, 32), Stream(str(seed))).x
        assert torch.equal(found, by_policy(own, theirs, Stream(str(seed))).x)


def test_trivialaugment_leaves_few_small_images_empty() -> None:
    own = batch(4)

    def empty(transform: Any) -> int:
        found = torch.cat([by_policy(own, transform, Stream(str(seed))).x for seed in range(100)])
        return int((found.flatten(1).std(1) == 0).sum())

    assert empty(wide_within(8, 8)) < 10 < 20 < empty(v2.TrivialAugmentWide())


@pytest.mark.parametrize("strategy", [Augmentation(steps=200), Randaugment(steps=200), Trivialaugment(200)])
def test_images_are_augmented_for_long_enough_unless_the_recipe_fixes_its_steps(strategy: Strategy) -> None:
    ctx = context(strategy, "configure", task_info("image"))
    assert strategy.configure(Recipe("mlp", 40, 8), ctx).steps == 40
    assert ctx.notes == ()
    assert strategy.configure(Recipe("mlp", 40, 8, passes=5), ctx).steps == 200
    assert ctx.notes == (f"{strategy.name}: at least 200 training steps; the recipe has 40",)


def test_tables_are_augmented_for_the_steps_of_the_recipe() -> None:
    ctx = context(Augmentation(), "configure", task_info("table"))
    recipe = Recipe("mlp", 40, 8, passes=5)
    assert Augmentation().configure(recipe, ctx) == recipe
    assert ctx.notes == ()


def test_policies_leave_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    by_policy(batch(), v2.TrivialAugmentWide(), Stream("p"))
    after = torch.rand(3)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(3))


def test_views_that_do_not_move_predict_the_same() -> None:
    def predict(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :3].log_softmax(-1)

    x = batch().x
    still = Averaged(predict, np.eye(2)[None].repeat(4, 0), np.zeros((4, 2)))
    torch.testing.assert_close(still(x), predict(x) + np.log(5), rtol=1e-4, atol=1e-5)


def test_movements_respect_symmetries() -> None:
    info = task_info("image", symmetries=frozenset({"translation"}))
    matrices, offsets = movements(6, 1.0, info, Stream("m"))
    np.testing.assert_allclose(matrices, np.eye(2)[None].repeat(6, 0))
    assert np.abs(offsets).max() >= 1


def test_tta_changes_no_training_and_without_views_has_no_effect() -> None:
    split = toy_split("image")
    results = [toy_trial(spec, split) for spec in ("erm", "tta")]
    assert results[0].train_accuracy is not None
    assert not np.array_equal(results[0].predictions, results[1].predictions)
    with pytest.raises(Exception, match="tta had no effect"):
        toy_trial("tta(views=0)", split)
