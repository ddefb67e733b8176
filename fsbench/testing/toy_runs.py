"""Runs of strategies on toy splits: cheap, in this process, on the CPU."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fsbench.composition import Composition
from fsbench.context import Context
from fsbench.engine.trial import Prediction, run_trial
from fsbench.errors import ConflictError, InertComponent
from fsbench.kinds import kind_names
from fsbench.recipes.recipe import default_recipe, override
from fsbench.registry import get_registry
from fsbench.strategy import Strategy, excludes, spec_fields
from fsbench.testing.toy import ToySplit, toy_split
from fsbench.types import Batch, Fitted, LabeledSet, Step

QUICK_STEPS = 3
_SITUATIONS: tuple[dict[str, Any], ...] = (
    {"imbalance": 4.0, "per_class": 16},
    {"unlabeled": 30},
    {"source": True, "imbalance": 4.0},
    {"shift": True, "target_per_class": 2, "imbalance": 3.0},
    {"shift": True},
    {"source": True, "cells": 2, "per_class": 5},
)


def compose(*components: Strategy) -> Composition:
    """Components as one strategy; specs in their fields are looked up. Raises SpecError or UnknownName."""
    return get_registry().compose(components)


def quick(strategy: Strategy) -> Strategy:
    """The strategy with its hyperparameters named `steps`, `*_steps` or `*epochs` lowered to a few.

    Those of the strategies that its fields name are lowered too.
    """
    lower: dict[str, Any] = {
        f.name: max(QUICK_STEPS, f.metadata.get("low") or 0)
        for f in dataclasses.fields(strategy)
        if f.name.endswith(("steps", "epochs")) and isinstance(getattr(strategy, f.name), int)
    }
    lower = {k: v for k, v in lower.items() if v < getattr(strategy, k)}
    for name in spec_fields(strategy):
        members = get_registry().parse(getattr(strategy, name))
        lower[name] = ", ".join(compose(*map(quick, member.components)).text for member in members)
    return dataclasses.replace(strategy, **lower)


def run_toy(
    strategy: Strategy | Composition,
    split: ToySplit,
    steps: int = QUICK_STEPS,
    seed: int = 0,
    keep: Callable[[Prediction], object] = lambda prediction: None,
) -> np.ndarray:
    """Logits `[E, M, C]` float32 of a strategy trained on a toy split for a few steps.

    As in a run, features of pretrained bodies are computed once for all trials, here those of this process.
    `keep` gets what predicts the test part of each cell. Raises whatever the strategy raises, InertComponent,
    NonFinite or BadPrediction.
    """
    composition = compose(strategy) if isinstance(strategy, Strategy) else strategy
    recipe = override(default_recipe(split.info), {"steps": steps})
    identity, cpu = ("toy", split.info.text, seed), torch.device("cpu")
    return run_trial(identity, composition, recipe, split, cpu, _features_folder(), keep).predictions


@functools.cache
def _features_folder() -> Path:
    """The folder for features of this process, which goes when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="fsbench-toys-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def kinds_of(strategy: Strategy) -> list[str]:
    """The kinds of samples that a strategy works on, by name."""
    return [kind for kind in kind_names() if excludes(strategy, kind) is None]


@functools.cache
def toys(kind: str) -> tuple[ToySplit, ...]:
    """A toy split of each low-data situation: long-tailed, unlabelled, with a source, shifted, episodes."""
    return tuple(toy_split(kind, **situation) for situation in _SITUATIONS)


def first_toy(composition: Composition, kind: str) -> ToySplit | str:
    """The first toy split that a composition does not skip, or its reason to skip the last."""
    reason: str | None = None
    for split in toys(kind):
        reason = composition.skip(split.info)
        if reason is None:
            return split
    return str(reason)


def run_pair(first: Strategy, second: Strategy) -> str | None:
    """Run `first+second` for a few steps on every kind; the reason if none works, else None.

    A reason is a skip on every toy split, a ConflictError that names both, or an InertComponent
    that names the one without effect. Anything else is raised.
    """
    try:
        pair = compose(quick(first), quick(second))
    except ConflictError as error:
        if first.name not in str(error) or second.name not in str(error):
            raise AssertionError(f"the conflict does not name both components: {error}") from error
        return str(error)
    reason: str | None = f"{first.name} and {second.name} have no kind of samples in common"
    ran = False
    for kind in [kind for kind in kinds_of(first) if kind in kinds_of(second)]:
        split = first_toy(pair, kind)
        if isinstance(split, str):
            reason = split
            continue
        try:
            run_toy(pair, split)
            ran = True
        except InertComponent as error:
            reason = str(error)
    return None if ran else reason


def witness(
    on_loss: Callable[[Callable[..., torch.Tensor], Context], None] | None = None,
    on_batch: Callable[[Batch, Context], None] | None = None,
    on_data: Callable[[LabeledSet, Context], None] | None = None,
) -> Strategy:
    """A strategy that changes no logits and reports the results of the components before it.

    `on_loss` is called with their loss and the context, `on_batch` and `on_data` with what their
    `augment` and `resample` return.
    """

    @dataclasses.dataclass(frozen=True)
    class Witness(Strategy):
        """Watches."""

        name = "witness"

        def resample(self, train: LabeledSet, ctx: Context) -> LabeledSet:
            if on_data:
                on_data(train, ctx)
            return train

        def augment(self, batch: Batch, ctx: Context) -> Batch:
            if on_batch:
                on_batch(batch, ctx)
            return batch

        def loss(
            self,
            logits: torch.Tensor,
            targets: torch.Tensor,
            inner: Callable[..., torch.Tensor],
            ctx: Context,
        ) -> torch.Tensor:
            if on_loss:
                on_loss(inner, ctx)
            return inner(logits, targets)

        def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
            return fitted.map(lambda logits: logits + 0)  # its only effect, so that it is not inert

    return Witness()


@dataclasses.dataclass(frozen=True)
class ProbeLoss(Strategy):
    """Wraps the loss: moves targets a tenth of the way to uniform."""

    name = "probe_loss"

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        """The next loss on smoothed targets, `[B]`."""
        return inner(logits, 0.9 * targets + 0.1 / targets.shape[1])


@dataclasses.dataclass(frozen=True)
class ProbeAugment(Strategy):
    """Replaces every second sample of a batch by its neighbour, which works for samples of any kind."""

    name = "probe_augment"

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        """The batch with its even rows twice, in place of the odd ones."""
        rows = torch.arange(len(batch.x), device=batch.x.device)
        rows = rows - rows % 2
        domain = None if batch.domain is None else batch.domain[rows]
        numbers = None if batch.rows is None else batch.rows[rows]
        return dataclasses.replace(
            batch, x=batch.x[rows], targets=batch.targets[rows], domain=domain, rows=numbers
        )


@dataclasses.dataclass(frozen=True)
class ProbeStep(Strategy):
    """Wraps the optimizer step: shrinks the parameters a little after it."""

    name = "probe_step"

    def step(self, step: Step, inner: Callable[[Step], None], ctx: Context) -> None:
        """The next step, then parameters that are a thousandth smaller."""
        inner(step)
        with torch.no_grad():
            for parameter in step.parameters:
                parameter.mul_(0.999)


PROBES: dict[str, Strategy] = {"loss": ProbeLoss(), "augment": ProbeAugment(), "step": ProbeStep()}
"""A strategy for each of some stages, to run beside another one."""
