"""The values that the parts of fsbench exchange. Light to import: torch only for type checkers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from fsbench.errors import DataError, InertComponent
from fsbench.savable import Savable

if TYPE_CHECKING:
    import torch
    from torch import nn

Optimizer = Literal["adamw", "sgd", "adam", "rmsprop", "adagrad"]
Schedule = Literal["cosine", "warmup_cosine", "constant", "one_cycle", "step", "plateau"]

Predictor: TypeAlias = Callable[["torch.Tensor"], "torch.Tensor"]
"""Inputs `x [N, ...]` to logits `[N, C]` float32, on one device."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a dataset before it is loaded; loading checks the data against it.

    `text` is the canonical expression (`mnist5k(size=8)`), `description` says in a few words what the samples
    are, and `kind` names their kind. `licence` and `citation` are texts to show. `classes` names the classes
    in the order of their numbers and `class_counts` says how many samples each has. `symmetries` are those of
    `TaskInfo`. `evaluation_classes` are the numbers of the classes reserved for test episodes; the others are
    for meta-training. `test_counts` and `val_counts` say how many samples of each class are in the dataset's
    own test and validation part, `()` if it has none. `columns`, for a table, has a number for each stored
    column: 0 if it is numeric, or its number of categories, stored as codes from 0; `()` if all are numeric
    and none is missing. `shape` is that of a sample as most strategies see it, with one-hot categories;
    `stored` is that of larger images in `x`, for strategies that need them, `()` if there are none. `grouped`
    says that some samples belong together. `num_unlabeled` is the number of further inputs without a label.
    Raises DataError for a shape, classes or counts that are no tuple.
    """

    text: str
    description: str
    kind: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    licence: str
    citation: str
    symmetries: frozenset[str] = frozenset()
    evaluation_classes: tuple[int, ...] = ()
    test_counts: tuple[int, ...] = ()
    val_counts: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    grouped: bool = False
    num_unlabeled: int = 0
    stored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("shape", "classes", "class_counts"):
            value = getattr(self, name)
            if not isinstance(value, tuple | list):
                raise DataError(f"{self.text}: {name} is {value!r}; expected a tuple, such as ({value!r},)")

    @property
    def name(self) -> str:
        """The name without arguments: `mnist5k`."""
        return self.text.partition("(")[0]

    @property
    def n(self) -> int:
        """The number of samples with a label."""
        return sum(self.class_counts)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)


def info_from_dict(values: Mapping[str, Any]) -> DatasetInfo:
    """Read what `to_dict` wrote, in this or a later version. Raises ValueError or TypeError."""
    known = {each.name for each in fields(DatasetInfo)}
    given = {name: value for name, value in dict(values).items() if name in known}
    read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    try:
        info = DatasetInfo(**read)
    except DataError as error:
        raise ValueError(str(error)) from None
    if len(info.classes) != len(info.class_counts):
        raise ValueError(f"{len(info.classes)} classes with the sizes of {len(info.class_counts)}")
    return replace(info, symmetries=frozenset(info.symmetries), classes=tuple(map(str, info.classes)))


@dataclass(frozen=True)
class TaskInfo:
    """What a strategy may know about a task: everything but the data.

    `kind` names what a sample is, such as `"image"` or `"table"`. `input_shape` is `(channels, height,
    width)` for images, `(features,)` for tables and `(bytes,)` for texts. `symmetries` names those of the
    kind's transformations that keep a label here (`Kind.symmetries`). `labels_per_class` is the number of
    labels of the largest class on the target; `balanced` says that all classes are known to have this number.
    `source_shape` and `source_classes` describe the source data, None and 0 without; `num_unlabeled` counts
    unlabelled inputs. `num_val` is the number of validation labels of a cell (approximate if groups stay
    whole). `labels_on_target` and, on a `shift` task, `labels_on_source` say where the training labels are.
    """

    text: str
    protocol: str
    kind: str
    input_shape: tuple[int, ...]
    num_classes: int
    symmetries: frozenset[str] = frozenset()
    source_shape: tuple[int, ...] | None = None
    source_classes: int = 0
    num_unlabeled: int = 0
    num_val: int = 0
    labels_per_class: int = 0
    labels_on_target: bool = True
    labels_on_source: bool = True
    balanced: bool = False

    @property
    def has_source(self) -> bool:
        """Whether the task comes with labelled source data."""
        return self.source_shape is not None


def to_dict(info: DatasetInfo | TaskInfo) -> dict[str, Any]:
    """A JSON-serialisable dictionary."""
    return vars(info) | {"symmetries": sorted(info.symmetries)}


def task_from_dict(values: Mapping[str, Any]) -> TaskInfo:
    """Read what `to_dict` wrote."""
    shape = values["source_shape"]
    read = {
        "input_shape": tuple(values["input_shape"]),
        "source_shape": None if shape is None else tuple(shape),
        "symmetries": frozenset(values["symmetries"]),
    }
    return TaskInfo(**{**values, **read})


@dataclass(frozen=True)
class Recipe:
    """What every strategy starts from on a task: the backbone and how it is trained.

    `backbone` is an expression (`conv4(width=32)`); `backbone_lr_scale` multiplies the learning rate of
    everything but the head; `momentum` is that of `sgd`; `dropout` is a probability, before the head and
    where the architecture has it; `precision` is `"float32"` or `"bfloat16"` (autocast). `steps` counts
    optimizer steps; a training part for which these are fewer than `passes` over its samples gets as many as
    that takes. `unlabeled_batch_size` is the number of unlabelled inputs in a step; 0 means `batch_size`.
    `optimizer` names a class of torch. Of the schedules, `warmup_cosine` raises the rate over the first tenth
    of the steps; `one_cycle` raises it from a 25th over the first 30% and lowers it to almost zero (Smith &
    Topin 2019); `step` divides it by ten after a half and after three quarters; `plateau` divides it by ten
    when the training loss has not fallen for a tenth of the steps.
    """

    backbone: str
    steps: int
    batch_size: int
    optimizer: Optimizer = "adamw"
    lr: float = 1e-3
    backbone_lr_scale: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Schedule = "cosine"
    dropout: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    unlabeled_batch_size: int = 0
    passes: int = 0

    def sized(self, samples: int) -> Recipe:
        """The recipe for a number of training samples: `steps` are enough for `passes`, which are then 0."""
        if not self.passes:
            return self
        batch = min(self.batch_size, samples)
        return replace(self, steps=max(self.steps, math.ceil(self.passes * samples / batch)), passes=0)


@dataclass(frozen=True)
class LabeledSet:
    """Labelled samples on one device.

    `x` are the tensors that its kind makes from stored samples: for images float32 `[N, C, H, W]` in [0, 1],
    for tables float32 `[N, F]`, standardised on the training part. `targets` is float32 `[N, C]`: one-hot or
    soft labels. `weights` `[N]`, if given, are relative sampling probabilities for batches; `[T, N]` are
    those of T equal parts of the training, one after the other. `domain` `[N]` int64, if given, is 0 for
    source and 1 for target samples. `groups` `[N]` int64, if given, has equal numbers where samples belong
    together (one patient's, equal rows, or copies of one), which cross-validation must not separate;
    `[G, N]` has all groups that each sample was made from. A group of -1 stands for all. `added` `[N]` bool,
    if given, marks samples that a strategy made from others or repeats, which no fold may hold out.
    """

    x: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor | None = None
    domain: torch.Tensor | None = None
    groups: torch.Tensor | None = None
    added: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def y(self) -> torch.Tensor:
        """Hard labels `[N]` int64."""
        return self.targets.argmax(-1)

    @property
    def num_classes(self) -> int:
        """The number of classes C."""
        return int(self.targets.shape[1])

    @property
    def mean_weights(self) -> torch.Tensor | None:
        """The sampling weights `[N]` over the whole training, for a fit without steps, or None."""
        if self.weights is None or self.weights.ndim == 1:
            return self.weights
        return (self.weights / self.weights.sum(1, keepdim=True)).mean(0)

    @property
    def class_counts(self) -> torch.Tensor:
        """Labelled samples per class, `[C]` float32."""
        return self.targets.sum(0)

    @property
    def added_mask(self) -> torch.Tensor:
        """`added` `[N]` bool; none is marked if it is not given."""
        import torch

        return torch.zeros_like(self.targets[:, 0], dtype=torch.bool) if self.added is None else self.added

    def select(self, index: torch.Tensor) -> LabeledSet:
        """The rows that an index or boolean mask picks."""
        others = self.weights, self.domain, self.groups, self.added
        chosen = (None if each is None else each[..., index] for each in others)
        return LabeledSet(self.x[index], self.targets[index], *chosen)

    def joined(self, other: LabeledSet) -> LabeledSet:
        """These samples, then others; with weights, domains and groups where both sets have them.

        Raises ValueError if the weights are of different numbers of parts of the training.
        """
        import torch

        parts = {
            len(each.weights) for each in (self, other) if each.weights is not None and each.weights.ndim == 2
        }
        if len(parts) > 1:
            raise ValueError(
                f"the weights are of {' and '.join(map(str, sorted(parts)))} parts of the training"
            )
        x, targets = torch.cat([self.x, other.x]), torch.cat([self.targets, other.targets])
        pairs = (self.weights, other.weights), (self.domain, other.domain), (self.groups, other.groups)
        found = LabeledSet(x, targets, *(_beside(*pair) for pair in pairs))
        if self.added is None and other.added is None:
            return found
        return replace(found, added=torch.cat([self.added_mask, other.added_mask]))

    def with_added(self, other: LabeledSet) -> LabeledSet:
        """These samples, then others that repeat them or are made from them, which `added` marks."""
        import torch

        return self.joined(replace(other, added=torch.ones_like(other.targets[:, 0], dtype=torch.bool)))


def _beside(first: torch.Tensor | None, second: torch.Tensor | None) -> torch.Tensor | None:
    """Values `[N]` or `[G, N]` of two sets, one after the other; the last row fills up the smaller G."""
    import torch

    if first is None or second is None:
        return None
    if first.ndim == second.ndim == 1:
        return torch.cat([first, second])
    pair = [each if each.ndim == 2 else each[None] for each in (first, second)]
    rows = max(map(len, pair))
    return torch.cat([torch.cat([each, each[-1:].expand(rows - len(each), -1)]) for each in pair], 1)


@dataclass(frozen=True)
class Batch:
    """One training batch: inputs `x [B, ...]` and soft targets `[B, C]`, each row a distribution.

    `role` says whether the targets are labels; an `"unlabeled"` batch has uniform targets and occurs only in
    `augment` and `embed`. `unlabeled [U, ...]` contains unlabelled inputs if a component declares that it
    uses them, and `raw_unlabeled [U, ...]` the same inputs before augmentation. `domain` `[B]` float32, if
    the training set has domains, is the fraction of each sample that is from the target domain: 0, 1, or
    between for mixed samples. `rows` `[B]` int64, in training, are the samples' numbers in the training set,
    for what is remembered of each; an `augment` that leaves out, adds or reorders samples changes them too.
    """

    x: torch.Tensor
    targets: torch.Tensor
    unlabeled: torch.Tensor | None = None
    domain: torch.Tensor | None = None
    raw_unlabeled: torch.Tensor | None = None
    role: Literal["labeled", "unlabeled"] = "labeled"
    rows: torch.Tensor | None = None


@dataclass(frozen=True)
class StepOutput:
    """What `auxiliary_loss` sees of a forward pass.

    `features [B, D]`, `logits [B, C]` and `targets [B, C]` belong to the labelled batch;
    `unlabeled_features [U, D]` and `unlabeled_logits [U, C]` to the unlabelled one, if there is one. Both
    batches pass the network together, or, if the training set has domains, one after the other.
    `progress` in [0, 1] is the fraction of training that is done. `model` is the network that is trained
    and `batch` what it was given; `modules` is what the component's `auxiliary_modules` returned.
    """

    features: torch.Tensor
    logits: torch.Tensor
    targets: torch.Tensor
    progress: float
    model: nn.Module
    batch: Batch
    unlabeled_features: torch.Tensor | None = None
    unlabeled_logits: torch.Tensor | None = None
    modules: nn.Module | None = None


class Step(Protocol):
    """One optimizer step, as passed to the stage `step`."""

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """What the optimizer trains: the model's parameters and those of auxiliary modules."""

    @property
    def last(self) -> bool:
        """Whether this is the last step of its training."""

    def gradients(self) -> torch.Tensor:
        """Compute the objective's gradients anew, in `parameter.grad`; returns the detached loss, a scalar.

        A repeated call uses the same batch and the same random numbers. It leaves buffers (the statistics of
        normalisation layers) and what components remember as the first call left them.
        """

    def update(self) -> None:
        """Update the parameters with the optimizer and the current gradients."""


@dataclass(frozen=True)
class Fitted:
    """A fitted predictor, and the network behind it if there is one.

    `predict` maps inputs `x [N, ...]` to logits `[N, C]` float32 on the same device. `network` is the module
    with which `predict` computes logits, so changing its weights changes the predictions. It is None if there
    is no such network, as for a scikit-learn classifier. A model can be saved if `predict` is `Savable`.
    """

    predict: Predictor
    network: nn.Module | None = None

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Fitted:
        """A copy with `change` applied to the logits `[N, C]` and the same network."""
        return Fitted(_Changed(self.predict, change), self.network)

    def require_network(self, who: str) -> nn.Module:
        """The network. If there is none, raises InertComponent, which names the component that needs it."""
        if self.network is None:
            raise InertComponent(
                f"{who} had no effect; it changes the weights of a network, and this fit has none"
            )
        return self.network


@dataclass(frozen=True, eq=False)
class _Changed(Savable):
    """A predictor whose logits are changed."""

    predict: Predictor
    change: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The changed logits `[N, C]`."""
        return self.change(self.predict(x))
