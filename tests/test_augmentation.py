from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from fsbench_plugins._image_transforms import Limits, affine_maps, augment_images, grey, recolour, warp
from fsbench_plugins._mixing import mix
from fsbench_plugins.augmentation import Augmentation
from fsbench_plugins.focal import Focal
from fsbench_plugins.resampling import Resampling
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toy import context, task_info, toy_trial

from fsbench.composition import Composition
from fsbench.errors import SpecError
from fsbench.recipes.recipe import default_recipe
from fsbench.rng import Stream
from fsbench.testing import toy_split
from fsbench.types import Batch

ALL = frozenset({"hflip", "vflip", "rotation", "translation", "scale", "colour"})


def batch(shape=(1, 8, 8), samples=6, seed=0, classes=3):
    generator = torch.Generator().manual_seed(seed)
    draw = torch.rand if len(shape) == 3 else torch.randn
    targets = torch.rand(samples, classes, generator=generator).softmax(-1)
    return Batch(draw(samples, *shape, generator=generator), targets)


def augment(given, symmetries=ALL, seed=0, step=0, **arguments):
    shape = tuple(given.x.shape[1:])
    kind = "image" if len(shape) == 3 else "table"
    component = Augmentation(**arguments)
    ctx = context(component, "augment", task_info(kind, input_shape=shape, symmetries=symmetries), seed)
    ctx.at_step(step, 10)
    return component.augment(given, ctx)


shapes = st.one_of(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 9)),
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        f.name: st.floats(f.metadata["low"], f.metadata["high"])
        for f in dataclasses.fields(Augmentation)
        if f.metadata["high"] is not None
    },
)


@settings(max_examples=60)
@given(shapes, st.integers(1, 5), st.sets(st.sampled_from(sorted(ALL))), arguments, st.integers(0, 99))
def test_shape_range_and_distributions_are_preserved(shape, samples, symmetries, values, seed):
    given = batch(shape, samples, seed)
    got = augment(given, frozenset(symmetries), seed, **values)
    assert got.x.shape == given.x.shape
    assert got.x.dtype == torch.float32
    assert bool(got.x.isfinite().all())
    if len(shape) == 3:
        assert got.x.min() >= 0
        assert got.x.max() <= 1
        assert got.targets is given.targets
    assert bool((got.targets >= 0).all())
    torch.testing.assert_close(got.targets.sum(-1), torch.ones(samples))


@pytest.mark.parametrize("shape", [(3, 8, 6), (5,)])
def test_strength_zero_is_the_identity(shape):
    given = batch(shape)
    got = augment(given, strength=0)
    assert torch.equal(got.x, given.x)
    assert torch.equal(got.targets, given.targets)


@pytest.mark.parametrize("shape", [(3, 8, 6), (5,)])
def test_a_little_strength_changes_little(shape):
    given = batch(shape)
    got = augment(given, strength=1e-4, flip=0.0)
    assert not torch.equal(got.x, given.x)
    if len(shape) == 3:  # MixUp with a tiny parameter swaps samples whole
        torch.testing.assert_close(got.x, given.x, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(3, 8, 6), (5,)])
def test_the_same_context_gives_the_same_batch_and_another_step_another(shape):
    given = batch(shape)
    first = augment(given)
    torch.rand(3)
    again = augment(given)
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.x, augment(given, step=1).x)
    assert not torch.equal(first.x, augment(given, seed=1).x)


@pytest.mark.parametrize("shape", [(1, 8, 8), (5,)])
def test_each_sample_has_separate_draws(shape):
    same = Batch(batch(shape, 1).x.expand(4, *shape).contiguous(), torch.eye(4))
    got = augment(same).x
    assert all(not torch.equal(got[0], other) for other in got[1:])


ONLY = dict.fromkeys(("crop", "flip", "rotation", "scale", "translation", "noise"), 0.0)
ONLY |= dict.fromkeys(("brightness", "contrast", "saturation"), 0.0)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("crop", {"scale", "translation"}),
        ("rotation", {"rotation"}),
        ("scale", {"scale"}),
        ("translation", {"translation"}),
        ("brightness", {"colour"}),
        ("contrast", {"colour"}),
        ("saturation", {"colour"}),
    ],
)
def test_only_label_preserving_transforms_are_applied(name, needs):
    given = batch((3, 8, 8))
    only = ONLY | {name: 30.0 if name == "rotation" else 0.4}
    assert torch.equal(augment(given, ALL - needs, **only).x, given.x)
    assert not torch.equal(augment(given, frozenset(needs), **only).x, given.x)


