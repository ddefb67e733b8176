"""What a stage may see and ask of the engine, and what it is stopped from touching.

Every plugin imports this module for its annotations, so torch is imported where it is used.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsbench.composition import Composition
from fsbench.errors import DataError, UndeclaredUse
from fsbench.rng import Stream, derive_key
from fsbench.strategy import Strategy
from fsbench.types import Batch, LabeledSet, Recipe, TaskInfo

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fsbench.engine.backbones import Network
    from fsbench.engine.objective import Objective


@dataclass
class TrialState:
    """What all contexts of one trial share. The engine writes it; strategies read it through Context.

    `phase` tells training runs apart, so that each draws batches of its own; `cell` is the number
    of the split's cell; `step` and `progress` follow the training that is going on.
    """

    identity: tuple[object, ...]
    task: TaskInfo
    composition: Composition
    recipe: Recipe
    device: torch.device
    source: LabeledSet | None = None
    unlabeled: torch.Tensor | None = None
    train: LabeledSet | None = None
    model: nn.Module | None = None
    cell: int = -1
    phase: tuple[object, ...] = ()
    runs: int = 0
    step: int = 0
    progress: float = 0.0
    ran: set[tuple[str, str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class Context:
    """One component's view of a trial, inside one stage."""

    def __init__(self, state: TrialState, component: Strategy | None = None, stage: str = "engine") -> None:
        self._state = state
        self._component = component
        self._stage = stage

    @property
    def task(self) -> TaskInfo:
        """The task, without its data."""
        return self._state.task

    @property
    def recipe(self) -> Recipe:
        """The recipe in force (after `configure`)."""
        return self._state.recipe

    @property
    def device(self) -> torch.device:
        """The device that every tensor of the trial is on."""
        return self._state.device

    @property
    def num_classes(self) -> int:
        """The number of classes C of the task."""
        return self._state.task.num_classes

    @property
    def class_counts(self) -> torch.Tensor:
        """Labels per class `[C]` float32 of the training part, before any resampling."""
        assert self._state.train is not None, "class_counts is known once a training part is"
        return self._state.train.class_counts()

    @property
    def step(self) -> int:
        """The optimizer step that is going on."""
        return self._state.step

    @property
    def progress(self) -> float:
        """The fraction in [0, 1] of the training that is done."""
        return self._state.progress

    @property
    def model(self) -> nn.Module:
        """The model that `fit` trains."""
        assert self._state.model is not None, "there is no model before init_model"
        return self._state.model

    @property
    def rng(self) -> Stream:
        """Random tensors, keyed by the trial, the cell, this component, this stage and the step.

        Asking twice gives the same numbers twice: keep the stream while drawing several things.
        """
        return self.stream("")

    def stream(self, purpose: str) -> Stream:
        """A random stream of its own for a named purpose."""
        return Stream(*self._key(purpose), device=self.device, step=self.step)

    def _key(self, purpose: str) -> tuple[object, ...]:
        state, owner = self._state, self._component.name if self._component else "engine"
        return (*state.identity, state.cell, *state.phase, owner, self._stage, purpose)

    def torch_seeded(self) -> AbstractContextManager[None]:
        """Inside, torch's own generators follow this component and stage, as new modules need it."""
        return seeded(derive_key(*self._key("torch")))

    @property
    def source(self) -> LabeledSet:
        """The task's labelled source data. Raises UndeclaredUse unless `uses` names it."""
        self._require("source")
        if self._state.source is None:
            raise DataError(f"{self.task.text} has no source data; give the task source=DATASET")
        return self._state.source

    @property
    def unlabeled(self) -> torch.Tensor:
        """The task's unlabelled inputs `[U, ...]`. Raises UndeclaredUse unless `uses` names them."""
        self._require("unlabeled")
        if self._state.unlabeled is None:
            raise DataError(f"{self.task.text} has no unlabeled data")
        return self._state.unlabeled

    def load_weights(self, path: str) -> dict[str, Any]:
        """A state dictionary from a local file. Raises UndeclaredUse unless `uses` names "pretrained"."""
        import torch

        self._require("pretrained")
        if not Path(path).is_file():
            raise DataError(
                f"no weights at {path!r}; give the path of a state dictionary saved by torch.save"
            )
        found = torch.load(path, map_location=self.device, weights_only=True)
        if not isinstance(found, dict):
            raise DataError(f"{path!r} holds {type(found).__name__}; expected a state dictionary")
        return found

    def _require(self, what: str) -> None:
        if self._component is not None and what not in self._component.uses:
            name = self._component.name
            raise UndeclaredUse(
                f"{name} touched {what} data in {self._stage}, but its `uses` does not name {what!r}"
            )

    def note(self, text: str) -> None:
        """Put a remark into the record, once: for what was asked and could not be done in full."""
        said = f"{self._component.name}: {text}" if self._component else text
        if said not in self._state.notes:
            self._state.notes.append(said)

    def new_model(self, num_classes: int | None = None, purpose: str = "model") -> Network:
        """A network of the recipe's backbone with fresh random weights, on the device.

        The same purpose gives the same weights in every strategy of a trial's seeds.
        """
        import torch

        from fsbench.engine.backbones import build_network

        classes = self.num_classes if num_classes is None else num_classes
        with seeded(derive_key(*self._state.identity, purpose)):
            network = build_network(self.recipe.backbone, self.task.input_shape, classes, self.recipe.dropout)
        # Convolutions of a CPU are up to twice as fast with the channels last.
        return network.to(self.device).to(memory_format=torch.channels_last)

    def objective(self, model: nn.Module) -> Objective:
        """The composed objective of a model, as a module: `forward(batch) -> scalar`."""
        from fsbench.engine.objective import Objective

        return Objective(model, self._state.composition, Context(self._state))

    def augment(self, batch: Batch) -> Batch:
        """A batch after every component's augmentation."""
        return self._state.composition.augment(batch, Context(self._state))

    def pretrain(self, model: nn.Module, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """Train a model on other data by plain cross-entropy, in place; returns it in evaluation mode."""
        from fsbench.engine.objective import Objective
        from fsbench.engine.training import train

        with self.entering("pretrain"):
            return train(Objective(model, Composition(()), Context(self._state)), data, recipe)

    @contextmanager
    def entering(self, phase: str, train: LabeledSet | None = None) -> Iterator[None]:
        """Give what is drawn inside random numbers of its own, and restore the step after it.

        `train`, if given, stands for the task's training part inside (an episode's support, say).
        """
        state = self._state
        before = state.phase, state.step, state.progress, state.train
        owner = self._component.name if self._component else "engine"
        state.phase = (*state.phase, owner, self._stage, phase)
        state.train = state.train if train is None else train
        try:
            yield
        finally:
            state.phase, state.step, state.progress, state.train = before

    @contextmanager
    def in_force(self, recipe: Recipe | None, model: nn.Module | None) -> Iterator[None]:
        """Let another recipe or model be the trial's inside. Called by the engine around `fit`."""
        state = self._state
        before = state.recipe, state.model
        state.recipe = state.recipe if recipe is None else recipe
        state.model = state.model if model is None else model
        try:
            yield
        finally:
            state.recipe, state.model = before

    def at_step(self, step: int, steps: int) -> None:
        """Say which step of how many is going on: random streams and `progress` follow it."""
        self._state.step = step
        self._state.progress = step / max(1, steps - 1)

    def copy_of(self, model: nn.Module) -> nn.Module:
        """An independent copy of a model."""
        return copy.deepcopy(model)

    def scoped(self, component: Strategy, stage: str) -> Context:
        """The view of one component inside one stage. Called by the engine."""
        return Context(self._state, component, stage)

    def mark_ran(self, component: Strategy, stage: str) -> None:
        """Remember that a stage of a component ran. Called by the engine."""
        self._state.ran.add((component.name, stage))

    def has_run(self, component: Strategy) -> bool:
        """Whether any stage of a component ran. Called by the engine."""
        return any(name == component.name for name, _ in self._state.ran)


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Torch's global generators seeded inside, and as they were outside."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(key % 2**63)
        yield
