"""What stands behind a fit: networks, ensembles of starts, strategies as arguments, the validation set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from test_step import BATCH_NORM, QUICK, composed, same, trial
from torch import nn
from toy import toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, StepOutput, Strategy, param, specs
from fsbench.cli.citing import cite
from fsbench.composition import Composition
from fsbench.errors import InertComponent, PluginError, SpecError, UndeclaredUse, UnknownName, UsageError
from fsbench.registry import load_registry
from fsbench.testing import toy_split


@pytest.mark.parametrize("spec", ["sklearn+tent", "sklearn+soup", "ensemble+tent", "tent+ensemble"])
def test_changing_weights_without_a_network_fails_with_the_reason(spec: str) -> None:
    with pytest.raises(InertComponent, match=r"(tent|soup) had no effect"):
        trial(spec)


@pytest.mark.parametrize(
    "spec", ["tent", "protonet(meta_steps=2)+tent", "soup+tent", "transfer(source_steps=2)+tent"]
)
def test_changing_weights_of_a_network_changes_the_predictions(spec: str) -> None:
    plain = spec.removesuffix("+tent") if "+" in spec else "erm"
    assert not same(spec, plain, replace(QUICK, backbone="mlp(norm=batch)"), source=True)


def test_an_ensemble_composes_with_an_average_of_the_weights() -> None:
    both = trial("ensemble+ema")
    for alone in ("ensemble", "ema", "erm"):
        assert not np.array_equal(both.predictions, trial(alone).predictions)
    assert same("ensemble+ema", "ema+ensemble")


@pytest.mark.parametrize("copies", ["ensemble(size=2)", "bagging(size=2)", "snapshot(cycles=2)"])
@pytest.mark.parametrize("averaged", ["swa", "ema", "maml(meta_steps=2)"])
def test_statistics_of_copies_of_the_model_cannot_be_renewed_afterwards(copies: str, averaged: str) -> None:
    with pytest.raises(InertComponent, match="write it after this one, as in swa\\+ensemble"):
        trial(f"{copies}+{averaged}", BATCH_NORM, kind="image", source=True)
    trial(f"{averaged}+{copies}", BATCH_NORM, kind="image", source=True)


@pytest.mark.parametrize("copies", ["ensemble(size=2)", "bagging(size=2)"])
@pytest.mark.parametrize("parts", ["lp_ft", "transfer(mode=gradual, source_steps=2)"])
def test_parts_of_a_training_must_go_on_from_each_other(copies: str, parts: str) -> None:
    with pytest.raises(InertComponent, match=r"(lp_ft|transfer) had no effect in all parts"):
        trial(f"{copies}+{parts}", source=True)
    trial(f"{parts}+{copies}", source=True)


def test_an_ensembles_members_start_as_the_spec_says() -> None:
    """Frozen bodies stay frozen, each member has its own, and the first is the trial's start."""
    frozen: list[list[bool]] = []
    bodies: list[torch.Tensor] = []

    @dataclass(frozen=True)
    class Sees(Strategy):
        name = "sees"

        def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
            body = ctx.model.get_submodule("body")
            frozen.append([p.requires_grad for p in body.parameters()])
            bodies.append(torch.cat([p.detach().flatten() for p in body.parameters()]))
            found: Fitted = inner(train)
            return found.map(lambda logits: logits + 0)

    components = composed("transfer(mode=linear_probe, source_steps=3)+ensemble(size=3)").components
    split = toy_split(source=True)
    toy_trial(Composition((Sees(), *components)), split, QUICK)
    assert len(frozen) == 3
    assert not any(flag for flags in frozen for flag in flags)
    assert len({tuple(body.tolist()) for body in bodies}) == 3


def test_an_ensemble_of_one_is_its_member_and_starts_are_made_once_for_all_cells() -> None:
    assert same("ensemble(size=1)", "erm")
    result = trial("transfer(source_steps=23)+ensemble(size=2)", source=True, cells=3)
    assert result.notes == ("transfer: 23 steps of 16 on 108 source samples",)


# Strategies as arguments


@pytest.mark.parametrize(
    "member", ["erm", "focal(gamma=1.0)", "transfer(source_steps=2)+focal", "sklearn", "sam+ema"]
)
@pytest.mark.parametrize("cells", [1, 2])
def test_a_member_equals_its_own_trial(member: str, cells: int) -> None:
    assert same(f'vote(of="{member}")', member, source=True, cells=cells)


