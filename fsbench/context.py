"""What a strategy may see and request while a trial runs: the author's view of the engine."""

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
    """One component's view of a trial, inside one stage. The engine passes it to every stage as `ctx`."""

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
        """The number of classes C: that of the task, or of the episode inside one with other classes."""

    @property
    def class_counts(self) -> torch.Tensor:
        """Labels per class `[C]` float32 of the training part, before any resampling.

        They are those of the target only, where a component such as `transfer` leaves only these.

        Raises PluginError if no training part is known yet (in `configure` and `init_model`).
        """

    @property
    def step(self) -> int:
        """The number of the current optimizer step, from 0."""

    @property
    def progress(self) -> float:
        """The fraction in [0, 1] of the training that is done."""

    @property
    def model(self) -> nn.Module:
        """The model that is trained. Raises PluginError before there is one (in `configure`)."""

    @property
    def batch(self) -> Batch | None:
        """In `loss` and `auxiliary_loss`, the batch that the engine's objective is computed on.

        It is None elsewhere, and where a strategy calls `loss` in a training of its own.
        """

    @property
    def source(self) -> LabeledSet:
        """The task's labelled source data. Raises UndeclaredUse unless `uses` names `"source"`.

        It is loaded when asked for and stays in memory only while it is referenced: keep it while you use it.
        Raises DataError if the task has none.
        """

    @property
    def unlabeled(self) -> torch.Tensor:
        """The task's unlabelled inputs `[U, ...]`. Raises UndeclaredUse unless `uses` names `"unlabeled"`.

        Like the source, they stay in memory only while they are referenced. Raises DataError if the task has
        none.
        """

    @property
    def val(self) -> LabeledSet:
        """The validation set (it can be empty). Raises UndeclaredUse unless `uses` names `"val"`.

        Its labels are part of the label budget: for early stopping, thresholds, the weights of an ensemble.
        Raises PluginError before a cell has begun (in `configure` and `init_model`).
        """

    @property
    def rng(self) -> Stream:
        """Random tensors, keyed by the trial, the cell, this component, this stage and the step.

        Each access starts the same numbers again, so keep the stream to draw several times.
        """

    def stream(self, purpose: str) -> Stream:
        """A separate random stream for a named purpose."""

    def fixed_stream(self, purpose: str) -> Stream:
        """A random stream for a named purpose, with the same numbers wherever a trial asks for it.

        The other streams have numbers of their own for each stage, training step, cell and training run, and
        for inputs to train on and inputs to predict. This one is for what must be the same for all of them,
        such as a random projection in `embed`.
        """

    def torch_seeded(self) -> AbstractContextManager[None]:
        """Inside, torch's global generators are seeded for this component and stage, as new modules need."""

    def memory(self, make: Callable[[], M]) -> M:
        """This component's object for the current training run, made by `make` at first use.

        All stages of the component share it within one training run. It is dropped at the end of the run, so
        no state is carried from one training run to the next. Raises PluginError outside a training run.
        """

    def note(self, text: str) -> None:
        """Add a remark to the record, once: for something that was requested but not done in full."""

    def load_weights(self, weights: str, into: nn.Module | None = None) -> dict[str, Any]:
        """A state dictionary for the body of the recipe's backbone, from a local file or by name.

        "imagenet" names the backbone's default. With `into`, it is also loaded into that body. Raises
        UndeclaredUse unless `uses` names "pretrained", UsageError or DataError if the weights do not fit the
        backbone or the body, or are not available.
        """

    def pretrained_features(
        self, backbone: str, weights: str, size: int | None = None
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """The frozen body of any backbone with weights, as a map of inputs `[N, ...]` to features `[N, D]`.

        Features are float32 and each is computed once: they are kept in the results folder. `size` replaces
        the side to which the backbone resizes images, unless its expression says one. It is for the stage
        `embed`. Raises as `load_weights` does.
        """

    def new_model(self, num_classes: int | None = None, purpose: str = "model") -> Any:
        """A network of the recipe's backbone with fresh random weights, on the device.

        It has a `body`, a linear `head`, `forward_features`, `forward_head` and `with_head(num_classes)`.
        The same purpose gives the same weights in every strategy of a trial's seeds.
        """

    def start(self, purpose: str) -> nn.Module:
        """Another start: a new model after every component's `init_model`, with other random numbers.

        It is for the members of an ensemble, each of which is pretrained, frozen or meta-learned as the spec
        says. The same purpose gives the same start, in every cell of a split.
        """

    def objective(self, model: nn.Module) -> nn.Module:
        """The composed objective of a model, as a module: `forward(batch) -> scalar`.

        Its parameters are named `model.*` and, of the components' auxiliary modules, `auxiliary.NAME.*`.
        """

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The composed loss `[B]` of logits `[B, C]` against targets `[B, C]`."""

    def augment(self, batch: Batch) -> Batch:
        """A batch after the augmentations of all components."""

    def pretrain(self, model: nn.Module, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """Train a model on other data by plain cross-entropy, in place; returns it in evaluation mode."""

    def pretrain_by(
        self, train: Callable[[], None], model: nn.Module, data: LabeledSet, *others: object
    ) -> None:
        """Train a model on other data in a way of your own, such as on episodes; `train()` does it.

        Trials of bundled strategies that train in just the same way share the result, such as the folds of a
        search, which have one source. So `train` must change nothing but the weights. Whatever it depends on
        besides the component, the model, `data`, the recipe and the component's random numbers belongs in
        `others`, as values that their `repr` tells apart.
        """

    def fitted(self, network: nn.Module) -> Fitted:
        """A network as a fitted predictor: in evaluation mode, without gradients, in bounded batches."""

    def fit_with(self, spec: str, train: LabeledSet) -> Fitted:
        """Fit another strategy, one that a field of this component names, on a training set.

        `spec` is one of `fsbench.specs(self.FIELD)`. On the same training set, the result equals that of a
        separate trial of the spec, to the bit. Raises PluginError for a spec that is not in a field with
        `param(..., spec=True)`.
        """

    @property
    def train(self) -> LabeledSet:
        """In `postprocess`, the training set, embedded but not resampled."""

    def refit(self, train: LabeledSet) -> Fitted:
        """In `postprocess`, resample another training set and fit the same strategy on it.

        It begins with a copy of the same start. The components before this one postprocess the result, so it
        is what this one would be given of such a fit. On parts of `ctx.train`, this gives predictions for
        samples that a fit has not seen.
        """

    def uses_of(self, spec: str) -> frozenset[str]:
        """What a strategy that `fit_with` takes uses beyond the training labels, such as `{"val"}`."""

    def entering(self, phase: str, train: LabeledSet | None = None) -> AbstractContextManager[None]:
        """Inside, random numbers are those of a separate phase; the step is restored afterwards.

        `train`, if given, takes the place of the task's training part inside (the support of an episode, for
        example).
        """

    def at_step(self, step: int, steps: int) -> None:
        """Set the current step and the number of steps; random streams and `progress` follow them."""

    def autocast(self) -> AbstractContextManager[None]:
        """Inside, models compute in the recipe's precision; for your own forward passes.

        The module that `objective` returns does this by itself; parameters and losses stay float32.
        """
