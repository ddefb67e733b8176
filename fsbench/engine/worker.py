"""The worker's side: a job of texts and the name of a split in, logits and costs out; no test labels.

The executor calls these functions by name, in processes that may import torch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from fsbench.composition import BASELINE, Composition
from fsbench.engine import device as devices
from fsbench.engine.backbones import build_network
from fsbench.engine.refitting import save_checked
from fsbench.engine.shared_training import TRAININGS, SharedTrainings
from fsbench.engine.trial import Prediction, run_trial
from fsbench.errors import FsbenchError, PluginError, TrialError, UnknownName, UsageError
from fsbench.identity import full_spec
from fsbench.importing import tell_of_imports
from fsbench.jobs import MODEL, Job, Preflight
from fsbench.kinds import get_kind, kind_names
from fsbench.recipes.recipe import default_recipe, parse_recipe
from fsbench.record import Trial
from fsbench.registry import Registry, load_here
from fsbench.rng import derive_key
from fsbench.sorts import HOUSE
from fsbench.tasks.splits import SplitArrays, open_split
from fsbench.types import TaskInfo

_registry: Registry | None = None
_splits, _features = Path(), Path()


def prepare(
    modules: Sequence[str], splits: str, features: str, device: str, tell: Callable[[str], object]
) -> str | None:
    """Prepare what workers inherit: plugins, one torch thread and, for a CPU, a first training run.

    `splits` is the folder of the run's splits, `features` the folder for features of frozen pretrained
    bodies, "" for none. Returns why a fork must not inherit this process, or None.
    """
    global _registry, _splits, _features
    torch.set_num_threads(1)
    tell_of_imports(tell)
    _registry, _splits, _features = load_here(modules), Path(splits), Path(features)
    tell_of_imports(None)
    if device == "cpu":
        _rehearse(_registry)
    elif devices.forks_are_spoilt():
        return "CUDA has been initialised"
    return None


def preflight(wanted: Preflight) -> dict[str, str]:
    """The device that a name means ("cuda:0", "cpu"), its hardware's name, and the version of torch.

    Every network is built without memory for its weights. Raises UsageError for settings with which no trial
    can succeed.
    """
    found = devices.resolve(wanted.device)
    for text, kind, shape, classes, task in wanted.networks:
        recipe = parse_recipe(text)
        try:
            with torch.device("meta"):
                build_network(recipe.backbone, kind, shape, classes, recipe.dropout)
        except (FsbenchError, ValueError, RuntimeError) as error:
            raise UsageError(f"{error} (in the recipe of {task})") from error
    return {"device": str(found), "hardware": devices.describe(found), "torch": str(torch.__version__)}


def run_job(job: Job) -> dict[str, Any]:
    """Run one trial; returns the fields of `jobs.Outcome` by name. Raises whatever a strategy raises."""
    return _run(job, lambda prediction: None)


def refit_job(job: Job) -> dict[str, Any]:
    """Run one trial and save what predicts, in the folder `SPLIT.model` of its split.

    Returns what `run_job` does. Raises CannotSave if what was saved cannot be read, or predicts something
    else than what was fitted.
    """
    kept: list[Prediction] = []
    outcome = _run(job, kept.append)
    assert _registry is not None, "prepare runs first"
    split, device = _splits / job.split, devices.resolve(job.device)
    x = open_split(str(split)).test_x[0]
    save_checked(kept[0], split.with_name(f"{job.split}{MODEL}"), x, device, _registry.packages())
    return outcome


def _run(job: Job, keep: Callable[[Prediction], object]) -> dict[str, Any]:
    trial, device = job.trial, devices.resolve(job.device)
    devices.prepare(device)
    devices.reset_peak_memory(device)
    split = open_split(str(_splits / job.split))
    composition = _composition(trial, split.info.kind)
    identity = (trial.task, trial.split_seed, trial.init_seed)
    _seed(derive_key(*identity, "global generators"))
    features = _features if _features.name else None
    recipe, validation = parse_recipe(trial.recipe), job.validation > 0
    folders = _splits / job.split / TRAININGS, _splits / TRAININGS
    shared = SharedTrainings(*folders) if _ours(composition) else None
    result = run_trial(identity, composition, recipe, split, device, features, keep, validation, shared)
    peak = max(devices.peak_memory(device), shared.peak_memory if shared else 0)
    return vars(result) | {"peak_memory": peak}


def _composition(trial: Trial, kind: str) -> Composition:
    assert _registry is not None, "prepare runs first"
    try:
        (composition,) = _registry.parse(trial.spec)
    except UnknownName as error:
        if not _registry.failures:
            raise
        why = "; ".join(f"plugin {each.plugin}: {each.message}" for each in _registry.failures)
        raise PluginError(f"{error}; in the worker, plugins could not be imported: {why}") from error
    identity = full_spec(_registry, composition, parse_recipe(trial.recipe), kind)
    if identity != trial.full_spec:
        raise TrialError(
            f"this worker would run {identity}: the plugin or a file has changed during the run; run again, "
            "with --retry-failed if it has changed back"
        )
    return composition


def _ours(composition: Composition) -> bool:
    """Whether all components come with fsbench; others may change what a training computes, even torch."""
    assert _registry is not None, "prepare runs first"
    origin = _registry.origin
    return all(origin[each.name].distribution == HOUSE for each in composition.all_components)


def _seed(key: int) -> None:
    """Seed the global generators, for strategies that use them although they should not.

    The engine seeds torch's.
    """
    random.seed(key)
    np.random.seed(key % 2**32)


def _rehearse(registry: Registry) -> None:
    """Train on noise what most trials train, so that no trial pays the cost of a process's first training."""
    KNeighborsClassifier(1).fit(np.eye(2), [0, 1]).predict(np.eye(2))
    (baseline,) = registry.parse(BASELINE)
    labels, rng = np.arange(8)[None] % 2, np.random.default_rng(0)
    for name in kind_names():
        kind = get_kind(name)
        centres = np.stack([kind.toy_centre(rng) for _ in range(2)])
        x = kind.toy_samples(centres[labels[0]], 0.0, rng)[None]
        x = kind.fit_toys(x)(x)
        info = TaskInfo("rehearsal", "kshot", name, x.shape[2:], 2)
        recipe, split = replace(default_recipe(info), steps=2), SplitArrays(info, x, labels, x, labels, x)
        # What fails here also fails in a trial, whose record says why.
        with suppress(Exception):
            run_trial(("rehearsal",), baseline, recipe, split, torch.device("cpu"))
