"""One trial from arrays to predictions: configure, start, then each cell's resample, fit, predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fsbench import laws
from fsbench.composition import Composition
from fsbench.engine.backbones.network import import_backbone
from fsbench.engine.context import EngineContext
from fsbench.engine.device import synchronize
from fsbench.engine.fitting import begin, fit_cell
from fsbench.engine.shared_training import SharedTrainings
from fsbench.engine.source_test import MOST, SourceTest, divide
from fsbench.engine.state import Lent, TrialState
from fsbench.errors import BadPrediction, NonFinite
from fsbench.kinds import get_kind
from fsbench.rng import derive_key, seeded
from fsbench.savable import Savable
from fsbench.types import LabeledSet, Predictor, Recipe

if TYPE_CHECKING:
    from fsbench.tasks.splits import SplitArrays

CHUNK = 256
"""The largest number of samples in one call of a predictor."""
LOOKED_AT = 2000
"""The largest number of training samples for the accuracy on the training labels."""


@dataclass
class TrialResult:
    """Logits `[E, M, C]` float32 of every cell's test part, and what the trial cost.

    `source_before` and `source_after` are accuracies on held-out source samples, with the features of the
    start and of the network that the first cell's fit left; None without a source or a network. `validation`
    has the logits of the validation part `[E, V, C]` float32; None without one.
    """

    predictions: np.ndarray
    train_accuracy: float
    seconds_fit: float
    seconds_predict: float
    notes: tuple[str, ...]
    source_before: float | None = None
    source_after: float | None = None
    validation: np.ndarray | None = None


def run_trial(
    identity: tuple[object, ...],
    composition: Composition,
    recipe: Recipe,
    split: SplitArrays,
    device: torch.device,
    features: Path | None = None,
    keep: Callable[[Prediction], object] = lambda prediction: None,
    validation: bool = False,
    trainings: SharedTrainings | None = None,
) -> TrialResult:
    """Run a composed strategy on a split. All random numbers depend only on `identity`.

    `features` is the folder for features of frozen pretrained bodies, if they are kept. `keep` gets what
    predicts the test part of each cell. `validation` asks for logits of the validation part. `trainings` are
    those that the split's trials share; their time counts in each of them. Raises whatever a strategy raises,
    InertComponent, NonFinite or BadPrediction.
    """
    stored = tuple(split.train_x.shape[2:])
    state = TrialState(identity, split.info, composition, recipe, device, stored, trainings=trainings)
    state.features = features
    ctx = EngineContext(state)
    source = _place_extras(state, split)
    import_backbone(recipe.backbone)
    clock = _Clock(device)
    with seeded(derive_key(*identity, "torch")):
        with clock.timing("fit"):
            begin(state, ctx)
        state.opened = state.inputs.input_shape
        if state.task != state.given:
            source = None  # the network does not take the source's samples
        before = source.accuracy(state.start) if source else None
        cells, after = [], None
        for cell in range(len(split.train_y)):
            cells.append(_run_cell(cell, split, ctx, state, clock, keep, validation))
            if source and cell == 0 and before is not None:
                after = source.accuracy(cells[0].network)
    _check_effects(state)
    return TrialResult(
        predictions=np.stack([cell.logits for cell in cells]),
        train_accuracy=float(np.mean([cell.accuracy for cell in cells])),
        seconds_fit=clock.seconds["fit"] + (trainings.seconds if trainings else 0.0),
        seconds_predict=clock.seconds["predict"],
        notes=tuple(state.notes),
        source_before=None if after is None else before,
        source_after=after,
        validation=np.stack([cell.validation for cell in cells]) if validation else None,
    )


class _Cell(NamedTuple):
    """Logits on the test part, accuracy on the training labels, the network behind both, if any.

    Then logits on the validation part, if they were asked for; otherwise they are empty.
    """

    logits: np.ndarray
    accuracy: float
    network: nn.Module | None
    validation: np.ndarray


def _check_effects(state: TrialState) -> None:
    """Raise InertComponent for a component without effect, in the strategy or in one of its fields."""
    laws.check_effects(state.composition, EngineContext(state))
    for member in state.members.values():
        _check_effects(member)


def _run_cell(
    cell: int,
    split: SplitArrays,
    ctx: EngineContext,
    state: TrialState,
    clock: _Clock,
    keep: Callable[[Prediction], object],
    validation: bool,
) -> _Cell:
    classes, only = state.task.num_classes, len(split.train_y) == 1
    state.cell, state.runs = cell, 0
    kind, shape = state.given.kind, state.inputs.input_shape
    domain, group = (None if each is None else each[cell] for each in (split.train_domain, split.train_group))
    train = split.train_x[cell], split.train_y[cell]
    with clock.timing("fit"):
        state.val = labeled_set(
            kind, split.val_x[cell], split.val_y[cell], classes, state.device, shape=shape
        )
        # No reference to the training set is kept, so that `resample` can release it.
        fitted = fit_cell(
            state,
            ctx,
            labeled_set(kind, *train, classes, state.device, domain, group, shape),
            only,
        )
    whole = "test_inputs" in state.composition.uses
    predict = Prediction(fitted.predict, kind, shape, classes, whole)
    with clock.timing("predict"):
        logits = predict(split.test_x[cell], state.device)
    accuracy = _training_accuracy(predict, split.train_x[cell], split.train_y[cell], state.device)
    validated = predict(split.val_x[cell], state.device) if validation else np.zeros(0, np.float32)
    keep(predict)
    # A fit that has no network of its own may predict with the features of the model that it was given.
    own = fitted.network if hasattr(fitted.network, "forward_features") else state.model
    return _Cell(logits, accuracy, own if cell == 0 else None, validated)


def _training_accuracy(predict: Prediction, x: np.ndarray, y: np.ndarray, device: torch.device) -> float:
    """The accuracy on training samples; of a large set on some, evenly spaced, because all take long."""
    rows = np.linspace(0, len(y) - 1, min(len(y), LOOKED_AT)).astype(np.int64)
    return float((predict(x[rows], device).argmax(-1) == y[rows]).mean())


@dataclass(frozen=True, eq=False)
class Prediction(Savable):
    """From stored inputs to logits, a chunk at a time.

    So a predictor sees the `whole` test part only if it is declared, and only one chunk is float32 at a time.
    `input_shape` is that of the inputs as the predictor takes them.
    """

    predict: Predictor
    kind: str
    input_shape: tuple[int, ...]
    num_classes: int
    whole: bool = False

    def __call__(self, x: np.ndarray, device: torch.device) -> np.ndarray:
        """Logits `[N, C]` float32 of stored inputs `[N, ...]`. Raises BadPrediction or NonFinite."""
        size = max(1, len(x)) if self.whole else CHUNK
        parts = []
        for first in range(0, len(x), size):
            part = _opened(self.kind, x[first : first + size], device, self.input_shape)
            parts.append(check_logits(self.predict(part), len(part), self.num_classes).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, self.num_classes), np.float32)


def _place_extras(state: TrialState, split: SplitArrays) -> SourceTest | None:
    """Lend source and unlabelled data on the device to a composition that declares their use.

    A part of the source is held out and returned. On a `shift` task, whose training part has the source's
    samples, it is the validation part.
    """
    uses, given, device = state.composition.uses, state.given, state.device
    kind, x, y, unlabeled = given.kind, split.source_x, split.source_y, split.unlabeled_x
    if "unlabeled" in uses and unlabeled is not None:
        state.unlabeled = Lent(lambda: _opened(kind, unlabeled, device, state.inputs.input_shape))
    if "source" not in uses or x is None or y is None:
        return None
    labels = np.asarray(y)
    kept, held_out = divide(labels, *state.identity)
    parts = {"known": (x, labels, kept), "test": (x, labels, held_out)}
    if split.train_domain is not None:
        kept, val = np.arange(len(labels)), np.arange(min(MOST, split.val_y.shape[1]))
        parts = {"known": (x, labels, kept), "test": (split.val_x[0], split.val_y[0], val)}

    def source() -> LabeledSet:
        enlarged = state.inputs.input_shape != given.input_shape
        shape = None if enlarged else given.source_shape
        seen = x if len(kept) == len(labels) else x[kept]
        return labeled_set(kind, seen, labels[kept], given.source_classes, device, shape=shape)

    state.source = Lent(source)
    return SourceTest.of(
        **parts, task=given, open=lambda part: _opened(kind, part, device, given.source_shape)
    )


def _opened(
    kind: str, x: np.ndarray, device: torch.device, shape: tuple[int, ...] | None = None
) -> torch.Tensor:
    """Stored inputs `[N, ...]` as tensors, in a smaller shape if one is given."""
    of_kind = get_kind(kind)
    return of_kind.tensor(x if shape is None else of_kind.shrink(x, shape), device)


def labeled_set(
    kind: str,
    x: np.ndarray,
    y: np.ndarray,
    num_classes: int,
    device: torch.device,
    domain: np.ndarray | None = None,
    group: np.ndarray | None = None,
    shape: tuple[int, ...] | None = None,
) -> LabeledSet:
    """Stored inputs as tensors on a device, in a smaller `shape` if one is given, with one-hot targets.

    Without `group`, no samples belong together.
    """

    def numbers(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(values, dtype=np.int64)).to(device)

    labels, groups = numbers(y), numbers(np.arange(len(y)) if group is None else group)
    where = None if domain is None else numbers(domain)
    targets = torch.zeros(len(labels), num_classes, device=device)
    targets[torch.arange(len(labels), device=device), labels] = 1.0
    return LabeledSet(_opened(kind, x, device, shape), targets, domain=where, groups=groups)


def check_logits(logits: Any, samples: int, num_classes: int) -> torch.Tensor:
    """Logits `[samples, num_classes]` as float32. Raises BadPrediction or NonFinite."""
    if not isinstance(logits, torch.Tensor):
        raise BadPrediction(f"the predictor returned {type(logits).__name__}; expected a tensor of logits")
    if logits.shape != (samples, num_classes):
        raise BadPrediction(
            f"the predictor returned shape {list(logits.shape)}; expected logits [{samples}, {num_classes}]"
        )
    checked: torch.Tensor = logits.detach().float()
    if not bool(checked.isfinite().all()):
        raise NonFinite("the predictor returned logits that are NaN or infinite")
    return checked


class _Clock:
    """Wall-clock seconds by name, measured until the device has finished."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = {"fit": 0.0, "predict": 0.0}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        synchronize(self.device)
        begin = time.perf_counter()
        yield
        synchronize(self.device)
        self.seconds[name] += time.perf_counter() - begin
