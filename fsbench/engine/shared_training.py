"""Trainings that several trials have in common: one trial trains, the others read.

What postprocesses trains as ERM does; what adapts a body to the target, or meta-trains it, first trains it on
the source, which is the same in the folds of a search. Such a training is known by everything that decides
its result: the model's modules and weights, the data, the recipe and the random numbers. So reading it gives
the bits that training would give, and the time and memory that it took count as if they had been spent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from fsbench.engine.anatomy import anatomy, is_as_built
from fsbench.engine.device import peak_memory
from fsbench.engine.frozen_body import weights_digest
from fsbench.engine.objective import Objective
from fsbench.engine.training import note_few_passes, train
from fsbench.recipes.recipe import recipe_text
from fsbench.types import LabeledSet, Recipe

TRAININGS = "trainings"
"""The folder in which trials share trainings: one for each split, one for pretraining in the whole run."""
_TRAINING_STAGES = ("augment", "loss", "auxiliary_loss", "step")
_KNOWN_MODULES = ("torch.nn.modules.", "fsbench.")
_LARGEST = 2**25


class SharedTrainings:
    """Trainings of the labels of a split in one folder, pretrainings on its source in another.

    `seconds` is the time that those took that were read, and `peak_memory` the most bytes that one had.
    """

    def __init__(self, folder: Path, pretrained: Path) -> None:
        self.folder = folder
        self.pretrained = pretrained
        self.seconds = 0.0
        self.peak_memory = 0

    def train(self, objective: Objective, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """The model of an objective, trained as `training.train` does it, or as another trial did.

        Raises NonFinite if a loss was NaN or infinite.
        """
        return self._train(objective, data, recipe, self.folder)

    def pretrain(self, objective: Objective, data: LabeledSet, recipe: Recipe) -> nn.Module:
        """The same for a training on other data than the labels of the split."""
        return self._train(objective, data, recipe, self.pretrained)

    def pretrain_by(
        self, train: Callable[[], None], objective: Objective, data: LabeledSet, deciding: str
    ) -> None:
        """Train the model of an objective on other data by `train`, or as another trial did.

        `deciding` says everything that decides the result beside the objective, the data and the recipe.
        """
        if _plain(objective):
            key = _key(objective, data, recipe_text(objective.ctx.recipe), deciding)
            self._once(self.pretrained / f"{key}.safetensors", objective, train)
        else:
            train()
        objective.model.train()

    def _train(self, objective: Objective, data: LabeledSet, recipe: Recipe, folder: Path) -> nn.Module:
        if not _plain(objective):
            return train(objective, data, recipe)
        # Of the trial's own recipe, which may be another one, a plain training reads only the precision.
        sized = recipe_text(recipe.sized(len(data)))
        file = folder / f"{_key(objective, data, sized, objective.ctx.recipe.precision)}.safetensors"
        if not self._once(file, objective, lambda: train(objective, data, recipe)):
            note_few_passes(recipe.sized(len(data)), len(data), objective.ctx)
            objective.eval()
        return objective.model

    def _once(self, file: Path, objective: Objective, work: Callable[[], object]) -> bool:
        """Train an objective's model by `work` and write its weights, or read them; whether it trained."""
        took = _read(file, objective.model)
        if took is not None:
            self.seconds += took[0]
            self.peak_memory = max(self.peak_memory, took[1])
            return False
        begin = time.perf_counter()
        work()
        seconds, most = time.perf_counter() - begin, peak_memory(objective.ctx.device)
        self._write(file, objective.model, {"seconds": repr(seconds), "bytes": str(most)})
        return True

    def _write(self, file: Path, model: nn.Module, took: dict[str, str]) -> None:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model).items()}
        if sum(tensor.nbytes for tensor in tensors.values()) > _LARGEST:
            return
        draft = file.with_suffix(f".{secrets.token_hex(4)}")
        # Without room on the disk, the others train too.
        with contextlib.suppress(OSError, SafetensorError):
            file.parent.mkdir(exist_ok=True)
            save_file(tensors, draft, took)
            os.replace(draft, file)


def _plain(objective: Objective) -> bool:
    """Whether only the model, the data, the recipe and random numbers decide what is trained.

    A module of a strategy, or a hook, may compute with anything, so it makes a training a trial's own.
    """
    composition = objective.composition
    return (
        not any(composition.chain(stage) for stage in _TRAINING_STAGES)
        and not any(True for _ in objective.auxiliary.parameters())
        and is_as_built(objective.model)
        and all(type(each).__module__.startswith(_KNOWN_MODULES) for each in objective.model.modules())
    )


def _key(objective: Objective, data: LabeledSet, *deciding: str) -> str:
    """A hash of everything that decides a training; `deciding` has what the objective and data do not say."""
    model, ctx = objective.model, objective.ctx
    tensors = _tensors(model) | {"data x": data.x, "data targets": data.targets}
    if data.weights is not None:
        tensors["data weights"] = data.weights
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    strides = [tensor.stride() for tensor in tensors.values()]
    values = weights_digest(tensors)
    drawn = ctx.stream("batches").key
    parts = anatomy(model), trained, strides, values, ctx.device, drawn, *deciding
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _read(file: Path, model: nn.Module) -> tuple[float, int] | None:
    """Put the weights in a file into a model; returns the seconds and bytes of the training.

    None without such a file.
    """
    tensors = _tensors(model)
    try:
        with safe_open(file, framework="pt") as found, torch.no_grad():
            values = {name: found.get_tensor(name) for name in tensors}
            for name, value in values.items():
                tensors[name].copy_(value)
            took = found.metadata()
            return float(took["seconds"]), int(took["bytes"])
    except (FileNotFoundError, SafetensorError):
        return None
