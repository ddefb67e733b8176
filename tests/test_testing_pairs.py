"""Runs on toy data: fewer steps, pairs, and which strategy is at fault when a pair fails."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from kit_strategies import Mean, Mix, Nearest, Smooth, Source, half_loss, picky_loss, renamed, wrong

from fsbench import Strategy
from fsbench.composition import Composition
from fsbench.registry import get_registry
from fsbench.testing import CheckResult, behaviour, check_conformance, quick, run_pair, run_toy, toy_split


def test_quick_lowers_fields_that_count_steps():
    assert quick(Source()).steps == 3
    assert quick(Source(steps=2)).steps == 2
    assert quick(Smooth()) == Smooth()


def test_quick_lowers_the_steps_of_the_strategies_that_a_field_names():
    nested = Mean(of="maml(meta_steps=9), transfer(source_steps=200)+focal(gamma=1)")
    assert quick(nested).of == "maml(adapt_steps=3, meta_steps=3), transfer(source_steps=3)+focal(gamma=1.0)"


def test_pairs_run_or_say_why_not():
    assert run_pair(Smooth(), Mix()) is None
    assert "smooth had no effect" in run_pair(Nearest(), Smooth())
    assert "nearest and rival both own" in run_pair(Nearest(), renamed(Nearest, "rival"))
    tables, images = (renamed(Smooth, kind, kinds=frozenset({kind})) for kind in ("table", "image"))
    assert run_pair(tables, images) == "table and image have no kind of samples in common"
    assert run_pair(wrong(loss=half_loss, skip=lambda self, task: "never")(), Smooth()) == "wrong: never"


def test_a_pair_that_breaks_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_pair(Smooth(), wrong(configure=lambda self, recipe, ctx: 1 / 0)())


def test_more_steps_fit_better():
    split = toy_split("table")
    logits = run_toy(Smooth(), split, steps=40)
    assert np.array_equal(logits, run_toy(Composition((Smooth(),)), split, steps=40))
    assert logits.shape == (1, 60, 3)
    assert (logits.argmax(-1) == split.test_y).mean() > 0.95


def installed(monkeypatch, *classes: type[Strategy]) -> None:
    """Install only the baseline and these strategies."""
    strategies = {"erm": get_registry().strategies["erm"]} | {cls.name: cls for cls in classes}
    monkeypatch.setattr(behaviour, "get_registry", lambda: SimpleNamespace(strategies=strategies))


def together(strategy) -> CheckResult:
    return {r.name: r for r in check_conformance(strategy)}["composes with what is installed"]


def test_an_installed_strategy_that_fails_by_itself_is_blamed_itself(monkeypatch):
    broken = wrong(configure=lambda self, recipe, ctx: 1 / 0)
    installed(monkeypatch, Mix, broken)
    found = together(Smooth)
    assert found.status == "skipped"
    assert found.reason == (
        "not checked with strategies that fail without it: wrong (ZeroDivisionError: division by zero)"
    )
    installed(monkeypatch, Smooth, Mix)
    assert together(broken).status == "failed"


def test_a_strategy_that_fails_beside_any_loss_is_blamed(monkeypatch):
    installed(monkeypatch, wrong(loss=picky_loss))
    assert "wrong (AssertionError: soft targets" in together(Mix).reason


def test_a_strategy_that_breaks_others_is_blamed(monkeypatch):
    installed(monkeypatch, Mix)
    found = together(wrong(loss=picky_loss))
    assert (found.status, found.traceback != "") == ("failed", True)
    assert found.reason.startswith("wrong+mix: AssertionError")


def test_a_strategy_alone_has_nothing_to_compose_with(monkeypatch):
    installed(monkeypatch, Smooth)
    assert together(Smooth).reason == "nothing else is installed"
