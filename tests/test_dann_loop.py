"""The strategy `dann` trains as an independent loop in plain torch does."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fsbench import Recipe, load_dataset
from fsbench.engine.context import EngineContext
from fsbench.engine.objective import Objective
from fsbench.engine.state import TrialState
from fsbench.engine.training import draw_batches, train
from fsbench.engine.trial import labeled_set
from fsbench.registry import load_registry
from fsbench.testing import toy_split

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.reference import dann_choices, dann_loop

SPLIT = toy_split("image", shift=True, per_class=30, test_per_class=30)


@pytest.mark.parametrize("spec", ["dann", "dann(norm=none, weight=0.3, gamma=5.0)"])
@pytest.mark.parametrize("passes", ["one", "two"])
@pytest.mark.parametrize("backbone", ["lenet", "lenet(norm=batch)"])
@pytest.mark.parametrize(("optimizer", "lr"), [("adamw", 1e-3), ("sgd", 1e-2)])
def test_the_first_steps_are_those_of_the_loop(
    spec: str, passes: str, backbone: str, optimizer: str, lr: float
) -> None:
    """Two domains pass the body one after the other; inputs of one domain pass it together."""
    (composition,) = load_registry().parse(spec)
    recipe = Recipe(backbone, 8, 16, lr=lr, optimizer=optimizer)  # type: ignore[arg-type]
    cpu = torch.device("cpu")
    state = TrialState(("loop",), SPLIT.info, composition, recipe, cpu)
    ctx = EngineContext(state)
    model = ctx.new_model()
    assert SPLIT.train_domain is not None
    domain = SPLIT.train_domain[0] if passes == "two" else None
    data = labeled_set("image", SPLIT.train_x[0], SPLIT.train_y[0], 3, cpu, domain)
    data = replace(data, x=data.x.double(), targets=data.targets.double())
    assert SPLIT.unlabeled_x is not None
    target = torch.from_numpy(SPLIT.unlabeled_x).double() / 255
    with ctx.entering("fit 0", data):
        objective = Objective(model, composition, ctx).double()
        body, head, domain_head = map(copy.deepcopy, (model.body, model.head, objective.auxiliary["dann"]))
        rows = draw_batches(data, recipe, ctx.stream("batches"))
        others = draw_batches(target, recipe, ctx.stream("unlabeled batches"))
        train(objective, data, recipe, target)
    (subject,) = composition.components
    dann_loop.train(
        body,
        head,
        domain_head,
        (data.x * 2 - 1, data.y),
        target * 2 - 1,
        list(zip(rows, others, strict=True)),
        dann_loop.Choices(
            passes=passes, weight=subject.weight, ramp=subject.gamma, lr=lr, optimizer=optimizer
        ),
    )
    for module in (body, head, domain_head, model, objective.auxiliary):
        module.eval()
    with torch.no_grad():
        x = torch.cat([data.x, target])
        features, expected = model.forward_features(x), body(x * 2 - 1)
        torch.testing.assert_close(features, expected)
        torch.testing.assert_close(model.forward_head(features), head(expected))
        opinions = objective.auxiliary["dann"](features)
        torch.testing.assert_close(opinions, domain_head(expected))


def test_a_blended_digit_is_the_difference_to_a_part_of_a_photograph() -> None:
    grey, _, blended, labels = dann_choices.colour(np.random.default_rng(0))
    assert grey.shape == blended.shape == (2500, 3, 28, 28)
    assert (grey[:, 0] == grey[:, 2]).all()
    assert not (blended[:, 0] == blended[:, 2]).all((1, 2)).any()
    digits = load_dataset("mnist5k")
    found = np.random.default_rng(0).permutation(5000)[2500:]
    assert np.array_equal(labels, digits.y[found])
    assert 0 < blended[digits.x[found].repeat(3, axis=1) == 0].mean() < 255


def test_every_variant_is_trained_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dann_choices", "--steps", "2", "--seeds", "1"])
    dann_choices.main()
    printed = capsys.readouterr().out
    for name in dann_choices.VARIANTS:
        assert f"| {name} | " in printed
