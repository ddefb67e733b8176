"""The conformance kit passes correct strategies and catches every fault."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from kit_strategies import (
    FixMatch,
    Mean,
    Mix,
    Nearest,
    Smooth,
    Source,
    half_loss,
    keeps_fit_to_itself,
    verdicts,
    wrong,
)

from fsbench import Fitted, param, to_install
from fsbench.errors import SpecError, UnknownName
from fsbench.testing import (
    check_conformance,
    conformance,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("strategy", [Smooth, Mix, Source, Nearest], ids=lambda cls: cls.name)
def test_correct_strategies_pass(strategy):
    assert set(verdicts(strategy).values()) <= {"ok", "skipped"}


def test_checks_that_do_not_apply_say_why():
    results = {r.name: r for r in check_conformance(Smooth)}
    assert results["keeps the loss per sample"].status == "ok"
    skipped = results["keeps targets distributions"]
    assert (skipped.status, skipped.reason) == (
        "skipped",
        "it changes neither batches nor the training set",
    )


def test_a_strategy_whose_package_is_missing_is_not_at_fault():
    absent = wrong(loss=half_loss, skip=lambda self, task: to_install("nothing-of-that-name"))
    assert set(verdicts(absent).values()) <= {"ok", "skipped"}


def draws_from(sample):
    def augment(self, batch, ctx):
        return replace(batch, x=batch.x + sample())

    return augment


def seeds_torch(self, train, inner, ctx):
    torch.manual_seed(0)
    return Nearest().fit(train, inner, ctx)


def noisy_loss(self, logits, targets, inner, ctx):
    return inner(logits + torch.randn_like(logits), targets)


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


def ascends(self, logits, targets, inner, ctx):
    return -inner(logits, targets).clamp(max=3)


def adds_in_place(self, batch, ctx):
    x = batch.x
    x += 1
    return replace(batch, x=2 * x)


def centres_in_numpy(self, train, ctx):
    rows = train.x.flatten(1).numpy()
    rows -= rows.mean(0)
    return replace(train, x=train.x + 0)


def predicts_in_numpy(self, train, inner, ctx):
    fitted = Nearest().fit(train, inner, ctx)

    def predict(x):
        x.numpy()[:] -= 10
        return fitted.predict(x)

    return Fitted(predict)


def penalises_in_place(self, out, ctx):
    return out.logits.detach().mul_(0.9).sum() * out.features.sum()


def corrects_in_place(self, fitted, val, ctx):
    val.targets.mul_(0.9)
    return fitted.map(lambda logits: logits + 1)


def clearing(use):
    """A fit that clears the unlabelled or the source data in place, where there is some."""

    def fit(self, train, inner, ctx):
        data = getattr(ctx, use)
        (data if use == "unlabeled" else data.x).mul_(0)
        return Nearest().fit(train, inner, ctx)

    def skip(self, task):
        return None if {"unlabeled": task.num_unlabeled, "source": task.has_source}[use] else f"needs {use}"

    uses, replaces = frozenset({use}), frozenset({"fit"})
    return wrong(fit=fit, skip=skip, uses=uses, replaces=replaces, kinds=Nearest.kinds)


def predicts_in_place(self, train, inner, ctx):
    fitted = Nearest().fit(train, inner, ctx)
    return Fitted(lambda x: fitted.predict(x.sub_(10)))


def steps_alone(self, step, inner, ctx):
    step.gradients()
    step.update()


def embeds_alone(self, batch, ctx):
    return replace(batch, x=2 * batch.x)


WRONG = {
    "changes a batch": (
        wrong(augment=adds_in_place),
        "leaves its inputs as they are",
        "augment changes in place what it is given, which others see too; return new tensors",
    ),
    "changes what it predicts": (
        wrong(fit=predicts_in_place, replaces=frozenset({"fit"}), kinds=Nearest.kinds),
        "leaves its inputs as they are",
        "its predictor changes in place what it is given",
    ),
    "changes a training set through numpy": (
        wrong(resample=centres_in_numpy, kinds=Nearest.kinds),
        "leaves its inputs as they are",
        "resample changes in place what it is given",
    ),
    "changes what it predicts through numpy": (
        wrong(fit=predicts_in_numpy, replaces=frozenset({"fit"}), kinds=Nearest.kinds),
        "leaves its inputs as they are",
        "its predictor changes in place what it is given",
    ),
    "changes logits in an auxiliary loss": (
        wrong(auxiliary_loss=penalises_in_place),
        "leaves its inputs as they are",
        "auxiliary_loss changes in place what it is given",
    ),
    "changes the validation set": (
        wrong(postprocess=corrects_in_place, uses=frozenset({"val"})),
        "leaves its inputs as they are",
        "postprocess changes in place what it is given",
    ),
    "changes the unlabelled data": (
        clearing("unlabeled"),
        "leaves its inputs as they are",
        "fit changes in place what it is given",
    ),
    "changes the source data": (
        clearing("source"),
        "leaves its inputs as they are",
        "fit changes in place what it is given",
    ),
    "hidden owner of the loss": (
        wrong(loss=lambda self, logits, targets, inner, ctx: -(targets * logits.log_softmax(-1)).sum(-1)),
        "composes with probes",
        "probe_loss never ran; let loss call inner, or declare replaces = frozenset({'loss'})",
    ),
    "hidden owner of the step": (
        wrong(step=steps_alone),
        "composes with probes",
        "probe_step never ran; let step call inner, or declare replaces = frozenset({'step'})",
    ),
    "embeds without views": (
        wrong(embed=embeds_alone, kinds=frozenset({"table"})),
        "composes with probes",
        "probe_augment never ran; let embed call ctx.augment on batches whose role is 'labeled'",
    ),
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
    "no known kind": (
        wrong(loss=half_loss, kinds=frozenset({"images"})),
        "runs on what it claims",
        "it works on no kind of samples that is installed",
    ),
    "a content hash that is no text": (
        wrong(loss=half_loss, content_hash=3),
        "declares what exists",
        "content_hash is 3; expected a text",
    ),
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
    "unlabelled outputs that are not declared": (
        wrong(auxiliary_loss=lambda self, out, ctx: out.unlabeled_logits.mean()),
        "runs on what it claims",
        "out.unlabeled_logits and out.unlabeled_features are None unless uses names 'unlabeled'",
    ),
    "no skip without unlabelled data": (
        wrong(
            auxiliary_loss=lambda self, out, ctx: out.unlabeled_logits.square().mean(),
            uses=frozenset({"unlabeled"}),
        ),
        "runs on what it claims",
        "this task has no unlabelled data: if that is needed, let skip say so",
    ),
    "torch's random": (
        wrong(augment=draws_from(lambda: torch.rand(()))),
        "leaves global randomness alone",
        "augment used the global random state of torch; use ctx.rng, or with ctx.torch_seeded():",
    ),
    "a seed of torch in a fit": (
        wrong(fit=seeds_torch, replaces=frozenset({"fit"}), kinds=Nearest.kinds),
        "leaves global randomness alone",
        "fit used the global random state of torch",
    ),
    "torch's random in a loss": (
        wrong(loss=noisy_loss),
        "leaves global randomness alone",
        "loss used the global random state of torch",
    ),
    "a fixed seed of numpy": (
        wrong(augment=draws_from(lambda: np.random.seed(0) or np.random.rand())),
        "leaves global randomness alone",
        "it used the global random state of numpy",
    ),
    "numpy's random": (wrong(augment=draws_from(np.random.rand)), "same seed, same logits", "ctx.rng"),
    "the clock": (wrong(augment=draws_from(lambda: time.time_ns() % 7)), "same seed, same logits", "differ"),
    "learns nothing": (wrong(loss=ascends), "learns separable classes", "accuracy"),
    "no effect": (
        wrong(augment=lambda self, batch, ctx: batch),
        "has an effect",
        "equal those of the baseline",
    ),
    "one loss for all": (wrong(loss=mean_loss), "runs on what it claims", "loss returned float32 []"),
    "unstable loss": (wrong(loss=plain_log_loss), "keeps the loss per sample", "not finite"),
    "no gradient": (wrong(loss=detached_loss), "keeps the loss per sample", "not differentiable"),
    "targets": (wrong(augment=doubled_targets), "keeps targets distributions", "not a distribution"),
    "hidden owner": (wrong(fit=keeps_fit_to_itself), "composes with probes", "declare replaces"),
}


@pytest.mark.parametrize("case", WRONG)
def test_faults_are_caught(case):
    strategy, name, message = WRONG[case]
    (check,) = (check for check in conformance(strategy) if str(check) == name)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - a strategy may raise anything
        check()
    assert message in f"{caught.type.__name__}: {caught.value}"


def test_a_method_that_acts_once_confident_passes_with_enough_steps():
    found = verdicts(FixMatch())
    assert set(found.values()) <= {"ok", "skipped"}
    assert found["has an effect"] == found["runs on what it claims"] == "ok"


def test_a_method_that_is_never_confident_has_no_effect():
    checks = {check.name: check for check in conformance(FixMatch(threshold=1.0))}
    with pytest.raises(AssertionError, match="its logits equal those of the baseline everywhere"):
        checks["has an effect"]()
    with pytest.raises(AssertionError, match="fixmatch had no effect"):
        checks["runs on what it claims"]()


def test_checks_that_did_not_run_are_not_ok():
    nowhere = verdicts(wrong(loss=half_loss, skip=lambda self, task: "never"))
    assert [name for name, verdict in nowhere.items() if verdict == "ok"] == [
        "constructs by default",
        "is documented and cites its source",
        "declares what exists",
        "round-trips as text",
        "says why it skips",
    ]
    owner = wrong(loss=half_loss, fit=keeps_fit_to_itself, replaces=frozenset({"fit"}), kinds=Nearest.kinds)
    results = {r.name: r for r in check_conformance(owner)}
    assert (results["keeps the loss per sample"].status, results["keeps the loss per sample"].reason) == (
        "skipped",
        "its loss was never called",
    )


def test_a_failed_check_is_a_result_with_its_reason():
    found = verdicts(wrong(augment=doubled_targets))
    assert found["keeps targets distributions"] == "a row of the targets is not a distribution"
    assert found["constructs by default"] == "ok"
    broken = verdicts(wrong(configure=lambda self, recipe, ctx: 1 / 0))
    assert broken["runs on what it claims"] == "on image longtail(toy): ZeroDivisionError: division by zero"


def test_a_loss_may_look_up_the_samples_of_its_batch():
    def weigh(self, logits, targets, inner, ctx):
        if ctx.batch is None:
            return inner(logits, targets) / 2
        assert len(ctx.batch.rows) == len(ctx.batch.x) == len(logits)
        assert ctx.batch.targets is targets
        return inner(logits, targets) / (1 + ctx.batch.rows)

    (check,) = (c for c in conformance(wrong(loss=weigh)) if c.name == "keeps the loss per sample")
    assert check() is None


def test_a_spec_names_a_registered_strategy():
    assert [check.subject.strategy.name for check in conformance("erm")] == ["erm"] * len(conformance(Smooth))
    with pytest.raises(UnknownName):
        conformance("no_such_strategy")
    with pytest.raises(SpecError, match="one strategy"):
        conformance("erm,focal")


def test_an_instance_is_checked_as_it_is():
    assert all(check.subject.strategy.amount == 0.5 for check in conformance(Smooth(amount=0.5)))


def test_a_strategy_of_strategies_passes():
    assert set(verdicts(Mean).values()) <= {"ok", "skipped"}


def test_the_kit_does_not_need_pytest():
    code = "import sys, fsbench.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
