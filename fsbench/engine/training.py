"""The training loop: the only place that knows optimizers, schedules and precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from fsbench import laws
from fsbench.engine.backbones import Network
from fsbench.engine.objective import Objective
from fsbench.engine.schedules import Rates
from fsbench.engine.step import OptimizerStep
from fsbench.errors import require_finite
from fsbench.rng import Stream
from fsbench.savable import Savable
from fsbench.scope import Scope
from fsbench.types import Batch, Fitted, LabeledSet, Recipe
from fsbench.wrapping import training_mode

Role = Literal["body", "head", "auxiliary"]
_LARGEST_BATCH = 1024
_STEPS_BETWEEN_LOOKS = 500
_FEW_PASSES = 3
# A CPU is slower with batches that do not fit its caches.
_BATCH_VALUES = {"cpu": 2**21, "cuda": 2**23}


def train(
    objective: Objective, data: LabeledSet, recipe: Recipe, unlabeled: torch.Tensor | None = None
) -> nn.Module:
    """Train an objective's model in place by a recipe, sized for `data`; returns it in evaluation mode.

    A training of fewer than three passes over the data leaves a note. All batches are drawn before the first
    step. Losses are checked only every few hundred steps, because a check waits for the device. Raises
    NonFinite if a loss was NaN or infinite.
    """
    ctx, composition = objective.ctx, objective.composition
    recipe = recipe.sized(len(data))
    note_few_passes(recipe, len(data), ctx)
    optimizer = make_optimizer(objective, recipe)
    rates = Rates(optimizer, recipe)
    draw = _batches(data, recipe, unlabeled, ctx)
    losses = torch.zeros(recipe.steps, device=ctx.device)
    training_mode(objective)
    with ctx.torch_seeded():
        for number in range(recipe.steps):
            ctx.at_step(number, recipe.steps)
            rates.set(number)
            batch = laws.augment(composition, draw(number), ctx)
            step = OptimizerStep(objective, optimizer, batch, last=number + 1 == recipe.steps)
            laws.step(composition, step, ctx)
            if step.loss is not None:
                losses[number] = step.loss
            rates.after(losses[: number + 1])
            if step.last or (number + 1) % _STEPS_BETWEEN_LOOKS == 0:
                require_finite(losses, "try a smaller learning rate (lr of the recipe)")
    objective.eval()
    return objective.model


def note_few_passes(recipe: Recipe, samples: int, ctx: Scope) -> None:
    """Leave a note about a training of fewer than three passes over the samples."""
    passes = recipe.steps * min(recipe.batch_size, samples) / samples
    if passes < _FEW_PASSES:
        ctx.note(
            f"{recipe.steps} steps of {recipe.batch_size} samples make only {passes:.2g} passes over the "
            f"{samples:,} training samples; --recipe passes=10 trains for ten passes"
        )


def _batches(
    data: LabeledSet, recipe: Recipe, unlabeled: torch.Tensor | None, ctx: Scope
) -> Callable[[int], Batch]:
    """The batch of each step, before augmentation."""
    batches, domain = draw_batches(data, recipe, ctx.stream("batches")), data.domain
    domain = None if domain is None else domain.float()
    others = None
    if unlabeled is not None:
        size = recipe.unlabeled_batch_size or recipe.batch_size
        others = draw_batches(unlabeled, replace(recipe, batch_size=size), ctx.stream("unlabeled batches"))

    def draw(step: int) -> Batch:
        rows = batches[step]
        raw = None if unlabeled is None or others is None else unlabeled[others[step]]
        return Batch(
            data.x[rows],
            data.targets[rows],
            raw,
            None if domain is None else domain[rows],
            raw_unlabeled=raw,
            rows=rows,
        )

    return draw


def make_optimizer(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer for all trainable parameters; the body of the model has a separate rate."""
    scales = {"body": recipe.backbone_lr_scale, "head": 1.0, "auxiliary": 1.0}
    rates: dict[float, list[nn.Parameter]] = {}
    for parameter, role in roles(objective):
        if parameter.requires_grad:
            rates.setdefault(recipe.lr * scales[role], []).append(parameter)
    groups = [{"params": parameters, "lr": rate} for rate, parameters in rates.items()]
    common: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, momentum=recipe.momentum, fused=True, **common)
        case "adam":
            return torch.optim.Adam(groups, fused=True, **common)
        case "rmsprop":
            return torch.optim.RMSprop(groups, **common)
        case "adagrad":
            return torch.optim.Adagrad(groups, **common)
    return torch.optim.AdamW(groups, fused=True, **common)