@pytest.mark.parametrize("member", ["reptile(meta_steps=2)", "maml(meta_steps=2)", "protonet(meta_steps=2)"])
def test_dropout_of_meta_training_does_not_depend_on_the_members_before_it(member: str) -> None:
    beside = "maml(meta_steps=3)"
    first, second = f'vote(of="{member}, {beside}")', f'vote(of="{beside}, {member}")'
    recipe = replace(QUICK, dropout=0.5)
    found, other = trial(first, recipe, source=True), trial(second, recipe, source=True)
    np.testing.assert_allclose(found.predictions, other.predictions, rtol=1e-6)


def test_a_member_is_bit_identical_even_with_dropout_and_batch_normalisation() -> None:
    assert same("vote(of=focal)", "focal", BATCH_NORM, kind="image")


@pytest.mark.parametrize("cells", [1, 2])
def test_a_member_gets_the_passes_of_its_own_trial(cells: int) -> None:
    recipe = replace(QUICK, steps=2, passes=5)
    for member in ("erm", "transfer(mode=frozen_then_finetune, source_steps=2)"):
        assert same(f'vote(of="{member}")', member, recipe, source=True, cells=cells)
    long = trial("erm", recipe, source=True, cells=cells).predictions
    assert not np.array_equal(
        long, trial("erm", replace(recipe, passes=0), source=True, cells=cells).predictions
    )


def test_members_can_have_members() -> None:
    assert same("""vote(of="vote(of='focal')")""", "focal")


def test_member_texts_are_canonical_and_contain_their_full_specs() -> None:
    composition = composed('vote(of="focal( gamma = 2.0 ), sklearn(C=[0.5, 1.0])")')
    assert composition.text == 'vote(of="focal, sklearn(C=0.5), sklearn")'
    assert "gamma=2.0" in composition.full_spec
    assert "estimator=logistic_regression" in composition.full_spec
    assert composed(composition.text).full_spec == composition.full_spec
    assert specs(composition.components[0].of) == ["focal", "sklearn(C=0.5)", "sklearn"]  # type: ignore[attr-defined]
    assert composed("vote(of=focal(gamma=1.0))").text == 'vote(of="focal(gamma=1.0)")'


