"""Plain trainings that several trials of a split have in common: one trial trains, the others read.

What postprocesses trains as ERM does; what adapts a body to the target first trains it on the source. Such a
training is known by everything that decides its result: the model's modules and weights, the data, the recipe
and the random numbers. So reading it gives the bits that training would give, and the time that it took is
counted as if it had been spent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from fsbench.engine.frozen_body import weights_digest
from fsbench.engine.objective import Objective
from fsbench.engine.training import note_few_passes, train
from fsbench.recipes.recipe import recipe_text
from fsbench.types import LabeledSet, Recipe

TRAININGS = "trainings"
"""The folder of a split in which its trials share trainings."""
_TRAINING_STAGES = ("augment", "loss", "auxiliary_loss", "step")
_KNOWN_MODULES = ("torch.nn.modules.", "fsbench.")
_LARGEST = 2**25
_METHODS = {"forward", "forward_features", "forward_head", "prepare"}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class SharedTrainings:
    """The trainings of a split's trials in one folder; `seconds` is what those took that were read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 0.0

    def train(self, objective: Objective, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """The model of an objective, trained as `training.train` does it, or as another trial did.

        Raises NonFinite if a loss was NaN or infinite.
        """
        if not _plain(objective):
            return train(objective, data, recipe)
        file = self.folder / f"{_key(objective, data, recipe)}.safetensors"
        seconds = _read(file, objective.model)
        if seconds is not None:
            self.seconds += seconds
            note_few_passes(recipe.sized(len(data)), len(data), objective.ctx)
            objective.eval()
            return objective.model
        begin = time.perf_counter()
        trained = train(objective, data, recipe)
        self._write(file, trained, time.perf_counter() - begin)
        return trained

    def _write(self, file: Path, model: nn.Module, seconds: float) -> None:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model).items()}
        if sum(tensor.nbytes for tensor in tensors.values()) > _LARGEST:
            return
        draft = file.with_suffix(f".{secrets.token_hex(4)}")
        # Without room on the disk, the others train too.
        with contextlib.suppress(OSError, SafetensorError):
            self.folder.mkdir(exist_ok=True)
            save_file(tensors, draft, {"seconds": repr(seconds)})
            os.replace(draft, file)


def _plain(objective: Objective) -> bool:
    """Whether only the model, the data, the recipe and random numbers decide what is trained.

    A module of a strategy, or a hook, may compute with anything, so it makes a training a trial's own.
    """
    composition = objective.composition
    return (
        not any(composition.chain(stage) for stage in _TRAINING_STAGES)
        and not any(True for _ in objective.auxiliary.parameters())
        and all(
            type(module).__module__.startswith(_KNOWN_MODULES)
            and not vars(module).keys() & _METHODS
            and not any(getattr(module, hooks, None) for hooks in _HOOKS)
            for module in objective.model.modules()
        )
        and not any(p._backward_hooks for p in objective.model.parameters())
    )


def _key(objective: Objective, data: LabeledSet, recipe: Recipe) -> str:
    """A hash of everything that decides a plain training."""
    model, ctx = objective.model, objective.ctx
    tensors = _tensors(model) | {"data x": data.x, "data targets": data.targets}
    if data.weights is not None:
        tensors["data weights"] = data.weights
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    recipes = recipe_text(recipe.sized(len(data))), recipe_text(ctx.recipe)
    strides = [tensor.stride() for tensor in tensors.values()]
    values = weights_digest(tensors)
    parts = repr(model), trained, strides, values, *recipes, ctx.device, ctx.stream("batches").key
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _read(file: Path, model: nn.Module) -> float | None:
    """Put the weights in a file into a model; returns what the training took, or None without such a file."""
    tensors = _tensors(model)
    try:
        with safe_open(file, framework="pt") as found, torch.no_grad():
            values = {name: found.get_tensor(name) for name in tensors}
            for name, value in values.items():
                tensors[name].copy_(value)
            return float(found.metadata()["seconds"])
    except (FileNotFoundError, SafetensorError):
        return None
