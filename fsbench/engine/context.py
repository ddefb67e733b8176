"""What a stage may see and ask of the engine, and what it is stopped from touching.

Every plugin imports this module for its annotations, so torch is imported where it is used.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fsbench.composition import Composition
from fsbench.engine.effects import Effects, Ground
from fsbench.errors import DataError, UndeclaredUse
from fsbench.rng import Stream, derive_key
from fsbench.strategy import Strategy
from fsbench.types import Batch, LabeledSet, Recipe, TaskInfo

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fsbench.engine.backbones import Network
    from fsbench.engine.objective import Objective


T = TypeVar("T")


class Lent(Generic[T]):
    """A value that is made when it is asked for and lives only as long as somebody holds it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: Callable[[], T | None] = lambda: None

    def __call__(self) -> T:
        """The value that somebody still holds, or else a new one."""
        found = self._made()
        if found is None:
            found = self._make()
            self._made = weakref.ref(found)
        return found


@dataclass
class TrialState:
    """What all contexts of one trial share. The engine writes it; strategies read it through Context.

    `phase` tells training runs apart, so that each draws batches of its own; `cell` is the number
    of the split's cell; `step` and `progress` follow the training that is going on. `start` is the
    cell's model as `init_model` left it, `source` and `unlabeled` are lent so that memory holds no copy of
    what nobody trains on, `class_counts` `[C]` those of its training part. `features` is
    the folder where features of frozen bodies are kept, `pretrained` has digests of the weights loaded.
    """

    identity: tuple[object, ...]
    task: TaskInfo
    composition: Composition
    recipe: Recipe
    device: torch.device
    source: Lent[LabeledSet] | None = None
    unlabeled: Lent[torch.Tensor] | None = None
    class_counts: torch.Tensor | None = None
    start: nn.Module | None = None
    model: nn.Module | None = None
    cell: int = -1
    phase: tuple[object, ...] = ()
    runs: int = 0
    step: int = 0
    progress: float = 0.0
    effects: Effects = field(default_factory=Effects)
    notes: list[str] = field(default_factory=list)
    features: Path | None = None
    pretrained: set[str] = field(default_factory=set)


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
        self._use("recipe")
        return self._state.recipe

    @property
    def device(self) -> torch.device:
        """The device that every tensor of the trial is on."""
        return self._state.device

    @property
    def num_classes(self) -> int:
        """The number of classes C: the task's, and inside an episode of other classes the episode's."""
        counts = self._state.class_counts
        return self._state.task.num_classes if counts is None else len(counts)

    @property
    def class_counts(self) -> torch.Tensor:
        """Labels per class `[C]` float32 of the training part, before any resampling."""
        assert self._state.class_counts is not None, "class_counts is known once a training part is"
        return self._state.class_counts

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
        self._use("model")
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
        """The task's labelled source data. Raises UndeclaredUse unless `uses` names it.

        It comes into memory when asked for and leaves it when nobody holds it: keep it while you use it.
        """
        self._require("source")
        if self._state.source is None:
            raise DataError(f"{self.task.text} has no source data; give the task source=DATASET")
        return self._state.source()

    @property
    def unlabeled(self) -> torch.Tensor:
        """The task's unlabelled inputs `[U, ...]`. Raises UndeclaredUse unless `uses` names them.

        Like the source, they are in memory as long as somebody holds them.
        """
        self._require("unlabeled")
        if self._state.unlabeled is None:
            raise DataError(f"{self.task.text} has no unlabeled data")
        return self._state.unlabeled()

    def load_weights(self, weights: str) -> dict[str, Any]:
        """A state dictionary for the body of the recipe's backbone, from a local file or by name.

        "imagenet" names the backbone's default. Raises UndeclaredUse unless `uses` names "pretrained",
        UsageError or DataError where the weights are not those of the backbone or cannot be had.
        """
        from fsbench.engine.backbones.weights import load_weights
        from fsbench.engine.frozen_body import weights_digest

        self._require("pretrained")
        found = load_weights(self._state.recipe.backbone, weights, self.device)
        self._state.pretrained.add(weights_digest(found))
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
            network = build_network(
                self.recipe.backbone, self.task.kind, self.task.input_shape, classes, self.recipe.dropout
            )
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
        before = state.phase, state.step, state.progress, state.class_counts
        owner = self._component.name if self._component else "engine"
        state.phase = (*state.phase, owner, self._stage, phase)
        state.class_counts = state.class_counts if train is None else train.class_counts()
        try:
            yield
        finally:
            state.phase, state.step, state.progress, state.class_counts = before

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

    def autocast(self) -> AbstractContextManager[None]:
        """Inside, models compute in the recipe's precision; parameters and losses stay float32."""
        import torch

        bfloat16 = self._state.recipe.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=False)

    def scoped(self, component: Strategy, stage: str) -> Context:
        """The view of one component inside one stage. Called by the engine."""
        return Context(self._state, component, stage)

    @property
    def effects(self) -> Effects:
        """What the components did so far. For the engine."""
        return self._state.effects

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks so far."""
        return tuple(self._state.notes)

    def reached_training(self, model: nn.Module | None) -> None:
        """Say that the engine trains, another model if one is given. Called by the engine."""
        state = self._state
        state.effects.used.add("recipe")
        if (state.model if model is None else model) is state.start:
            state.effects.used.add("model")

    def _use(self, ground: Ground) -> None:
        """Remember that a fit, or what comes after it, reads the recipe or the model.

        Around an owner of `fit`, a reader is not who fits: what it does depends on the owner.
        """
        component, effects = self._component, self._state.effects
        if component is None or self._stage not in ("fit", "postprocess"):
            return
        if ground == "model":
            effects.did(component.name, ground)
        owner = self._state.composition.owner("fit")
        if owner in (None, component) or self._stage == "postprocess":
            effects.used |= {ground, "recipe"}


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Torch's global generators seeded inside, and as they were outside."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(key % 2**63)
        yield
