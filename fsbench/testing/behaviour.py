"""Checks of what a strategy does, on toy splits. Each returns None, or why it does not apply."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from fsbench.composition import BASELINE
from fsbench.context import Context
from fsbench.engine.trial import Prediction
from fsbench.errors import InertComponent
from fsbench.kinds import get_kind
from fsbench.registry import get_registry
from fsbench.scope import Scope
from fsbench.sorts import HOUSE
from fsbench.strategies import STRATEGIES
from fsbench.strategy import Strategy, overrides
from fsbench.testing.bench import PATIENCE, Bench, baseline_logits
from fsbench.testing.demands import require
from fsbench.testing.guarding import guarded, unchanged, unchanged_or_lent, undrawn
from fsbench.testing.toy_runs import (
    PROBES,
    compose,
    first_toy,
    run_pair,
    run_toy,
    toys,
    witness,
)
from fsbench.types import Batch, LabeledSet, TaskInfo
from fsbench.words import names_package

LEARNING_STEPS = 40
FEW = 3
NOWHERE = "it skips every toy task"
WATCHED = ("embed", "resample", "augment", "loss", "fit", "postprocess")


def explains_skips(bench: Bench) -> None:
    """`skip` returns None or a one-line reason, for every situation."""
    for kind in bench.kinds:
        for split in toys(kind):
            reason = bench.strategy.skip(split.info)
            good = reason is None or (isinstance(reason, str) and reason.strip() and "\n" not in reason)
            require(good, f"skip returned {reason!r}; expected None or one line")


def runs(bench: Bench) -> str | None:
    """It runs in every situation that it does not skip, at least once for each of its kinds.

    A strategy that uses pretrained weights need not run where it has none; one kind must have some. Nor need
    one that says what to install, in the words of `fsbench.to_install`.
    """
    lacking = []
    require(bench.kinds, "it works on no kind of samples that is installed")
    for kind in bench.kinds:
        reason = first_toy(bench.alone, kind)
        absent = isinstance(reason, str) and names_package(reason)
        if isinstance(reason, str) and (absent or "pretrained" in bench.strategy.uses):
            lacking.append(f"it skips every {kind} task: {reason}")
            continue
        require(not isinstance(reason, str), f"it skips every {kind} task: {reason}")
        for split in bench.splits(kind):
            try:
                bench.run(split)
            except Exception as error:
                where = f"on {split.info.kind} {split.info.text}: {type(error).__name__}"
                raise AssertionError(
                    f"{where}: {error}{_of_unlabeled(bench.strategy, split.info)}"
                ) from error
    return lacking[0] if len(lacking) == len(bench.kinds) else None


def _of_unlabeled(strategy: Strategy, task: TaskInfo) -> str:
    """What an author may have missed about unlabelled data, for the message of a failed run."""
    if "unlabeled" in strategy.uses and not task.num_unlabeled:
        return "; this task has no unlabelled data: if that is needed, let skip say so"
    if "unlabeled" not in strategy.uses and overrides(type(strategy), "auxiliary_loss"):
        return "; out.unlabeled_logits and out.unlabeled_features are None unless uses names 'unlabeled'"
    return ""


def reproducible(bench: Bench) -> str | None:
    """The same seed gives the same logits, to the bit."""
    for split in bench.firsts():
        same = np.array_equal(bench.run(split).logits, bench.again(split)[0])
        require(same, f"two runs on {split.info.kind} data differ; draw all randomness from ctx.rng")
    return None if bench.firsts() else NOWHERE


def leaves_globals(bench: Bench) -> str | None:
    """The global random states of Python, numpy and torch are unchanged.

    A trial restores that of torch, so it is looked at around stages: not those in which a new head
    (`init_model`) or dropout (`auxiliary_loss`, `step`) draws from it, as seeded by the engine.
    """
    watched = guarded(bench.few, undrawn, WATCHED)
    for split in bench.firsts():
        _, used = bench.again(split)
        require(not used, f"it used the global random state of {', '.join(used)}; use ctx.rng")
        run_toy(watched, split, bench.run(split).steps)
    return None if bench.firsts() else NOWHERE


def learns(bench: Bench) -> str | None:
    """It learns separable classes: its accuracy is at least halfway between chance and perfect."""
    for split in bench.firsts():
        steps = max(LEARNING_STEPS, bench.run(split).steps)
        logits = run_toy(compose(bench.strategy), split, steps)
        accuracy = float((logits.argmax(-1) == split.test_y).mean())
        wanted = (1 + 1 / split.info.num_classes) / 2
        require(
            accuracy >= wanted,
            f"accuracy {accuracy:.2f} on separable {split.info.kind} classes after {steps} steps; "
            f"expected at least {wanted:.2f}",
        )
    return None if bench.firsts() else NOWHERE


def has_effect(bench: Bench) -> str | None:
    """Its logits differ from those of the baseline on some split."""
    if bench.strategy.name == BASELINE:
        return "it is the baseline"
    if not bench.firsts():
        return NOWHERE
    for kind in bench.kinds:
        for split in bench.splits(kind):
            with contextlib.suppress(InertComponent):
                run = bench.run(split)
                if not np.array_equal(run.logits, baseline_logits(split, run.steps)):
                    return None
    for split, steps in itertools.product(bench.firsts(), PATIENCE[1:]):
        with contextlib.suppress(InertComponent):
            if not np.array_equal(run_toy(bench.alone, split, steps), baseline_logits(split, steps)):
                return None
    raise AssertionError("its logits equal those of the baseline everywhere")


def predicts_alone(bench: Bench) -> str | None:
    """The logits of a sample do not depend on the other samples in the call."""
    if "test_inputs" in bench.strategy.uses:
        return "it declares that it uses the test inputs"
    for split in bench.firsts():
        run, few = bench.run(split), dataclasses.replace(split, test_x=split.test_x[:, :FEW])
        beside, apart = run.logits[:, :FEW], run_toy(bench.alone, few, run.steps)
        require(
            np.allclose(beside, apart, rtol=1e-3, atol=1e-3 * max(1.0, float(np.abs(beside).max()))),
            f"the logits of {split.info.kind} samples depend on the other samples; predict each "
            "independently, or let uses name 'test_inputs'",
        )
    return None if bench.firsts() else NOWHERE


def keeps_loss(bench: Bench) -> str | None:
    """Its loss is one finite, differentiable number for each sample."""
    if not overrides(bench.strategy, "loss"):
        return "it does not change the loss"
    seen: list[int] = []

    def look(loss: Callable[..., torch.Tensor], ctx: Context) -> None:
        def of_batch(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            with cast(Scope, ctx).in_force(None, None, batch=_with_targets(ctx.batch, targets)):
                return loss(logits, targets)

        seen.append(ctx.num_classes)
        _check_loss(of_batch, ctx.num_classes)

    _watch(bench, witness(on_loss=look))
    return None if seen else "its loss was never called"


def _with_targets(batch: Batch | None, targets: torch.Tensor) -> Batch | None:
    """As many samples of a batch as there are targets, with these.

    For a single sample there is no batch, as outside the engine's training.
    """
    if batch is None or len(targets) == 1:
        return None
    first = torch.arange(len(targets)) % len(batch.x)
    domain, rows = (None if each is None else each[first] for each in (batch.domain, batch.rows))
    return dataclasses.replace(batch, x=batch.x[first], targets=targets, domain=domain, rows=rows)


def _check_loss(loss: Callable[..., torch.Tensor], classes: int) -> None:
    hard = torch.eye(classes).repeat(3, 1)
    for scale in (1.0, 50.0):
        for targets in (hard, 0.9 * hard + 0.1 / classes, hard[:1]):
            spread = torch.linspace(-scale, scale, targets.numel()).reshape(targets.shape)
            logits = spread.clone().requires_grad_()
            losses = loss(logits, targets)
            require(losses.shape == targets.shape[:1], f"the loss has shape {list(losses.shape)}, not [B]")
            require(losses.isfinite().all(), f"the loss is not finite at logits of ±{scale:g}")
            require(losses.requires_grad, "the loss is not differentiable")
            (gradient,) = torch.autograd.grad(losses.sum(), logits)
            require(gradient.isfinite().all(), f"the gradient is not finite at logits of ±{scale:g}")


def keeps_targets(bench: Bench) -> str | None:
    """After `augment` and `resample`, targets are distributions and inputs keep their shape."""
    changed = {stage for stage in ("augment", "resample") if overrides(bench.strategy, stage)}
    if not changed:
        return "it changes neither batches nor the training set"
    seen: set[str] = set()

    def look(samples: Batch | LabeledSet, ctx: Context) -> None:
        seen.add("augment" if isinstance(samples, Batch) else "resample")
        _check_samples(samples, ctx)

    _watch(bench, witness(on_batch=look, on_data=look))
    unseen = sorted(changed - seen)
    return f"{' and '.join(unseen)} was never called" if unseen else None


def _check_samples(samples: Batch | LabeledSet, ctx: Context) -> None:
    x, targets = samples.x, samples.targets
    require(tuple(x.shape[1:]) == ctx.task.input_shape, f"inputs became {list(x.shape)}")
    mixable = get_kind(ctx.task.kind).mixable
    fits = x.isfinite().all() and (not mixable or x.dtype == torch.float32)
    require(fits, f"inputs are not finite{' float32' * mixable} numbers")
    require(targets.shape == (len(x), ctx.num_classes), f"targets became {list(targets.shape)}")
    sums = targets.sum(1)
    good = (targets >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
    require(good, "a row of the targets is not a distribution")


def leaves_inputs(bench: Bench) -> str | None:
    """Its stages and its predictor return new tensors, and change none that they are given or lent."""
    stages = ("resample", "augment", "loss", "auxiliary_loss", "fit", "postprocess")
    # What a context lends is itself embedded, so in `embed` there is none yet.
    careful = guarded(guarded(bench.few, unchanged, ("embed",)), unchanged_or_lent, stages)
    for split in bench.firsts():
        look = functools.partial(_predicts_carefully, split.test_x[0])
        run_toy(compose(careful), split, bench.run(split).steps, keep=look)
    return None if bench.firsts() else NOWHERE


def _predicts_carefully(x: np.ndarray, prediction: Prediction) -> None:
    kind = get_kind(prediction.kind)
    inputs = kind.tensor(kind.shrink(x, prediction.input_shape), torch.device("cpu"))
    unchanged("its predictor", prediction.predict, inputs)


def _watch(bench: Bench, watcher: Strategy) -> None:
    """Run the strategy, with the watcher after it, on the first split of each kind."""
    for split in bench.firsts():
        bench.beside(split, bench.few, watcher)


def composes(bench: Bench) -> str | None:
    """It runs with the baseline, a wrapped loss, an augmentation and a wrapped step, in both orders."""
    if not bench.firsts():
        return NOWHERE
    baseline, few = get_registry().strategies[BASELINE](), bench.few
    split = min(bench.firsts(), key=lambda each: each.train_x[0, 0].size)
    for pair in ((baseline, few), (few, baseline)):
        same = np.array_equal(bench.beside(split, *pair), bench.run(split).logits)
        require(same, f"{compose(*pair).text} differs when {BASELINE} is in the spec")
    for stage, probe in PROBES.items():
        for pair in ((probe, few), (few, probe)):
            try:
                bench.beside(split, *pair)
            except InertComponent:
                require(
                    "fit" in bench.strategy.replaces | bench.strategy.yields,
                    f"{compose(*pair).text}: {probe.name} never ran; {_advice(few, stage)}",
                )
    return None


def _advice(strategy: Strategy, stage: str) -> str:
    """What lets others change a stage beside a strategy that keeps them from it."""
    if stage == "augment" and overrides(strategy, "embed"):
        return "let embed call ctx.augment on batches whose role is 'labeled'"
    owned = stage if stage != "augment" and overrides(strategy, stage) else "fit"
    return f"let {owned} call inner, or declare replaces = frozenset({{{owned!r}}})"


def composes_with_installed(bench: Bench) -> str | None:
    """With the short list of bundled strategies, and all others installed, it runs or says why it does not.

    An installed strategy that fails by itself, or with a probe, is named as the reason why the pair is not
    checked.
    """
    reason: str | None = "nothing else is installed"
    ran, at_fault = False, []
    for cls in get_registry().strategies.values():
        origin = STRATEGIES.origin(cls.name)
        bundled = origin is not None and origin.distribution == HOUSE
        if cls.name in (bench.strategy.name, BASELINE) or (bundled and not cls.in_core):
            continue
        try:
            pair_reason = run_pair(bench.strategy, cls())
        except Exception as error:
            own = _own_fault(cls)
            if own is None:
                both = f"{bench.strategy.name}+{cls.name}"
                raise AssertionError(f"{both}: {type(error).__name__}: {error}") from error
            at_fault.append(f"{cls.name} ({own})")
            continue
        ran, reason = ran or pair_reason is None, pair_reason or reason
    if at_fault:
        return f"not checked with strategies that fail without it: {', '.join(at_fault)}"
    return None if ran else reason


def _own_fault(cls: type[Strategy]) -> str | None:
    """How a strategy fails alone or with a probe, or None."""
    try:
        other = Bench(cls)
        for split in other.firsts():
            other.run(split)
        for probe in PROBES.values():
            run_pair(probe, other.strategy)
            run_pair(other.strategy, probe)
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything; it is the answer
        return f"{type(error).__name__}: {error}"
    return None
