"""What a strategy may see and ask for while a trial runs: the author's side of the engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fsbench.rng import Stream
from fsbench.types import Batch, Fitted, LabeledSet, Recipe, TaskInfo

if TYPE_CHECKING:
    import torch
    from torch import nn

M = TypeVar("M")


class Context(Protocol):
    """One component's view of a trial, inside one stage. The engine hands it to every stage as `ctx`."""

    @property
    def task(self) -> TaskInfo:
        """The task, without its data."""

    @property
    def recipe(self) -> Recipe:
        """The recipe in force (after `configure`)."""

    @property
    def device(self) -> torch.device:
        """The device that every tensor of the trial is on."""

    @property
    def num_classes(self) -> int:
        """The number of classes C: the task's, and inside an episode of other classes the episode's."""

    @property
    def class_counts(self) -> torch.Tensor:
        """Labels per class `[C]` float32 of the training part, before any resampling.

        Raises PluginError where no training part is known yet (in `configure` and `init_model`).
        """

    @property
    def step(self) -> int:
        """The optimizer step that is going on, from 0."""

    @property
    def progress(self) -> float:
        """The fraction in [0, 1] of the training that is done."""

    @property
    def model(self) -> nn.Module:
        """The model that is trained. Raises PluginError before there is one (in `configure`)."""

    @property
    def source(self) -> LabeledSet:
        """The task's labelled source data. Raises UndeclaredUse unless `uses` names `"source"`.

        It comes into memory when asked for and leaves it when nobody holds it: keep it while you use it.
        Raises DataError where the task has none.
        """

    @property
    def unlabeled(self) -> torch.Tensor:
        """The task's unlabelled inputs `[U, ...]`. Raises UndeclaredUse unless `uses` names `"unlabeled"`.

        Like the source, they are in memory as long as somebody holds them. Raises DataError where the task
        has none.
        """

    @property
    def val(self) -> LabeledSet:
        """The validation set (it can be empty). Raises UndeclaredUse unless `uses` names `"val"`.

        Its labels are part of the label budget: for early stopping, thresholds, the weights of an ensemble.
        Raises PluginError where no cell is at work yet (in `configure` and `init_model`).
        """

    @property
    def rng(self) -> Stream:
        """Random tensors, keyed by the trial, the cell, this component, this stage and the step.

        Asking twice gives the same numbers twice: keep the stream while drawing several things.
        """

    def stream(self, purpose: str) -> Stream:
        """A random stream of its own for a named purpose."""

    def torch_seeded(self) -> AbstractContextManager[None]:
        """Inside, torch's own generators follow this component and stage, as new modules need it."""

    def memory(self, make: Callable[[], M]) -> M:
        """This component's object for the training that is going on, made by `make` at first use.

        All stages of the component share it within one training run; it is gone at the end of that, so no
        state is carried from one training run to the next. Raises PluginError where none is going on.
        """

    def note(self, text: str) -> None:
        """Put a remark into the record, once: for what was asked and could not be done in full."""

    def load_weights(self, weights: str) -> dict[str, Any]:
        """A state dictionary for the body of the recipe's backbone, from a local file or by name.

        "imagenet" names the backbone's default. Raises UndeclaredUse unless `uses` names "pretrained",
        UsageError or DataError where the weights are not those of the backbone or cannot be had.
        """

    def new_model(self, num_classes: int | None = None, purpose: str = "model") -> Any:
        """A network of the recipe's backbone with fresh random weights, on the device.

        It has a `body`, a linear `head`, `forward_features`, `forward_head` and `with_head(num_classes)`.
        The same purpose gives the same weights in every strategy of a trial's seeds.
        """

    def start(self, purpose: str) -> nn.Module:
        """Another start: a new model after every component's `init_model`, with other random numbers.

        For the members of an ensemble, so that each is pretrained, frozen or meta-learned as the spec says.
        The same purpose gives the same start, in every cell of a split.
        """

    def objective(self, model: nn.Module) -> nn.Module:
        """The composed objective of a model, as a module: `forward(batch) -> scalar`.

        Its parameters are named `model.*` and, of the components' auxiliary modules, `auxiliary.NAME.*`.
        """

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The composed loss `[B]` of logits `[B, C]` against targets `[B, C]`."""

    def augment(self, batch: Batch) -> Batch:
        """A batch after every component's augmentation."""

    def pretrain(self, model: nn.Module, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """Train a model on other data by plain cross-entropy, in place; returns it in evaluation mode."""

    def fitted(self, network: nn.Module) -> Fitted:
        """A network as a fitted predictor: in evaluation mode, without gradients, in bounded batches."""

    def fit_with(self, spec: str, train: LabeledSet) -> Fitted:
        """Fit another strategy, one that a field of this component names, on a training set.

        `spec` is one of `fsbench.specs(self.FIELD)`. On the same training set it is fitted as in a trial of
        its own, to the bit. Raises PluginError for a spec that no field with `param(..., spec=True)` holds.
        """

    def entering(self, phase: str, train: LabeledSet | None = None) -> AbstractContextManager[None]:
        """Give what is drawn inside random numbers of its own, and restore the step after it.

        `train`, if given, stands for the task's training part inside (an episode's support, say).
        """

    def at_step(self, step: int, steps: int) -> None:
        """Say which step of how many is going on: random streams and `progress` follow it."""

    def autocast(self) -> AbstractContextManager[None]:
        """Inside, models compute in the recipe's precision. For forward passes of your own.

        What `objective` returns does so by itself; parameters and losses stay float32.
        """
