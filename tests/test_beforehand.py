"""What is said before a run on own data: the number of seeds, and what they can settle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from drawn import draw, task
from torch import nn

from fsbench import stats
from fsbench.beforehand import CHEAP, outlook, seeds_for, smallest_difference, trial_cost
from fsbench.own import OwnData, read_own
from fsbench.recipes.catalogue import BACKBONES
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.types import Recipe, TaskInfo


def counted(body: nn.Module, shape: tuple[int, ...]) -> float:
    """The multiplications of the layers in one pass, from the shapes of their outputs."""
    found: list[float] = []

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        weight = layer.weight
        found.append(weight.numel() * (out[0, 0].numel() if weight.ndim == 4 else 1))

    for layer in body.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    body(torch.zeros(1, *shape))
    return sum(found)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("mlp", (13,), {}),
        ("mlp", (1, 8, 8), {"widths": (32, 16, 8)}),
        ("conv4", (1, 8, 8), {"width": 32, "norm": "group"}),
        ("conv4", (3, 64, 64), {}),
        ("conv4", (3, 9, 30), {"width": 16}),
    ],
)
def test_the_multiplications_of_a_backbone_are_those_of_its_layers(name, shape, arguments):
    module, function = BACKBONES[name].make.split(":")
    made = getattr(__import__(module, fromlist=[function]), function)(shape, **arguments)[0]
    count = BACKBONES[name].multiplications
    assert count is not None
    assert count(shape, **arguments) == counted(made, shape)


MEASURED = [((1, 8, 8), 46), ((1, 14, 14), 62), ((1, 28, 28), 240), ((30,), 8), ((13,), 9)]


@pytest.mark.parametrize(("shape", "loops"), MEASURED)
def test_the_estimated_cost_is_near_the_measured_one(shape, loops):
    """What benchmarks/suite_costs.py printed for tasks of semi-v1, less 96 loops to predict 10,000 images."""
    backbone = "conv4(norm=group, width=32)" if len(shape) == 3 else "mlp"
    found = trial_cost(Recipe(backbone=backbone, steps=200, batch_size=32), shape)
    assert loops / 3 < found < loops * 3


@pytest.mark.parametrize(
    ("text", "recipe", "expected"),
    [
        ("holdout(wine)", {}, 10),
        ("holdout(digits)", {}, 10),
        ("holdout(wine)", {"steps": 10**6}, 5),
        ("holdout(digits)", {"backbone": "resnet18"}, 5),
    ],
)
def test_cheap_runs_have_ten_seeds(text, recipe, expected):
    compositions = get_registry().parse("erm, focal")
    assert seeds_for([task(text)], {"": compositions}, recipe) == expected


def test_the_number_of_seeds_is_about_all_trials():
    rows = {"": get_registry().parse("erm, focal, transfer")}
    recipe = default_recipe(task("holdout(wine)").info)
    steps = int(CHEAP / (10 * 2 * trial_cost(recipe, (13,))) * recipe.steps)
    assert seeds_for([task("holdout(wine)")], rows, {"steps": steps - 10}) == 10
    assert seeds_for([task("holdout(wine)")], rows, {"steps": steps + 10}) == 5
    assert seeds_for([task("holdout(wine)")] * 2, rows, {"steps": steps - 10}) == 5
    assert seeds_for([task("holdout(wine)")], {"tuning(n=1)": rows[""]}, {"steps": steps - 10}) == 5


def test_large_pictures_are_not_cheap():
    info = TaskInfo("holdout(photos)", "holdout", "image", (3, 64, 64), 2)
    recipe = Recipe(backbone="conv4(norm=group, width=32)", steps=200, batch_size=32)
    assert 10 * 8 * trial_cost(recipe, info.input_shape) > CHEAP


@pytest.mark.parametrize(
    ("text", "compared"), [("kshot(digits, k=5)", 1), ("kshot(wine, k=5)", 6), ("holdout(wine)", 3)]
)
def test_a_difference_that_can_be_settled_is_found_eight_times_in_ten(text, compared):
    """By simulation: two strategies that disagree on a fifth of the samples, by that difference."""
    splits, runs = [draw(text, seed) for seed in range(10)], 300
    wanted = smallest_difference(splits, compared)
    rng, found = np.random.default_rng(0), 0
    for _ in range(runs):
        chances = [(0.2 - wanted) / 2, 0.8, (0.2 + wanted) / 2]
        gain = rng.choice([-1.0, 0.0, 1.0], p=chances, size=2000)
        places, influences, values = [], [], []
        for split in splits:
            index, y = split.test.index[0], split.test.y[0]
            classes = np.bincount(y)
            means = np.bincount(y, weights=gain[index]) / classes
            influences.append((gain[index] - means[y]) / len(classes) / classes[y])
            places.append(index)
            values.append(float(means.mean()))
        parts = stats.crossed(places, influences)
        estimate = stats.estimate(stats.Sample(tuple(values), 0.001, parts.common, parts.own))
        found += stats.verdict(estimate.mean, estimate.p * compared, True) == "helps"
    assert 0.7 < found / runs < 0.92


def test_more_of_anything_settles_smaller_differences():
    few, more = ([draw("kshot(wine, k=5)", seed) for seed in range(n)] for n in (5, 10))
    large = [draw("kshot(digits, k=5)", seed) for seed in range(5)]
    base = smallest_difference(few, 3)
    assert smallest_difference(more, 3) < base
    assert smallest_difference(few, 1) < base
    assert smallest_difference(large, 3) < base
    assert math.isfinite(base)
    assert smallest_difference(few, 3, error=0.05) == base
    assert smallest_difference(few, 3, error=0.0125) == pytest.approx(smallest_difference(few, 12))
    with_noise = smallest_difference([draw("holdout(wine)", seed) for seed in range(5)], 3)
    assert with_noise > smallest_difference([draw("holdout(wine)", seed) for seed in range(50)], 3)


def test_the_outlook_is_one_line_for_each_task_that_compares_anything():
    compositions = get_registry().parse("erm, focal, transfer")
    (line,) = outlook([task("holdout(wine)")], compositions, range(10))
    assert line.startswith(
        "holdout(wine): with 10 split seeds of 53 test samples, and 1 comparison with the baseline, "
    )
    assert "points or more in balanced accuracy can be settled" in line
    (line,) = outlook([task("holdout(wine, test=0.1)")], get_registry().parse("all"), range(2))
    assert "with the baseline, no difference in balanced accuracy can be settled" in line
    assert outlook([task("holdout(wine)")], compositions, [0]) == []
    assert outlook([task("holdout(wine)")], compositions[:1], range(10)) == []


@pytest.mark.parametrize("trained", [6, 1])
def test_the_outlook_says_that_equal_splits_have_no_verdicts(no_dataset_stays, tmp_path, trained):
    """A table with given parts, and a task that draws from them if their classes are large enough."""
    rng, parts = np.random.default_rng(0), {}
    for part, count in (("train", trained), ("val", 3), ("test", 5)):
        parts |= {f"x_{part}": rng.normal(size=(2 * count, 3)), f"y_{part}": np.repeat([0, 1], count)}
    np.savez(tmp_path / "parts.npz", **parts)
    read_own(OwnData(tmp_path / "parts.npz")).register()
    found = outlook([task("holdout(parts)")], get_registry().parse("erm, focal"), range(3))
    such_as = ", such as holdout(parts, train=0.5)" if trained > 1 else ""
    assert found == [
        "holdout(parts): every split trains on the same samples, so there are no verdicts; name a task that "
        f"draws them{such_as}"
    ]
    if such_as:
        (line,) = outlook([task("holdout(parts, train=0.5)")], get_registry().parse("erm, focal"), range(3))
        assert "can be settled" in line
