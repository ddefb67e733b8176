"""The conformance kit passes what is right and catches every way of being wrong."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fsbench import Fitted, Strategy, param, specs
from fsbench.composition import Composition
from fsbench.errors import SpecError, UnknownName
from fsbench.kinds import kind_names
from fsbench.registry import get_registry
from fsbench.testing import (
    CheckResult,
    behaviour,
    check_conformance,
    conformance,
    quick,
    run_pair,
    run_toy,
    toy_split,
)
from fsbench.testing.running import toys


@dataclass(frozen=True)
class Smooth(Strategy):
    """Label smoothing."""

    name = "smooth"
    cite = "Szegedy et al. 2016"
    amount: float = param(0.1, low=0.0, high=0.9)

    def loss(self, logits, targets, inner, ctx):
        return inner(logits, (1 - self.amount) * targets + self.amount / targets.shape[1])


@dataclass(frozen=True)
class Mix(Strategy):
    """Mixes each sample with the next."""

    name = "mix"
    cite = "nobody"

    def augment(self, batch, ctx):
        targets = (batch.targets + batch.targets.roll(1, 0)) / 2
        return replace(batch, x=(batch.x + batch.x.roll(1, 0)) / 2, targets=targets)


@dataclass(frozen=True)
class Source(Strategy):
    """Pretrains on the source."""

    name = "source"
    cite = "nobody"
    steps: int = param(400, low=2)

    @property
    def uses(self):
        return frozenset({"source"})

    def skip(self, task):
        return None if task.has_source else "needs source data"

    def init_model(self, model, ctx):
        source = ctx.source
        pretrained = ctx.pretrain(model.with_head(source.num_classes), source, replace(ctx.recipe, steps=9))
        return pretrained.with_head(ctx.num_classes)


@dataclass(frozen=True)
class Nearest(Strategy):
    """The class of the nearest mean."""

    name = "nearest"
    cite = "nobody"
    replaces = frozenset({"fit"})

    def fit(self, train, inner, ctx):
        flat = train.x.flatten(1)
        means = train.targets.T @ flat / train.targets.sum(0)[:, None]
        return Fitted(lambda x: -torch.cdist(x.flatten(1), means))


def verdicts(strategy) -> dict[str, str]:
    return {r.name: r.status if r.status != "failed" else r.reason for r in check_conformance(strategy)}


@pytest.mark.parametrize("strategy", [Smooth, Mix, Source, Nearest], ids=lambda cls: cls.name)
def test_what_is_right_passes(strategy):
    assert set(verdicts(strategy).values()) <= {"ok", "skipped"}


def test_checks_that_do_not_apply_say_why():
    results = {r.name: r for r in check_conformance(Smooth)}
    assert results["keeps the loss per sample"].status == "ok"
    skipped = results["keeps targets distributions"]
    assert (skipped.status, skipped.reason) == (
        "skipped",
        "it changes neither batches nor the training set",
    )


def wrong(fields: dict | None = None, **members) -> type[Strategy]:
    """A strategy that is right but for what is given."""
    members = {"name": "wrong", "cite": "nobody", "__doc__": "Wrong.", **members}
    members["__annotations__"] = dict.fromkeys(fields or {}, float)
    return dataclass(frozen=True)(type("Wrong", (Strategy,), members | (fields or {})))


def half_loss(self, logits, targets, inner, ctx):
    return inner(logits, targets) / 2


def draws_from(sample):
    def augment(self, batch, ctx):
        return replace(batch, x=batch.x + sample())

    return augment


def mean_loss(self, logits, targets, inner, ctx):
    return inner(logits, targets).mean()


def plain_log_loss(self, logits, targets, inner, ctx):
    return -(targets * logits.softmax(-1).log()).sum(-1)


def detached_loss(self, logits, targets, inner, ctx):
    return inner(logits, targets).detach() + 0 * logits.sum(-1).detach()


def doubled_targets(self, batch, ctx):
    return replace(batch, targets=2 * batch.targets)


def uses_source(self, model, ctx):
    ctx.source  # noqa: B018
    return model


def picky_loss(self, logits, targets, inner, ctx):
    assert set(targets.unique().tolist()) <= {0, 1}, "soft targets"
    return inner(logits, targets) / 2


def ascends(self, logits, targets, inner, ctx):
    return -inner(logits, targets).clamp(max=3)


def keeps_fit_to_itself(self, train, inner, ctx):
    return Nearest().fit(train, inner, ctx)


WRONG = {
    "no default": (
        wrong({"amount": param(0.1)}, __init__=lambda self, amount: None),
        "constructs by default",
        "amount",
    ),
    "no docstring": (wrong(loss=half_loss, __doc__=None), "is documented and cites its source", "docstring"),
    "the template's docstring": (
        wrong(loss=half_loss, __doc__="TODO: what it does."),
        "is documented and cites its source",
        "the docstring still says TODO",
    ),
    "the template's source": (
        wrong(loss=half_loss, cite="TODO: Author (year)."),
        "is documented and cites its source",
        "the cite still says TODO",
    ),
    "no source": (wrong(loss=half_loss, cite=" "), "is documented and cites its source", "cite is empty"),
    "unknown use": (wrong(loss=half_loss, uses=frozenset({"magic"})), "declares what exists", "magic"),
    "unknown kind": (
        wrong(loss=half_loss, kinds=frozenset({"smell"})),
        "declares what exists",
        "smell",
    ),
    "replaces nothing": (wrong(loss=half_loss, replaces=frozenset({"fit"})), "declares what exists", "fit"),
    "no stage": (wrong(), "declares what exists", "overrides no stage"),
    "not a bound": (
        wrong({"amount": param(0.5, low=0.0)}, loss=half_loss, __post_init__=lambda self: None),
        "takes its bounds and no more",
        "amount=-1.0 is accepted",
    ),
    "odd skip": (wrong(loss=half_loss, skip=lambda self, task: False), "says why it skips", "False"),
    "always skips": (
        wrong(loss=half_loss, skip=lambda self, task: "no"),
        "runs on what it claims",
        "skips every",
    ),
    "undeclared use": (wrong(init_model=uses_source), "runs on what it claims", "UndeclaredUse"),
    "python's random": (wrong(augment=draws_from(random.random)), "leaves global randomness alone", "random"),
    "numpy's random": (wrong(augment=draws_from(np.random.rand)), "same seed, same logits", "ctx.rng"),
    "the clock": (wrong(augment=draws_from(lambda: time.time_ns() % 7)), "same seed, same logits", "differ"),
    "learns nothing": (wrong(loss=ascends), "learns separable classes", "accuracy"),
    "no effect": (
        wrong(augment=lambda self, batch, ctx: batch),
        "has an effect",
        "equal those of the baseline",
    ),
    "one loss for all": (wrong(loss=mean_loss), "runs on what it claims", "shape []"),
    "unstable loss": (wrong(loss=plain_log_loss), "keeps the loss per sample", "not finite"),
    "no gradient": (wrong(loss=detached_loss), "keeps the loss per sample", "not differentiable"),
    "targets": (wrong(augment=doubled_targets), "keeps targets distributions", "not a distribution"),
    "hidden owner": (wrong(fit=keeps_fit_to_itself), "composes with probes", "declare replaces"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_caught(case):
    strategy, name, message = WRONG[case]
    (check,) = (check for check in conformance(strategy) if str(check) == name)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - a strategy may raise anything
        check()
    assert message in f"{caught.type.__name__}: {caught.value}"


@dataclass(frozen=True)
class FixMatch(Strategy):
    """Learns from those of its own predictions on unlabelled data of which it is sure."""

    name = "fixmatch"
    cite = "Sohn et al. 2020"
    threshold: float = param(0.95, low=0.0, high=1.0)

    @property
    def uses(self):
        return frozenset({"unlabeled"})

    def skip(self, task):
        return None if task.num_unlabeled else "needs unlabeled data"

    def auxiliary_loss(self, out, ctx):
        if out.unlabeled_logits is None:
            return 0.0
        confidence, labels = out.unlabeled_logits.detach().softmax(-1).max(-1)
        sure = confidence > self.threshold
        if not sure.any():
            return 0.0
        return torch.nn.functional.cross_entropy(out.unlabeled_logits[sure], labels[sure])


def test_a_method_that_waits_until_it_is_sure_passes_in_time():
    started = time.process_time()
    found = verdicts(FixMatch())
    assert set(found.values()) <= {"ok", "skipped"}
    assert found["has an effect"] == found["runs on what it claims"] == "ok"
    assert time.process_time() - started < 10


def test_a_method_that_is_never_sure_has_no_effect():
    found = verdicts(FixMatch(threshold=1.0))
    assert found["has an effect"] == "its logits equal those of the baseline everywhere"
    assert "fixmatch had no effect" in found["runs on what it claims"]


def test_what_did_not_run_is_not_ok():
    nowhere = verdicts(wrong(loss=half_loss, skip=lambda self, task: "never"))
    assert [name for name, verdict in nowhere.items() if verdict == "ok"] == [
        "constructs by default",
        "is documented and cites its source",
        "declares what exists",
        "round-trips as text",
        "says why it skips",
    ]
    owner = wrong(loss=half_loss, fit=keeps_fit_to_itself, replaces=frozenset({"fit"}))
    results = {r.name: r for r in check_conformance(owner)}
    assert (results["keeps the loss per sample"].status, results["keeps the loss per sample"].reason) == (
        "skipped",
        "no loss was asked for",
    )


def installed(monkeypatch, *classes: type[Strategy]) -> None:
    """Make the baseline and these all that is installed."""
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
        "not checked beside what fails without it: wrong (ZeroDivisionError: division by zero)"
    )
    installed(monkeypatch, Smooth, Mix)
    assert together(broken).status == "failed"


def test_one_that_fails_beside_any_loss_is_blamed_itself(monkeypatch):
    installed(monkeypatch, wrong(loss=picky_loss))
    assert "wrong (AssertionError: soft targets" in together(Mix).reason


def test_a_strategy_that_breaks_others_is_blamed(monkeypatch):
    installed(monkeypatch, Mix)
    found = together(wrong(loss=picky_loss))
    assert (found.status, found.traceback != "") == ("failed", True)
    assert found.reason.startswith("wrong+mix: AssertionError")


def test_alone_there_is_nothing_to_compose_with(monkeypatch):
    installed(monkeypatch, Smooth)
    assert together(Smooth).reason == "nothing else is installed"


def test_a_failed_check_is_a_result_with_its_reason():
    found = verdicts(wrong(augment=doubled_targets))
    assert found["keeps targets distributions"] == "a row of the targets is not a distribution"
    assert found["constructs by default"] == "ok"
    broken = verdicts(wrong(configure=lambda self, recipe, ctx: 1 / 0))
    assert broken["runs on what it claims"] == "ZeroDivisionError: division by zero"


def test_a_spec_names_a_registered_strategy():
    assert [check.subject.strategy.name for check in conformance("erm")] == ["erm"] * len(conformance(Smooth))
    with pytest.raises(UnknownName):
        conformance("no_such_strategy")
    with pytest.raises(SpecError, match="one strategy"):
        conformance("erm,focal")


def test_an_instance_is_checked_as_it_is():
    assert all(check.subject.strategy.amount == 0.5 for check in conformance(Smooth(amount=0.5)))


def test_quick_lowers_what_counts_steps():
    assert quick(Source()).steps == 3
    assert quick(Source(steps=2)).steps == 2
    assert quick(Smooth()) == Smooth()


@dataclass(frozen=True)
class Mean(Strategy):
    """The mean of the logits of several strategies."""

    name = "mean"
    cite = "nobody"
    replaces = frozenset({"fit"})
    of: str = param("erm, sklearn", spec=True)

    def fit(self, train, inner, ctx):
        members = [ctx.fit_with(each, train) for each in specs(self.of)]
        return Fitted(lambda x: sum(member.predict(x) for member in members) / len(members))


def test_quick_lowers_the_steps_of_the_strategies_that_a_field_names():
    nested = Mean(of="maml(meta_steps=9), transfer(source_steps=200)+focal(gamma=1)")
    assert quick(nested).of == "maml(adapt_steps=3, meta_steps=3), transfer(source_steps=3)+focal(gamma=1.0)"


def test_a_strategy_of_strategies_passes():
    assert set(verdicts(Mean).values()) <= {"ok", "skipped"}


def test_pairs_run_or_say_why_not():
    assert run_pair(Smooth(), Mix()) is None
    assert "smooth had no effect" in run_pair(Nearest(), Smooth())
    assert "nearest and rival both own" in run_pair(Nearest(), _renamed(Nearest, "rival"))
    tables, images = (_renamed(Smooth, kind, kinds=frozenset({kind})) for kind in ("table", "image"))
    assert run_pair(tables, images) == "no kind in common"
    assert run_pair(wrong(loss=half_loss, skip=lambda self, task: "never")(), Smooth()) == "wrong: never"


def test_a_pair_that_breaks_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_pair(Smooth(), wrong(configure=lambda self, recipe, ctx: 1 / 0)())


def _renamed(cls: type[Strategy], name: str, **members) -> Strategy:
    return dataclass(frozen=True)(type(name, (cls,), {"name": name, "__doc__": "Renamed.", **members}))()


@pytest.mark.parametrize("kind", ["image", "table"])
def test_toy_splits_look_like_real_ones(kind):
    split = toy_split(kind, cells=2, source=True, imbalance=4.0, unlabeled=7)
    info = split.info
    assert split.train_x.shape[0] == split.test_y.shape[0] == 2
    assert split.train_x.shape[2:] == info.input_shape
    assert np.bincount(split.train_y[0]).tolist() == [12, 6, 3]
    assert split.train_x.dtype == (np.uint8 if kind == "image" else np.float32)
    assert split.unlabeled_x.shape == (7, *info.input_shape)
    assert split.source_x.shape[1:] == info.source_shape
    assert split.source_y.max() + 1 == info.source_classes == 6
    assert toy_split(kind, seed=3).train_x.tobytes() == toy_split(kind, seed=3).train_x.tobytes()
    assert toy_split(kind, seed=3).train_x.tobytes() != toy_split(kind, seed=4).train_x.tobytes()


@pytest.mark.parametrize("kind", kind_names())
def test_the_toys_have_all_that_a_strategy_can_use(kind):
    infos = [split.info for split in toys(kind)]
    assert {info.protocol for info in infos} == {"longtail", "kshot", "shift", "episodes"}
    assert any(info.num_unlabeled and not info.has_source for info in infos)
    assert any(info.has_source and not info.num_unlabeled for info in infos)


def test_a_shifted_toy_has_labels_of_both_domains():
    split = toy_split(shift=True, target_per_class=2)
    assert np.bincount(split.train_domain[0]).tolist() == [36, 6]
    assert split.info.num_unlabeled == len(split.unlabeled_x)
    assert split.info.labels_on_target
    assert not toy_split(shift=True).info.labels_on_target
    assert split.test_x.mean() > split.source_x.mean() + 0.2


def test_more_steps_fit_better():
    split = toy_split("table")
    logits = run_toy(Composition((Smooth(),)), split, steps=40)
    assert logits.shape == (1, 60, 3)
    assert (logits.argmax(-1) == split.test_y).mean() > 0.95


def test_the_kit_does_not_need_pytest():
    code = "import sys, fsbench.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
