"""Made-up contexts for tests of single stages, and trials on splits of `fsbench.testing.toy_split`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fsbench.composition import Composition
from fsbench.engine.context import EngineContext
from fsbench.engine.state import TrialState
from fsbench.engine.trial import TrialResult, run_trial
from fsbench.recipes.recipe import default_recipe
from fsbench.registry import get_registry
from fsbench.strategy import Strategy
from fsbench.tasks.splits import SplitArrays
from fsbench.testing import ToySplit, toy_split
from fsbench.types import LabeledSet, Recipe, TaskInfo

SHAPES: dict[str, tuple[int, ...]] = {"image": (1, 8, 8), "table": (6,)}


def task_info(kind: str = "table", num_classes: int = 3, **fields: Any) -> TaskInfo:
    """A task's description, with small inputs."""
    values = {"text": "toy", "protocol": "toy", "input_shape": SHAPES[kind]} | fields
    return TaskInfo(kind=kind, num_classes=num_classes, **values)  # type: ignore[arg-type]


def context(
    component: Strategy, stage: str, info: TaskInfo, seed: int = 0, train: LabeledSet | None = None
) -> EngineContext:
    """A component's context inside a stage, outside any trial."""
    composition = Composition((component,))
    state = TrialState((info.text, 0, seed), info, composition, default_recipe(info), torch.device("cpu"))
    state.class_counts = None if train is None else train.class_counts
    return EngineContext(state, component, stage)


def quick_context(*components: Strategy, info: TaskInfo) -> EngineContext:
    """The context of a composition outside any stage, with a small network and few steps."""
    composition, recipe = Composition(components), Recipe("mlp", 5, 8)
    return EngineContext(TrialState(("toy", 0, 0), info, composition, recipe, torch.device("cpu")))


def fitted_alone(subject: Strategy, train: LabeledSet) -> tuple[Any, int, list[str]]:
    """The predictor of a strategy that replaces the fit, the seed that it used, and the notes."""
    info = TaskInfo("toy", "kshot", "table", tuple(train.x.shape[1:]), train.num_classes)
    ctx = context(subject, "fit", info, train=train)
    found = subject.fit(train, lambda _: pytest.fail("the engine trained"), ctx)
    return found.predict, ctx.rng.seed(), ctx._state.notes


def baseline_context(recipe: Recipe) -> EngineContext:
    """The baseline's context outside any stage."""
    (erm,) = get_registry().parse("erm")
    return EngineContext(TrialState(("toy", 0, 0), toy_split().info, erm, recipe, torch.device("cpu")))


def toy_trial(
    strategy: str | Strategy | Composition,
    split: SplitArrays,
    recipe: Recipe | None = None,
    identity: tuple[object, ...] = ("toy", 0, 0),
    **options: Any,
) -> TrialResult:
    """The trial of a strategy on a split, on the CPU; by default with the default recipe."""
    if isinstance(strategy, str):
        (strategy,) = get_registry().parse(strategy)
    composition = strategy if isinstance(strategy, Composition) else Composition((strategy,))
    recipe = recipe or default_recipe(split.info)
    return run_trial(identity, composition, recipe, split, torch.device("cpu"), **options)


def source_trial(
    strategy: Strategy | str, recipe: Recipe | None = None, **toy: Any
) -> tuple[TrialResult, ToySplit]:
    """The result of a strategy on a toy split with a source, and the split."""
    split = toy_split(**({"source": True} | toy))
    return toy_trial(strategy, split, recipe or Recipe("mlp", 20, 16)), split
