"""The worker's side: a job of texts and a folder in, predictions and costs out. No test labels here.

The parent imports this module to name its functions, so torch is imported where the work is done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import FsbenchError, TrialError, UsageError
from fsbench.failure import describe
from fsbench.recipes.recipe import parse_recipe
from fsbench.registry import Registry, load_here
from fsbench.tasks.splits import open_split
from fsbench.types import Trial

if TYPE_CHECKING:
    import torch

_registry: Registry | None = None


@dataclass(frozen=True)
class Job:
    """A trial, the folder of its materialised split, and a device: all that a worker is handed.

    `features` is the folder where features of frozen pretrained bodies are kept; "" for nowhere.
    """

    trial: Trial
    split_path: str
    device: str
    features: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a worker sends back: logits `[E, M, C]` float32 and record fields, or the reason of a failure."""

    predictions: np.ndarray | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    reason: dict[str, str] | None = None


@dataclass(frozen=True)
class Preflight:
    """What must be there before the first trial: a device, and a network for every task.

    `networks` names each distinct network once: a recipe, a kind of samples, their shape, the number of
    classes, and the first task that has them.
    """

    device: str
    networks: tuple[tuple[str, str, tuple[int, ...], int, str], ...] = ()


def init_worker(plugin_modules: Sequence[str], path: Sequence[str]) -> None:
    """Prepare a fresh worker process: the parent's import path, its plugins, one torch thread."""
    global _registry
    sys.path[:] = list(path)
    import torch

    torch.set_num_threads(1)
    _registry = load_here(plugin_modules)


def preflight(wanted: Preflight) -> tuple[str, str]:
    """The device that a name means ("cuda:0", "cpu") and its hardware's name.

    Every network is built without memory for its weights. Raises UsageError for what no trial could have.
    """
    import torch

    from fsbench.engine import device as devices
    from fsbench.engine.backbones import build_network

    found = devices.resolve(wanted.device)
    for text, kind, shape, classes, task in wanted.networks:
        recipe = parse_recipe(text)
        try:
            with torch.device("meta"):
                build_network(recipe.backbone, kind, shape, classes, recipe.dropout)
        except (FsbenchError, ValueError, RuntimeError) as error:
            raise UsageError(f"{error} (in the recipe of {task})") from error
    return str(found), devices.describe(found)


def run_job(job: Job) -> Outcome:
    """Run one trial; whatever the strategy raises becomes the outcome's reason."""
    import torch

    from fsbench.engine import device as devices

    device = devices.resolve(job.device)
    devices.prepare(device)
    devices.reset_peak_memory(device)
    fields: dict[str, Any] = {"device": devices.describe(device)}
    try:
        fields["torch"] = str(torch.__version__)
        predictions = _run(job, device, fields)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy may raise anything; it becomes the record
        return Outcome(None, fields, asdict(describe(error)))
    fields["peak_memory"] = devices.peak_memory(device)
    return Outcome(predictions, fields)


def _run(job: Job, device: torch.device, fields: dict[str, Any]) -> np.ndarray:
    from fsbench.engine.trial import run_trial

    assert _registry is not None, "init_worker runs first"
    trial = job.trial
    (composition,) = _registry.parse(trial.spec)
    identity = _registry.identity(composition, parse_recipe(trial.recipe))
    if identity != trial.full_spec:
        raise TrialError(f"this worker would run {identity}: the plugin or a file has changed; run again")
    split = open_split(job.split_path)
    seeds = (trial.task, trial.split_seed, trial.init_seed)
    features = Path(job.features) if job.features else None
    result = run_trial(seeds, composition, parse_recipe(trial.recipe), split, device, features)
    fields |= {
        name: getattr(result, name) for name in ("train_accuracy", "seconds_fit", "seconds_predict", "notes")
    }
    return result.predictions
