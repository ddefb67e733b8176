"""The state of a trial, and data that is in memory only while it is referenced."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import nn

from fsbench.composition import Composition
from fsbench.effects import Effects
from fsbench.engine.objective import Objective
from fsbench.types import Batch, LabeledSet, Recipe, TaskInfo

T = TypeVar("T")


class Lent(Generic[T]):
    """A value that is made on demand and exists only while it is referenced."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: Callable[[], T | None] = lambda: None

    def __call__(self) -> T:
        """The value that is still referenced, or a new one."""
        found = self._made()
        if found is None:
            found = self._make()
            self._made = weakref.ref(found)
        return found


class Features(Protocol):
    """Features `[N, D]` of inputs `[N, ...]` by the body of a pretrained network."""

    @property
    def network(self) -> nn.Module:
        """The network."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The features, float32."""


class Trainings(Protocol):
    """Trains as `training.train` does, or reads what another trial trained in just the same way."""

    def train(self, objective: Objective, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """The model of an objective, trained on labels of the split."""

    def pretrain(self, objective: Objective, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """The model of an objective, trained on other data."""

    def pretrain_by(
        self, train: Callable[[], None], objective: Objective, data: LabeledSet, deciding: str
    ) -> None:
        """Train the model of an objective on other data by `train`, which `deciding` describes."""


@dataclass
class TrialState:
    """What all contexts of one trial share. The engine writes it; strategies read it through a context.

    `given` is the task as planned, `stored` the shape of its samples as they are stored, and `opened` their
    shape as a fit is passed them. `inputs` is the task as the composition sees it, and `task` as it is for
    the stages after `embed`.

    `phase` distinguishes training runs, so that each draws separate batches; `cell` is the number of the
    split's cell; `step` and `progress` follow the current training run, and `memories` has the components'
    objects for it. `start` is the model as `init_model` left it, `model` the one that is trained; `starts`
    has the other requested starts, by purpose, and `started` every copy of a start. `source` and `unlabeled`
    are loaded only while they are used. `val` is the cell's validation set, `class_counts` `[C]` those of its
    training part, `samples` its size, for which the recipe is sized, `part` this part, `train` the part as
    the composition sees it, and `resampled` as it is fitted.
    `batch` is what the objective is computed on. `trainings` has trainings that trials share. `features` is
    the folder for features of frozen bodies, `pretrained` has the digests of loaded weights, and `bodies` the
    pretrained bodies beside the model. `members` has the states of strategies that were fitted as arguments
    of others, by text and recipe.
    """

    identity: tuple[object, ...]
    given: TaskInfo
    composition: Composition
    recipe: Recipe
    device: torch.device
    stored: tuple[int, ...] = ()
    opened: tuple[int, ...] = ()
    inputs: TaskInfo = field(init=False)
    task: TaskInfo = field(init=False)
    source: Lent[LabeledSet] | None = None
    unlabeled: Lent[torch.Tensor] | None = None
    val: LabeledSet | None = None
    train: LabeledSet | None = None
    part: LabeledSet | None = None
    resampled: LabeledSet | None = None
    class_counts: torch.Tensor | None = None
    samples: int | None = None
    batch: Batch | None = None
    start: nn.Module | None = None
    model: nn.Module | None = None
    starts: dict[str, nn.Module] = field(default_factory=dict)
    started: weakref.WeakSet[nn.Module] = field(default_factory=weakref.WeakSet)
    cell: int = -1
    phase: tuple[object, ...] = ()
    runs: int = 0
    step: int = 0
    progress: float = 0.0
    memories: dict[str, object] | None = None
    effects: Effects = field(default_factory=Effects)
    notes: list[str] = field(default_factory=list)
    trainings: Trainings | None = None
    features: Path | None = None
    pretrained: set[str] = field(default_factory=set)
    bodies: dict[tuple[str, str, tuple[int, ...]], Features] = field(default_factory=dict)
    members: dict[tuple[str, Recipe], TrialState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stored = self.stored or self.given.input_shape
        self.opened = self.opened or self.stored
        self.inputs = self.task = self.given

    def of_member(self, composition: Composition) -> TrialState:
        """The state in which a strategy in an argument begins, on samples as this trial embeds them."""
        return replace(
            self,
            given=self.given if self.task is self.inputs else self.task,
            stored=self.task.input_shape,
            opened=self.task.input_shape,
            composition=composition,
            cell=-1,
            samples=None,
            phase=(),
            memories=None,
            effects=Effects(),
            starts={},
            members={},
        )

    def as_given(self, train: LabeledSet) -> LabeledSet:
        """A training set without what was resampled: of the whole part, the samples that the split gave."""
        if self.part is None or self.resampled is None:
            return train
        whole = (~train.added_mask).sum() == (~self.resampled.added_mask).sum()
        given = self.part if whole else train
        return given if given.added is None else given.select(~given.added)

    def counts(self, train: LabeledSet) -> torch.Tensor:
        """The labels per class `[C]` of a training part: of its target only, if no others are trained on."""
        if train.domain is None or self.composition.narrow(self.task).labels_on_source:
            return train.class_counts
        return train.select(train.domain == 1).class_counts