def test_the_contents_that_a_member_depends_on_are_in_the_full_spec(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    torch.save({}, file)
    spec = f"vote(of='transfer(weights=\"{file}\")')"
    before = composed(spec).full_spec
    assert "sha256:" in before
    torch.save({"a": torch.ones(1)}, file)
    assert composed(spec).full_spec != before


def test_uses_and_skips_are_those_of_the_members() -> None:
    composition = composed('vote(of="transfer, early_threshold")')
    assert composition.uses == {"source", "val"}
    assert composition.skip(toy_split().info) == "transfer: needs source data"
    assert composition.skip(toy_split(source=True).info) is None
    assert [c.name for c in composition.all_components] == ["vote", "transfer", "early_threshold"]


def test_a_members_recipe_is_refused_and_its_papers_are_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    composition = composed('vote(of="focal, transfer(weights=imagenet)")')
    with pytest.raises(UsageError, match="conv4"):
        composition.check_recipe(replace(QUICK, backbone="conv4"))
    registry = load_registry(["plugins_training"])
    monkeypatch.setattr("fsbench.registry.get_registry", lambda: registry)
    said = CliRunner().invoke(cite, ['vote(of="focal, transfer"), digits']).output
    for paper in ("Kittler", "Lin, T.-Y.", "Yosinski", "Alpaydin"):
        assert paper in said


def test_a_member_without_effect_fails_the_trial() -> None:
    with pytest.raises(InertComponent, match=r"sklearn\+focal: focal had no effect"):
        trial('vote(of="erm, sklearn+focal")')


def test_a_component_beside_an_owner_of_fit_and_outside_its_members_has_no_effect() -> None:
    with pytest.raises(InertComponent, match="focal had no effect"):
        trial('focal+vote(of="erm, sklearn")')


def test_unknown_members_are_refused_before_the_run() -> None:
    with pytest.raises(UnknownName, match="unknown strategy 'focl'"):
        composed("vote(of=focl)")
    with pytest.raises(UnknownName, match="unknown strategy 'all'"):
        composed("vote(of=all)")
    with pytest.raises(SpecError):
        composed('vote(of="focal(")')

    @dataclass(frozen=True)
    class Undeclared(Strategy):
        name = "undeclared"
        of: str = "erm"

        def fit(self, train: LabeledSet, inner: Any, ctx: Context) -> Fitted:
            return ctx.fit_with(self.of, train)

    with pytest.raises(PluginError, match="undeclared: no field that holds specs names 'erm'"):
        trial(Composition((Undeclared(),)))


def test_a_field_can_hold_a_list() -> None:
    composition = composed("widths(sizes=[[1, 2, 3]])")
    assert composition.components[0].sizes == (1, 2, 3)  # type: ignore[attr-defined]
    assert composition.text == "widths(sizes=[[1, 2, 3]])"
    assert composed("widths(sizes=[[4, 8]])").text == "widths"
    with pytest.raises(SpecError, match=r"a list in a list, such as \[\[1, 2\]\]"):
        composed("widths(sizes=3)")


# The validation set


@pytest.mark.parametrize("asks", ["ctx", "argument"])
def test_the_validation_set_must_be_declared(asks: str) -> None:
    trial(f"early_threshold(asks={asks})")
    with pytest.raises(UndeclaredUse, match="early_threshold touched val data in postprocess"):
        trial(f"early_threshold(asks={asks}, declared=false)")


def test_a_fit_on_the_predictions_of_the_validation_set_can_take_gradients() -> None:
    @dataclass(frozen=True)
    class Fits(Strategy):
        name = "fits"

        @property
        def uses(self) -> frozenset[str]:
            return frozenset({"val"})

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
            scale = torch.ones(1, requires_grad=True)
            loss = -(val.targets * (scale * fitted.predict(val.x)).log_softmax(-1)).sum()
            (slope,) = torch.autograd.grad(loss, scale)
            return fitted.map(lambda logits: logits * (1 - 0.01 * slope.sign()))

    ratio = trial(Composition((Fits(),))).predictions / trial("erm").predictions
    np.testing.assert_allclose(np.abs(ratio - 1), 0.01, rtol=1e-2)


# Contracts of authors


def test_a_stage_that_returns_a_bare_function_gets_a_clear_error() -> None:
    @dataclass(frozen=True)
    class Bare(Strategy):
        name = "bare"

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Any:
            return lambda x: fitted.predict(x)

    with pytest.raises(PluginError, match=r"bare: postprocess returned function; expected fsbench.Fitted"):
        trial(Composition((Bare(),)))


@pytest.mark.parametrize(
    ("stage", "what"), [("configure", "model"), ("configure", "class_counts"), ("init_model", "val")]
)
def test_using_something_too_early_is_an_error_in_one_line(stage: str, what: str) -> None:
    @dataclass(frozen=True)
    class Early(Strategy):
        name = "early"

        @property
        def uses(self) -> frozenset[str]:
            return frozenset({"val"})

    def asks(self: Strategy, value: Any, ctx: Context) -> Any:
        return getattr(ctx, what)

    setattr(Early, stage, asks)
    with pytest.raises(PluginError, match=f"early: there is no ctx.{what} in {stage}"):
        trial(Composition((Early(),)))


def test_the_losses_of_episodes_have_the_model_too() -> None:
    @dataclass(frozen=True)
    class Norms(Strategy):
        name = "norms"
        amount: float = param(0.1)

        def loss(self, logits: Any, targets: Any, inner: Any, ctx: Context) -> torch.Tensor:
            found: torch.Tensor = inner(logits, targets)
            return found + self.amount * sum(p.square().sum() for p in ctx.model.parameters())

    components = composed("maml(meta_steps=2)").components
    found = trial(Composition((*components, Norms())), source=True)
    assert not np.array_equal(found.predictions, trial("maml(meta_steps=2)", source=True).predictions)


def test_unlabelled_batches_have_a_role_their_own_size_and_the_raw_view() -> None:
    seen: set[tuple[str, int]] = set()

    @dataclass(frozen=True)
    class Noise(Strategy):
        name = "noise"

        @property
        def uses(self) -> frozenset[str]:
            return frozenset({"unlabeled"})

        def augment(self, batch: Batch, ctx: Context) -> Batch:
            seen.add((batch.role, len(batch.x)))
            return replace(batch, x=batch.x + 1)

        def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor:
            assert out.batch.unlabeled is not None
            assert out.batch.raw_unlabeled is not None
            assert torch.equal(out.batch.unlabeled, out.batch.raw_unlabeled + 1)
            assert isinstance(out.model, nn.Module)
            losses = ctx.loss(out.logits, out.targets)
            assert losses.shape == (16,)
            return losses.mean()

    trial(Composition((Noise(),)), replace(QUICK, unlabeled_batch_size=5), unlabeled=30)
    assert seen == {("labeled", 16), ("unlabeled", 5)}