def roles(objective: Objective) -> list[tuple[nn.Parameter, Role]]:
    """Every parameter with its role: of an auxiliary module, of the model's head, or of its body.

    A head is the `head` of a module with `forward_head`, anywhere in the model. A model without one counts as
    a head, because nothing in it is known to be pretrained.
    """
    heads = [m.get_submodule("head") for m in objective.model.modules() if hasattr(m, "forward_head")]
    of_heads = {id(parameter) for head in heads for parameter in head.parameters()}
    found: list[tuple[nn.Parameter, Role]] = []
    for parameter in objective.model.parameters():
        found.append((parameter, "body" if heads and id(parameter) not in of_heads else "head"))
    return found + [(parameter, "auxiliary") for parameter in objective.auxiliary.parameters()]


def draw_batches(data: LabeledSet | torch.Tensor, recipe: Recipe, rng: Stream) -> torch.Tensor:
    """The row numbers of every batch, `[steps, batch]` int64 on the device.

    Batches are reshuffled passes over the data. With sampling weights, they are passes over the samples of
    weight, if these have equal ones, and independent weighted draws otherwise; the steps are divided among
    the rows of weights `[T, N]`. A set smaller than a batch is used whole.
    """
    size = min(recipe.batch_size, len(data))
    weights = data.weights if isinstance(data, LabeledSet) else None
    shares = np.ones((1, len(data))) if weights is None else np.atleast_2d(weights.double().cpu().numpy())
    parts = np.array_split(np.arange(recipe.steps), len(shares))
    drawn = [_drawn(len(part) * size, share, rng.numpy) for share, part in zip(shares, parts, strict=True)]
    rows = np.concatenate(drawn).reshape(recipe.steps, size)
    return torch.from_numpy(rows).to(rng.device)


def _drawn(number: int, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many row numbers, int64, from rows with sampling weights `[N]`."""
    rows = np.flatnonzero(share)
    if (share[rows] != share[rows[0]]).any():
        return rng.choice(len(share), size=number, p=share / share.sum())
    passes = max(1, math.ceil(number / len(rows)))
    return np.concatenate([rows[rng.permutation(len(rows))] for _ in range(passes)])[:number]


def as_fitted(network: nn.Module) -> Fitted:
    """The predictor of a network: in evaluation mode, without gradients, in batches of bounded size."""
    return Fitted(ByNetwork(network), network)


@dataclass(frozen=True, eq=False)
class ByNetwork(Savable):
    """Logits of a network in evaluation mode."""

    network: nn.Module

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C]` of inputs `[N, ...]`."""
        self.network.eval()
        with torch.no_grad():
            parts = torch.split(x, batch_of(self.network, x))
            return torch.cat([self.network(part).float() for part in parts])


def batch_of(model: nn.Module, x: torch.Tensor, most: int = _LARGEST_BATCH) -> int:
    """How many inputs `[N, ...]` a model may get at once, by the size to which it resizes them."""
    shape = tuple(x.shape[1:])
    values = math.prod(model.kind.adapted_shape(shape, model.wants) if isinstance(model, Network) else shape)
    return max(1, min(most, _BATCH_VALUES[x.device.type] // max(1, values)))
