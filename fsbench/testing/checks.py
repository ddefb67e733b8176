"""The conformance kit: what every strategy must keep to, as checks that any test runner can call."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from traceback import format_exception
from typing import Any

import numpy as np
import torch

from fsbench.composition import BASELINE, Composition
from fsbench.engine.context import Context
from fsbench.errors import FsbenchError, InertComponent, SpecError
from fsbench.kinds import get_kind
from fsbench.registry import get_registry
from fsbench.strategy import Strategy, overrides
from fsbench.testing.declarations import bounded, constructs, declared, documented, require, round_trips
from fsbench.testing.running import (
    ProbeAugment,
    ProbeLoss,
    first_toy,
    kinds_of,
    quick,
    run_pair,
    run_toy,
    toys,
    witness,
)
from fsbench.testing.toy import ToySplit
from fsbench.types import Batch, LabeledSet

LEARNING_STEPS = 40
FEW = 3


@dataclass(frozen=True)
class Check:
    """One thing that a strategy must keep to. Calling it raises AssertionError where it does not.

    A call returns None, or the reason why the check does not apply. `str` is the check's name, for
    `pytest.mark.parametrize(..., ids=str)`.
    """

    name: str
    subject: type[Strategy] | Strategy
    body: Callable[[Strategy], str | None]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> str | None:
        """Run the check. Raises AssertionError, or what the strategy raises."""
        return self.body(self.subject() if isinstance(self.subject, type) else self.subject)


@dataclass(frozen=True)
class CheckResult:
    """What became of a check: `status` is "ok", "failed" or "skipped", with a one-line reason.

    `traceback` is where a failed check raised.
    """

    name: str
    status: str
    reason: str = ""
    traceback: str = ""


def conformance(strategy: type[Strategy] | Strategy | str) -> list[Check]:
    """Every check of the kit for a strategy: a class, an instance, or the spec of a registered one.

    Raises SpecError or UnknownName for a spec that is not one registered strategy.
    """
    subject = _registered(strategy) if isinstance(strategy, str) else strategy
    return [Check(name, subject, body) for name, body in CHECKS.items()]


def check_strategy(strategy: type[Strategy] | Strategy | str) -> Iterator[CheckResult]:
    """Run every check, one after the other, and give its result. Raises what `conformance` raises."""
    return map(_result, conformance(strategy))


def _result(check: Check) -> CheckResult:
    try:
        reason = check()
    except Exception as error:  # noqa: BLE001 - a strategy may raise anything; it is the result
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())
        return CheckResult(check.name, "failed", reason, "".join(format_exception(error)))
    return CheckResult(check.name, "skipped" if reason else "ok", reason or "")


def _registered(text: str) -> Strategy:
    found = get_registry().parse(text)
    if len(found) != 1 or len(found[0].components) != 1:
        raise SpecError(f"{text!r}: expected one strategy, such as 'focal' or 'focal(gamma=1)'")
    return found[0].components[0]


def _alone(strategy: Strategy) -> Composition:
    return Composition((quick(strategy),))


def _a_toy(strategy: Strategy) -> ToySplit:
    """A toy split that the strategy runs on. Raises AssertionError when there is none."""
    for kind in kinds_of(strategy):
        split = first_toy(_alone(strategy), kind)
        if not isinstance(split, str):
            return split
    raise AssertionError(f"it skips every toy task: {split}")


def explains_skips(strategy: Strategy) -> None:
    """`skip` returns None or one line of why, for every situation."""
    for kind in kinds_of(strategy):
        for split in toys(kind):
            reason = strategy.skip(split.info)
            good = reason is None or (isinstance(reason, str) and reason.strip() and "\n" not in reason)
            require(good, f"skip returned {reason!r}; expected None or one line")


def runs(strategy: Strategy) -> None:
    """It runs in every situation that it does not skip, at least once for each kind it claims."""
    alone = _alone(strategy)
    for kind in kinds_of(strategy):
        reason = first_toy(alone, kind)
        require(not isinstance(reason, str), f"it skips every {kind} task: {reason}")
        for split in toys(kind):
            if alone.skip(split.info) is None:
                _run_named(alone, split)


def _run_named(composition: Composition, split: ToySplit) -> np.ndarray:
    try:
        return run_toy(composition, split)
    except FsbenchError as error:
        error.args = (f"on {split.info.kind} {split.info.text}: {error}",)
        raise


def reproducible(strategy: Strategy) -> None:
    """The same seed gives the same logits, to the bit."""
    for kind in kinds_of(strategy):
        split = first_toy(_alone(strategy), kind)
        if not isinstance(split, str):
            same = np.array_equal(run_toy(_alone(strategy), split), run_toy(_alone(strategy), split))
            require(same, f"two runs on {kind} data differ; draw all randomness from ctx.rng")


def leaves_globals(strategy: Strategy) -> None:
    """The global random states of Python, numpy and torch are as before."""
    split = _a_toy(strategy)
    before = _random_states()
    run_toy(_alone(strategy), split)
    changed = [name for name, state in _random_states().items() if state != before[name]]
    require(not changed, f"it used the global random state of {', '.join(changed)}; use ctx.rng")


def _random_states() -> dict[str, Any]:
    return {
        "random": random.getstate(),
        "numpy": pickle.dumps(np.random.get_state()),
        "torch": bytes(torch.get_rng_state().numpy()),
    }


def learns(strategy: Strategy) -> None:
    """It learns separable classes: at least halfway from chance to a perfect accuracy."""
    for kind in kinds_of(strategy):
        split = first_toy(Composition((strategy,)), kind)
        if isinstance(split, str):
            continue
        logits = run_toy(Composition((strategy,)), split, LEARNING_STEPS)
        accuracy = float((logits.argmax(-1) == split.test_y).mean())
        wanted = (1 + 1 / split.info.num_classes) / 2
        require(
            accuracy >= wanted,
            f"accuracy {accuracy:.2f} on separable {kind} classes after {LEARNING_STEPS} steps; "
            f"expected at least {wanted:.2f}",
        )


def has_effect(strategy: Strategy) -> str | None:
    """Somewhere its logits differ from those of the baseline."""
    if strategy.name == BASELINE:
        return "it is the baseline"
    alone, baseline = _alone(strategy), Composition((get_registry().strategies[BASELINE](),))
    for kind in kinds_of(strategy):
        for split in toys(kind):
            with contextlib.suppress(InertComponent):
                if alone.skip(split.info) is None and not np.array_equal(
                    run_toy(alone, split), run_toy(baseline, split)
                ):
                    return None
    raise AssertionError("its logits equal those of the baseline everywhere")


def predicts_alone(strategy: Strategy) -> str | None:
    """The logits of a sample are the same whatever other samples are predicted beside it."""
    if "test_inputs" in strategy.uses:
        return "it says that it uses the test inputs"
    alone = _alone(strategy)
    for kind in kinds_of(strategy):
        split = first_toy(alone, kind)
        if isinstance(split, str):
            continue
        few = dataclasses.replace(split, test_x=split.test_x[:, :FEW])
        beside, apart = run_toy(alone, split)[:, :FEW], run_toy(alone, few)
        require(
            np.allclose(beside, apart, rtol=1e-3, atol=1e-3 * max(1.0, float(np.abs(beside).max()))),
            f"the logits of {kind} samples change with the samples beside them; predict each on its "
            "own, or let uses name 'test_inputs'",
        )
    return None


def keeps_loss(strategy: Strategy) -> str | None:
    """Its loss is one finite, differentiable number for each sample."""
    if not overrides(strategy, "loss"):
        return "it does not change the loss"
    _run_watched(strategy, witness(on_loss=_check_loss))
    return None


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


def keeps_targets(strategy: Strategy) -> str | None:
    """After `augment` and `resample`, targets are distributions and inputs keep their shape."""
    if not (overrides(strategy, "augment") or overrides(strategy, "resample")):
        return "it changes neither batches nor the training set"
    _run_watched(strategy, witness(on_batch=_check_samples, on_data=_check_samples))
    return None


def _check_samples(samples: Batch | LabeledSet, ctx: Context) -> None:
    x, targets = samples.x, samples.targets
    require(tuple(x.shape[1:]) == ctx.task.input_shape, f"inputs became {list(x.shape)}")
    kind = get_kind(ctx.task.kind)
    wanted = kind.tensor(np.zeros(1, kind.dtype), torch.device("cpu")).dtype
    require(x.dtype == wanted and x.isfinite().all(), f"inputs are not finite {wanted} numbers")
    require(targets.shape == (len(x), ctx.num_classes), f"targets became {list(targets.shape)}")
    sums = targets.sum(1)
    good = (targets >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
    require(good, "a row of the targets is not a distribution")


def _run_watched(strategy: Strategy, watcher: Strategy) -> None:
    for kind in kinds_of(strategy):
        watched = Composition((quick(strategy), watcher))
        split = first_toy(watched, kind)
        if not isinstance(split, str):
            run_toy(watched, split)


def composes(strategy: Strategy) -> None:
    """It runs with the baseline, a wrapped loss and an augmentation, in both orders."""
    baseline = get_registry().strategies[BASELINE]()
    split, few = _a_toy(strategy), quick(strategy)
    expected = run_toy(_alone(strategy), split)
    for pair in ((baseline, few), (few, baseline)):
        same = np.array_equal(run_toy(Composition(pair), split), expected)
        require(same, f"{Composition(pair).text} differs when {BASELINE} is in the spec")
    for probe in (ProbeLoss(), ProbeAugment()):
        for pair in ((probe, few), (few, probe)):
            try:
                run_toy(Composition(pair), split)
            except InertComponent:
                require(
                    "fit" in strategy.replaces,
                    f"{Composition(pair).text}: {probe.name} never ran; let fit call inner, or declare "
                    "replaces = frozenset({'fit'})",
                )


def composes_with_installed(strategy: Strategy) -> None:
    """With every installed strategy it runs or says why not."""
    for cls in get_registry().strategies.values():
        if cls.name not in (strategy.name, BASELINE):
            try:
                run_pair(strategy, cls())
            except Exception as error:
                raise AssertionError(
                    f"{strategy.name}+{cls.name}: {type(error).__name__}: {error}"
                ) from error


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "constructs by default": constructs,
    "is documented and cites its source": documented,
    "declares what exists": declared,
    "round-trips as text": round_trips,
    "takes its bounds and no more": bounded,
    "says why it skips": explains_skips,
    "runs on what it claims": runs,
    "same seed, same logits": reproducible,
    "leaves global randomness alone": leaves_globals,
    "learns separable classes": learns,
    "has an effect": has_effect,
    "predicts each sample on its own": predicts_alone,
    "keeps the loss per sample": keeps_loss,
    "keeps targets distributions": keeps_targets,
    "composes with probes": composes,
    "composes with what is installed": composes_with_installed,
}
