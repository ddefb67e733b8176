"""The engine: inputs, devices, and a trial from arrays to logits."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from toy import baseline_context, toy_trial

from fsbench import Batch, Context, Fitted, LabeledSet, Recipe, StepOutput, Strategy
from fsbench.composition import Composition
from fsbench.engine.device import peak_memory, reset_peak_memory, resolve
from fsbench.engine.training import train
from fsbench.engine.trial import CHUNK, LOOKED_AT, Prediction, TrialResult
from fsbench.errors import (
    BadPrediction,
    InertComponent,
    NonFinite,
    PluginError,
    UsageError,
)
from fsbench.registry import load_registry
from fsbench.testing import toy_split

CPU = torch.device("cpu")
QUICK = Recipe("mlp", steps=30, batch_size=16)


def trial(
    spec: str | Composition = "erm", recipe: Recipe = QUICK, seed: int = 0, **toy: object
) -> TrialResult:
    return toy_trial(spec, toy_split(**toy), recipe, identity=("toy", 0, seed))  # type: ignore[arg-type]


# Trials


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize("cells", [1, 3])
def test_the_baseline_learns_and_returns_logits_of_every_cell(kind: str, cells: int) -> None:
    backbone = "conv4(norm=group, width=8)" if kind == "image" else "mlp"
    split = toy_split(kind=kind, cells=cells)  # type: ignore[arg-type]
    erm = load_registry().parse("erm")[0]
    result = toy_trial(erm, split, replace(QUICK, backbone=backbone, lr=0.01))  # type: ignore[arg-type]
    assert result.predictions.shape == (cells, 60, 3)
    assert result.predictions.dtype == np.float32
    assert (result.predictions.argmax(-1) == split.test_y).mean() > 0.8
    assert result.train_accuracy > 0.9
    assert result.seconds_fit > result.seconds_predict > 0


def test_same_seed_same_bits_and_another_seed_another_model() -> None:
    first, again, other = trial(), trial(), trial(seed=1)
    assert np.array_equal(first.predictions, again.predictions)
    assert not np.array_equal(first.predictions, other.predictions)


def test_dropout_is_as_repeatable_and_global_random_state_stays_untouched() -> None:
    recipe = replace(QUICK, dropout=0.5)
    torch.manual_seed(1)
    first = trial(recipe=recipe)
    torch.manual_seed(2)
    random.seed(2)
    np.random.seed(2)
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    assert np.array_equal(first.predictions, trial(recipe=recipe).predictions)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), str(np.random.get_state()))
    assert not np.array_equal(first.predictions, trial().predictions)


def test_a_cell_does_not_depend_on_the_other_cells() -> None:
    split = toy_split(cells=3)
    erm = load_registry().parse("erm")[0]
    whole = toy_trial(erm, split, QUICK)  # type: ignore[arg-type]
    arrays = {n: getattr(split, n)[:2] for n in ("train_x", "train_y", "val_x", "val_y", "test_x", "test_y")}
    part = toy_trial(erm, replace(split, **arrays), QUICK)  # type: ignore[arg-type]
    assert np.array_equal(whole.predictions[:2], part.predictions)


@dataclass(frozen=True)
class Strange(Strategy):
    """Does one wrong thing."""

    name = "strange"
    fault: str = "none"

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        losses = inner(logits, targets)
        wrong: dict[str, Any] = {"scalar": losses.mean(), "no loss": None, "whole": losses.long()}
        if self.fault in wrong:
            return wrong[self.fault]  # type: ignore[no-any-return]
        return losses * float("nan") if self.fault == "nan loss" else losses

    def augment(self, batch: Batch, ctx: Context) -> Batch:
        wrong: dict[str, Any] = {
            "no batch": None,
            "whole x": replace(batch, x=batch.x.long()),
            "double x": replace(batch, x=batch.x.double()),
            "labels as targets": replace(batch, targets=batch.targets.argmax(-1)),
        }
        return wrong.get(self.fault, batch)  # type: ignore[no-any-return]

    def postprocess(self, fitted: Fitted, val: LabeledSet, ctx: Context) -> Fitted:
        wrong: dict[str, Callable[[torch.Tensor], Any]] = {
            "labels": lambda logits: logits.argmax(-1),
            "nan": lambda logits: logits * float("nan"),
            "numpy": lambda logits: logits.numpy(),
        }
        return fitted.map(wrong[self.fault]) if self.fault in wrong else fitted


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (
            "scalar",
            PluginError,
            r"loss returned float32 \[\]; expected one loss per sample, float \[16\]",
        ),
        (
            "no loss",
            PluginError,
            r"^strange: loss returned NoneType; expected one loss per sample, float",
        ),
        ("whole", PluginError, r"^strange: loss returned int64 \[16\]; expected one loss per sample"),
        ("no batch", PluginError, r"augment returned NoneType; expected dataclasses.replace\(batch, x=...\)"),
        ("whole x", PluginError, r"augment returned x as int64 \[16, 8\]; expected float32, as it was given"),
        ("double x", PluginError, r"augment returned x as float64 \[16, 8\]; expected float32"),
        (
            "labels as targets",
            PluginError,
            r"targets as int64 \[16\]; expected distributions, float \[16",
        ),
        ("nan loss", NonFinite, "loss became nan at step 0 of 30; no update came before, so an input or a"),
        ("labels", BadPrediction, r"shape \[60\]; expected logits \[60, 3\]"),
        ("nan", NonFinite, "NaN or infinite"),
        ("numpy", BadPrediction, "returned ndarray; expected a tensor"),
    ],
)
def test_faults_of_a_strategy_are_named(fault: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        trial(Composition((Strange(fault),)))


@dataclass(frozen=True)
class Constant(Strategy):
    """Replaces training, so that a loss beside it never runs."""

    name = "constant"
    replaces = frozenset({"fit"})

    def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
        ctx.note("predicts zeros")
        ctx.note("predicts zeros")
        return Fitted(lambda x: torch.zeros(len(x), ctx.num_classes))


@dataclass(frozen=True)
class OnlyLoss(Strategy):
    """Changes the loss and nothing else."""

    name = "only_loss"

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, inner: Callable[..., torch.Tensor], ctx: Context
    ) -> torch.Tensor:
        return inner(logits, targets) / 2


@dataclass(frozen=True)
class Idle(Strategy):
    name = "idle"


def test_a_silent_no_op_fails_instead_of_becoming_a_row() -> None:
    assert not np.array_equal(trial(Composition((OnlyLoss(),))).predictions, trial().predictions)
    with pytest.raises(InertComponent, match=r"constant\+only_loss: only_loss had no effect"):
        trial(Composition((Constant(), OnlyLoss())))
    with pytest.raises(InertComponent, match=r"^idle had no effect; it overrides no stage$"):
        trial(Composition((Idle(),)))


def test_the_accuracy_on_a_large_training_set_is_that_of_some_of_its_samples() -> None:
    seen = []

    @dataclass(frozen=True)
    class Watch(Strategy):
        """Predicts the second class for every sample, and counts them."""

        name = "watch"

        def fit(self, train: LabeledSet, inner: Callable[..., Fitted], ctx: Context) -> Fitted:
            def predict(x: torch.Tensor) -> torch.Tensor:
                seen.append(len(x))
                return torch.tensor([0.0, 1.0, 0.0]).repeat(len(x), 1)

            return Fitted(predict)

    split = toy_split()
    of_second = float((split.train_y[0] == 1).mean())
    wide = {name: np.repeat(getattr(split, name), 500, axis=1) for name in ("train_x", "train_y")}
    assert wide["train_y"].shape[1] > 3 * LOOKED_AT
    result = toy_trial(Watch(), replace(split, **wide), QUICK)  # type: ignore[arg-type]
    assert sum(seen) == LOOKED_AT + len(split.test_y[0])
    assert result.train_accuracy == pytest.approx(of_second, abs=0.01)


def test_notes_are_kept_once_with_the_name_of_the_component() -> None:
    assert trial(Composition((Constant(),))).notes == ("constant: predicts zeros",)


def test_what_a_component_changes_in_its_context_is_its_own_copy() -> None:
    found: list[torch.Tensor] = []

    @dataclass(frozen=True)
    class Spoils(Strategy):
        name = "spoils"
        uses = frozenset({"val"})  # type: ignore[assignment]

        def loss(self, logits: Any, targets: Any, inner: Any, ctx: Context) -> torch.Tensor:
            found.extend([ctx.class_counts, ctx.val.x, ctx.val.targets])
            for each in found[-3:]:
                each.mul_(0)
            found[-3:] = [ctx.class_counts, ctx.val.x, ctx.val.targets]
            return 2 * inner(logits, targets)

    trial(Composition((Spoils(),)), replace(QUICK, steps=2))
    assert found
    assert all(bool(each.any()) for each in found)


@dataclass(frozen=True)
class Sees(Strategy):
    """Checks what a training step passes to a component that declares unlabelled data."""

    name = "sees"

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({"unlabeled"})

    def auxiliary_modules(self, model: nn.Module, ctx: Context) -> nn.Module:
        return nn.Linear(model.num_features, 2)  # type: ignore[arg-type]

    def auxiliary_loss(self, out: StepOutput, ctx: Context) -> torch.Tensor:
        assert out.modules is not None
        assert out.unlabeled_features is not None
        assert out.unlabeled_logits is not None
        assert len(out.features) == len(out.logits) == len(out.targets) == 16
        assert len(out.unlabeled_features) == len(out.unlabeled_logits) == 16
        assert 0 <= out.progress <= 1
        ctx.note(f"progress {out.progress:.0f}") if out.progress in (0, 1) else None
        return out.modules(out.unlabeled_features).square().mean()


def test_unlabelled_halves_reach_the_component_that_declares_them() -> None:
    result = trial(Composition((Sees(),)), unlabeled=40)
    assert result.notes == ("sees: progress 0", "sees: progress 1")


def test_a_small_training_set_is_used_whole() -> None:
    assert trial(recipe=replace(QUICK, batch_size=500), per_class=2).train_accuracy == 1


def test_a_model_without_a_head_trains_too() -> None:
    ctx = baseline_context(QUICK)
    model = nn.Sequential(nn.Linear(8, 3))
    y = torch.tensor([0, 1, 2, 0, 1])
    batch = Batch(torch.randn(5, 8), torch.eye(3)[y])
    loss = ctx.objective(model)(batch)
    torch.testing.assert_close(loss, nn.functional.cross_entropy(model(batch.x), y))
    before = [p.detach().clone() for p in model.parameters()]
    train(ctx.objective(model), LabeledSet(batch.x, batch.targets), QUICK)
    assert not any(map(torch.equal, before, model.parameters()))
    assert ctx.objective(model)(batch) < loss


# Devices


def test_devices_are_found_by_name() -> None:
    assert resolve("cpu") == CPU
    with pytest.raises(UsageError, match="expected auto, cpu, cuda"):
        resolve("tpu")
    with pytest.raises(UsageError, match="CUDA devices; try auto"):
        resolve("cuda:99")


def test_peak_memory_is_the_processs_and_grows_with_allocations() -> None:
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    block = np.ones(40_000_000)
    assert peak_memory(CPU) - before > 0.9 * block.nbytes


@pytest.mark.parametrize("whole", [False, True])
def test_a_predictor_sees_a_chunk_at_a_time_unless_it_declares_all(whole: bool) -> None:
    seen: list[int] = []

    def predict(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x[:, :2]

    x = np.random.default_rng(0).random((2 * CHUNK + 3, 3), dtype=np.float32)
    logits = Prediction(predict, "table", (3,), 2, whole)(x, torch.device("cpu"))
    assert seen == ([len(x)] if whole else [CHUNK, CHUNK, 3])
    assert np.array_equal(logits, x[:, :2])
