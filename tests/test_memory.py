"""The memory of a worker: source and unlabelled data is released when no strategy refers to it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from toy import toy_trial

from fsbench import Context, Fitted, LabeledSet, Recipe, Strategy
from fsbench.composition import Composition
from fsbench.engine import trial
from fsbench.engine.state import Lent
from fsbench.kinds.image import Image
from fsbench.registry import load_registry
from fsbench.testing import toy_split

SPLIT = toy_split("image", shift=True, unlabeled=40, target_per_class=3)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bool]]:
    """For source and unlabelled data, whether each copy still exists when training data is loaded."""
    copies: dict[str, list[Any]] = {"source": [], "unlabeled": []}
    seen: dict[str, list[bool]] = {}
    put, bring, fit = trial.labeled_set, Image.tensor, trial.fit_cell

    def labeled_set(kind: str, x: Any, *rest: Any, **more: Any) -> LabeledSet:
        found = put(kind, x, *rest, **more)
        if x is SPLIT.source_x:
            copies["source"] += [weakref.ref(found.x), weakref.ref(found.targets)]
        return found

    def tensor(kind: Image, x: Any, device: torch.device) -> torch.Tensor:
        found = bring(kind, x, device)
        if x is SPLIT.unlabeled_x:
            copies["unlabeled"].append(weakref.ref(found))
        return found

    def fit_cell(*given: Any) -> Fitted:
        seen.update({name: [copy() is not None for copy in each] for name, each in copies.items()})
        return fit(*given)

    monkeypatch.setattr(trial, "labeled_set", labeled_set)
    monkeypatch.setattr(Image, "tensor", tensor)
    monkeypatch.setattr(trial, "fit_cell", fit_cell)
    return seen


def run(composition: Composition) -> None:
    toy_trial(composition, SPLIT, Recipe("conv4(width=8)", 3, 8))


@pytest.mark.parametrize("spec", ["transfer(source_steps=3)", "maml(meta_steps=2)", "protonet(meta_steps=2)"])
def test_the_source_is_freed_before_training_starts_from_it(spec: str, held: dict[str, list[bool]]) -> None:
    (composition,) = load_registry().parse(spec)
    run(composition)
    assert held["source"] == [False, False]


@dataclass(frozen=True)
class Keeper(Strategy):
    """Keeps the lent data, or asks for it twice."""

    name = "keeper"
    cite = "nobody"
    keep: bool = True

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"source", "unlabeled"})

    def init_model(self, model: torch.nn.Module, ctx: Context) -> torch.nn.Module:
        source, unlabeled = ctx.source, ctx.unlabeled
        assert ctx.source is source
        assert ctx.unlabeled is unlabeled
        again = source.x.clone()
        if self.keep:
            vars(model)["kept"] = (source, unlabeled)
        del source, unlabeled
        assert torch.equal(ctx.source.x, again)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        return model


def test_a_held_value_stays_and_is_made_once(held: dict[str, list[bool]]) -> None:
    run(Composition((Keeper(),)))
    assert held == {"source": [True, True], "unlabeled": [True]}


def test_a_released_value_is_made_again(held: dict[str, list[bool]]) -> None:
    run(Composition((Keeper(keep=False),)))
    assert held == {"source": [False] * 4, "unlabeled": [False]}


def test_lent_data_is_shared_while_in_use() -> None:
    lent = Lent(lambda: LabeledSet(torch.zeros(2, 1), torch.zeros(2, 3)))
    first = lent()
    assert lent() is first
    kept = replace(first, x=torch.ones(2, 1))
    del first
    assert lent() is not kept
