"""What a stage returns is checked: the message says who returned what, where, and what was expected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from kit_strategies import wrong

from fsbench.errors import PluginError
from fsbench.strategy import Strategy
from fsbench.testing import run_toy, toy_split
from fsbench.types import LabeledSet

TOGETHER = "change them together, as train.select does"


def resampling(change) -> type[Strategy]:
    return wrong(resample=lambda self, train, ctx: change(train))


def twice(train: LabeledSet) -> LabeledSet:
    return train.select(torch.arange(len(train)).repeat(2))


def beside_training(train: LabeledSet, **changes) -> LabeledSet:
    return replace(train, x=train.x + 0, **changes)


def configuring(**changes) -> type[Strategy]:
    return wrong(configure=lambda self, recipe, ctx: replace(recipe, **changes))


def fitting(**changes) -> type[Strategy]:
    return wrong(fit=lambda self, train, inner, ctx: inner(train, recipe=replace(ctx.recipe, **changes)))


WRONG = {
    "groups of the old set": (
        resampling(lambda t: replace(t, x=torch.cat([t.x, t.x]), targets=torch.cat([t.targets, t.targets]))),
        rf"^wrong: resample returned 72 inputs but groups for 36; {TOGETHER}$",
    ),
    "weights of the old set": (
        resampling(lambda t: replace(twice(t), weights=torch.ones(len(t)))),
        f"resample returned 72 inputs but weights for 36; {TOGETHER}",
    ),
    "samples added to the old set": (
        resampling(lambda t: replace(twice(t), added=torch.zeros(len(t), dtype=torch.bool))),
        f"resample returned 72 inputs but added for 36; {TOGETHER}",
    ),
    "domain of the old set": (
        resampling(lambda t: replace(twice(t), domain=torch.ones(len(t)))),
        f"resample returned 72 inputs but domain for 36; {TOGETHER}",
    ),
    "targets of the old set": (
        resampling(lambda t: replace(twice(t), targets=t.targets)),
        f"resample returned 72 inputs but targets for 36; {TOGETHER}",
    ),
    "class ids as targets": (
        resampling(lambda t: beside_training(t, targets=t.y)),
        r"wrong: resample returned targets as int64 \[36\]; expected distributions, float \[36, 3\]",
    ),
    "weights of another number of parts": (
        resampling(lambda t: beside_training(t, weights=torch.ones(len(t), 2))),
        f"resample returned 36 inputs but weights for 2; {TOGETHER}",
    ),
    "negative weights": (
        resampling(lambda t: beside_training(t, weights=torch.linspace(-0.1, 1, len(t)))),
        "wrong: resample returned weights that are negative, NaN or all 0",
    ),
    "a part without weight": (
        resampling(
            lambda t: beside_training(t, weights=torch.ones(2, len(t)) * torch.tensor([[1.0], [0.0]]))
        ),
        "wrong: resample returned weights that are negative, NaN or all 0",
    ),
    "no recipe": (
        wrong(configure=lambda self, recipe, ctx: None),
        "^wrong: configure returned NoneType; expected a Recipe",
    ),
    "an unknown optimizer": (
        configuring(optimizer="SGD"),
        "^wrong: configure returned a recipe with optimizer=SGD: expected one of adamw, sgd, .*, got SGD$",
    ),
    "an unknown schedule": (
        configuring(schedule="linear"),
        "^wrong: configure returned a recipe with schedule=linear: expected one of cosine, .*, got linear$",
    ),
    "an unknown precision": (
        fitting(precision="fp32"),
        "^wrong: fit passed inner a recipe with precision=fp32: expected one of float32, bfloat16, got fp32$",
    ),
    "half a step": (
        fitting(steps=2.5),
        "^wrong: fit passed inner a recipe with steps=2.5: expected a whole number, got 2.5$",
    ),
    "negative passes": (
        configuring(passes=-1),
        "^wrong: configure returned a recipe with passes=-1: expected at least 0$",
    ),
    "a pretraining without steps": (
        wrong(
            init_model=lambda self, model, ctx: ctx.pretrain(model, ctx.source, replace(ctx.recipe, steps=0)),
            uses=frozenset({"source"}),
        ),
        "^wrong: init_model passed ctx.pretrain a recipe with steps=0: expected more than 0$",
    ),
    "a tensor of features": (
        wrong(embed=lambda self, batch, ctx: batch.x),
        r"^wrong: embed returned float32 \[1, 8\]; expected dataclasses.replace\(batch, x=features\)",
    ),
    "an array of features": (
        wrong(embed=lambda self, batch, ctx: replace(batch, x=batch.x.numpy())),
        r"^wrong: embed returned ndarray; expected dataclasses.replace\(batch, x=features\)",
    ),
    "one feature without its axis": (
        wrong(embed=lambda self, batch, ctx: replace(batch, x=batch.x.flatten(1).mean(1))),
        r"^wrong: embed returned x as float32 \[1\]; expected features, float \[B, D\]$",
    ),
    "features that are whole numbers": (
        wrong(embed=lambda self, batch, ctx: replace(batch, x=batch.x.flatten(1).long())),
        r"^wrong: embed returned x as int64 \[1, 8\]; expected features, float \[B, D\]$",
    ),
    "copies without their targets": (
        wrong(embed=lambda self, b, ctx: replace(b, x=b.x.repeat(2, 1)) if b.role == "labeled" else b),
        r"^wrong: embed returned 72 samples but targets \[36, 3\]; repeat the targets with the samples",
    ),
    "no model": (
        wrong(init_model=lambda self, model, ctx: None),
        "^wrong: init_model returned NoneType; expected a torch.nn.Module",
    ),
    "a model for other classes": (
        wrong(init_model=lambda self, model, ctx: model.with_head(7)),
        r"^wrong: the model has 7 outputs for 3 classes; give it a head for them by model.with_head",
    ),
    "class numbers as targets": (
        wrong(loss=lambda self, logits, targets, inner, ctx: inner(logits, targets.argmax(1))),
        r"^wrong: loss passed targets int64 \[32\] to inner; expected distributions, float \[32, 3\], like",
    ),
    "a pretraining for other classes": (
        wrong(
            init_model=lambda self, model, ctx: ctx.pretrain(model, ctx.source, ctx.recipe),
            uses=frozenset({"source"}),
        ),
        r"^ctx.pretrain: the model has 3 outputs for 6 classes; give it a head",
    ),
    "targets that are no distributions": (
        wrong(resample=lambda self, train, ctx: replace(train, targets=-train.targets)),
        r"^wrong: resample returned targets that are negative, NaN or do not sum to 1; expected distribu",
    ),
    "targets that do not sum to 1": (
        wrong(resample=lambda self, train, ctx: replace(train, targets=2 * train.targets)),
        r"^wrong: resample returned targets that are negative, NaN or do not sum to 1; expected distribu",
    ),
    "no auxiliary loss": (
        wrong(auxiliary_loss=lambda self, out, ctx: None),
        r"^wrong: auxiliary_loss returned NoneType; expected a scalar, such as 0.0 or losses.mean\(\)",
    ),
    "an auxiliary loss per sample": (
        wrong(auxiliary_loss=lambda self, out, ctx: out.logits.sum(-1)),
        r"^wrong: auxiliary_loss returned float32 \[32\]; expected a scalar",
    ),
    "a list of modules": (
        wrong(auxiliary_modules=lambda self, model, ctx: [torch.nn.Linear(1, 1)]),
        "^wrong: auxiliary_modules returned list; expected a torch.nn.Module",
    ),
}


def test_a_module_needs_a_name_that_torch_takes():
    class Half(Strategy):
        name = "half"

        def auxiliary_modules(self, model, ctx):
            return torch.nn.Linear(1, 1)

    with pytest.raises(PluginError, match=r"^half: torch.nn.ModuleDict has an attribute of this name"):
        run_toy(dataclass(frozen=True)(Half)(), toy_split("table"))


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_result_is_named(case):
    strategy, message = WRONG[case]
    with pytest.raises(PluginError, match=message):
        run_toy(strategy(), toy_split("table", source=True))


def test_a_set_that_changes_as_a_whole_is_taken():
    weighted = resampling(lambda t: replace(twice(t), weights=torch.rand(3, 2 * len(t), dtype=torch.float64)))
    assert np.isfinite(run_toy(weighted(), toy_split("table", shift=True))).all()


def test_a_strategy_may_train_with_a_learning_rate_of_zero():
    assert np.isfinite(run_toy(configuring(lr=0.0)(), toy_split("table"))).all()