@pytest.mark.parametrize(("symmetry", "axis"), [("hflip", -1), ("vflip", -2)])
def test_flips_are_mirror_images_of_half_of_the_samples(symmetry, axis):
    given = batch((3, 7, 8), samples=400)
    only = ONLY | {"flip": 0.5}
    got = augment(given, frozenset({symmetry}), **only).x
    mirrored = torch.isclose(got, given.x.flip(axis), atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(got, given.x, atol=1e-5).flatten(1).all(1)
    assert bool((mirrored ^ kept).all())
    assert 150 < int(mirrored.sum()) < 250
    assert torch.equal(augment(given, ALL - {"hflip", "vflip"}, **only).x, given.x)


def test_translation_with_reflection_is_pad_and_crop():
    given = batch((3, 16, 12), samples=50)
    only = ONLY | {"translation": 0.25}
    got = augment(given, padding="reflection", **only).x
    padded = F.pad(given.x, (3, 3, 4, 4), mode="reflect")
    windows = {
        (top, left): padded[:, :, top : top + 16, left : left + 12] for top in range(9) for left in range(7)
    }
    found = {
        place
        for sample in range(50)
        for place, window in windows.items()
        if torch.allclose(got[sample], window[sample], atol=1e-5)
    }
    matched = sum(
        any(torch.allclose(got[i], window[i], atol=1e-5) for window in windows.values()) for i in range(50)
    )
    assert matched == 50
    assert len(found) > 20


@pytest.mark.parametrize(("padding", "mode"), [("border", "nearest"), ("reflection", "mirror")])
def test_the_affine_map_equals_scipys(padding, mode):
    x = batch((2, 9, 13), samples=4).x
    limits = Limits(crop=0.3, hflip=0.5, vflip=0.5, rotation=40, scale=0.5, translation=0.2)
    matrix, offset = affine_maps(limits, Stream("test").numpy.uniform(-1, 1, (9, 4)), (9, 13))
    got = warp(x, matrix, offset, padding).numpy()
    centre = np.array([4.0, 6.0])
    for i in range(4):
        rows_first = matrix[i][::-1, ::-1]  # scipy's coordinates are (y, x) from the corner
        start = centre + offset[i][::-1] - rows_first @ centre
        for channel in range(2):
            image = x[i, channel].numpy()
            expected = ndimage.affine_transform(image, rows_first, start, order=1, mode=mode)
            np.testing.assert_allclose(got[i, channel], expected, atol=2e-5)


def test_rotation_equals_torchvisions_inside_the_image():
    x = ndimage.gaussian_filter(batch((1, 21, 21), samples=1).x.numpy(), (0, 0, 1, 1))
    x = torch.from_numpy(x)
    draws = np.zeros((9, 1))
    draws[0] = 1.0
    got = warp(x, *affine_maps(Limits(rotation=30), draws, (21, 21)), "border")
    expected = [TF.rotate(x, angle, TF.InterpolationMode.BILINEAR) for angle in (30, -30)]
    inside = (slice(None), slice(None), slice(6, 15), slice(6, 15))
    assert min(float((got[inside] - e[inside]).abs().max()) for e in expected) < 1e-4


def test_the_draws_stay_within_the_limits():
    limits = Limits(crop=0.3, rotation=20, scale=0.5)
    draws = Stream("test").numpy.uniform(-1, 1, (9, 2000))
    matrix, offset = affine_maps(limits, draws, (10, 10))
    zoom = np.sqrt(np.linalg.det(matrix))
    angle = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert -20 <= angle.min() < -19
    assert 19 < angle.max() <= 20
    assert 0.7 / 1.5 <= zoom.min() < 0.55
    assert 1.4 < zoom.max() <= 1.5
    crops, places = affine_maps(Limits(crop=0.3), draws, (10, 10))
    corners = 4.5 * crops[:, 0, 0] + np.abs(places).max(1)
    assert corners.max() <= 4.5 + 1e-9
    assert corners.max() > 4.4
    assert np.array_equal(np.zeros((2000, 2)), affine_maps(Limits(scale=0.5), draws, (10, 10))[1])
    assert np.abs(offset).max() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_changes_equal_torchvisions(channels):
    x = batch((channels, 6, 5), samples=3).x
    one = torch.ones(3)
    for factor in (0.0, 0.6, 1.0, 1.7):
        same = one * factor
        torch.testing.assert_close(recolour(x, same, one, one), TF.adjust_brightness(x, factor))
        contrast = torch.stack([TF.adjust_contrast(image, factor) for image in x])
        torch.testing.assert_close(recolour(x, one, same, one), contrast, atol=1e-3, rtol=0)
        if channels == 3:
            saturated = TF.adjust_saturation(x, factor)
            torch.testing.assert_close(recolour(x, one, one, same), saturated, atol=1e-3, rtol=0)
    assert grey(x).shape == (3, 1, 6, 5)


def test_leaving_one_out_does_not_change_the_others():
    x = batch((1, 8, 8)).x
    both = augment_images(x, Limits(rotation=20, brightness=0.3), "border", Stream("a"))
    turned = augment_images(x, Limits(rotation=20), "border", Stream("a"))
    factor = both.sum((1, 2, 3)) / turned.sum((1, 2, 3))
    expected = recolour(turned, factor, torch.ones(6), torch.ones(6))
    torch.testing.assert_close(both, expected, atol=0.05, rtol=0)
    alone = augment_images(x, Limits(brightness=0.3), "border", Stream("a"))
    assert torch.allclose(alone.sum((1, 2, 3)) / x.sum((1, 2, 3)), factor, atol=0.05)


def test_noise_has_the_requested_standard_deviation():
    grey_image = Batch(torch.full((50, 1, 20, 20), 0.5), torch.eye(50))
    assert float(augment(grey_image, **ONLY | {"noise": 0.04}).x.std()) == pytest.approx(0.04, rel=0.05)
    table = Batch(torch.zeros(500, 20), torch.eye(500))
    assert float(augment(table, noise=0.3, mixup=0.0).x.std()) == pytest.approx(0.3, rel=0.05)
    assert float(augment(table, noise=0.3, mixup=0.0, strength=0.5).x.std()) == pytest.approx(0.15, rel=0.05)


def test_mixup_mixes_inputs_targets_and_domains_alike():
    given = dataclasses.replace(batch((4,), samples=3), domain=torch.tensor([0.0, 1.0, 1.0]))
    share, partner = torch.tensor([1.0, 0.25, 0.5]), torch.tensor([2, 0, 1])
    got = mix(given, share, partner)
    for name in ("x", "targets", "domain"):
        values = getattr(given, name)
        expected = torch.stack([values[0], 0.25 * values[1] + 0.75 * values[0], (values[2] + values[1]) / 2])
        torch.testing.assert_close(getattr(got, name), expected)


def test_tables_are_not_mixed_by_default():
    given = batch((4,), samples=30)
    got = augment(given)
    assert torch.equal(got.targets, given.targets)
    assert not torch.equal(got.x, given.x)


def test_mixup_draws_its_shares_from_a_beta_distribution():
    samples = 4000
    given = Batch(torch.zeros(samples, 2), torch.eye(samples))
    shares = augment(given, mixup=0.5, noise=0.0).targets.diagonal().numpy()
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.5 + 1)), rel=0.05)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_it_composes_with_a_loss_and_resampling(kind):
    split = toy_split(kind, per_class=16, imbalance=5.0)
    recipe = dataclasses.replace(default_recipe(split.info), steps=60, passes=0)
    composition = Composition((Augmentation(), Focal(), Resampling(k_neighbors=2)))
    assert composition.skip(split.info) is None
    result = toy_trial(composition, split, recipe)
    assert (result.predictions[0].argmax(-1) == split.test_y[0]).mean() > 0.7
    assert result.notes == ()


def test_invalid_arguments_are_refused():
    for wrong in ({"strength": -1}, {"flip": 0.6}, {"padding": "black"}, {"rotation": math.inf}):
        with pytest.raises(SpecError):
            Augmentation(**wrong)
