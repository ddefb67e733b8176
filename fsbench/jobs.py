"""Jobs that the parent sends to workers, and outcomes that may come back. This module imports no torch.

A job names its split; the executor knows where it is. Outcomes are not trusted: they are read field by field
and contain nothing that the parent knows itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np

from fsbench.errors import BadOutcome, UsageError
from fsbench.record import Trial

J = TypeVar("J")
R = TypeVar("R")

MOST_NOTES, LONGEST_NOTE = 100, 500


@dataclass(frozen=True)
class Job:
    """A trial, the name of its split, and the device to run on ("cpu", "cuda:0").

    `shape` is that of the logits `[E, M, C]` that the trial should return, and `validation` the number V of
    validation samples in a cell, whose logits `[E, V, C]` it returns too.
    """

    trial: Trial
    split: str
    device: str
    shape: tuple[int, int, int]
    validation: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a worker may report of a successful trial: logits `[E, M, C]` float32, and what only it can know.

    `validation` are the logits of the validation part, `[E, V, C]` float32, if it was asked for them.

    Seconds are wall-clock, `peak_memory` is in bytes. `source_before` and `source_after` are accuracies on
    held-out source samples, before and after the fit, of a strategy that starts from source data.
    """

    predictions: np.ndarray
    train_accuracy: float
    seconds_fit: float
    seconds_predict: float
    peak_memory: int
    notes: tuple[str, ...] = ()
    source_before: float | None = None
    source_after: float | None = None
    validation: np.ndarray | None = None


@dataclass(frozen=True)
class Preflight:
    """What is checked before the first trial: a device, and a network for every task.

    `networks` names each distinct network once: a recipe, a kind of samples, their shape, the number of
    classes, and the first task that has them.
    """

    device: str
    networks: tuple[tuple[str, str, tuple[int, ...], int, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where trials will run: the resolved device, the name of its hardware, and the version of torch."""

    device: str
    hardware: str
    torch: str


def check_device(name: str) -> None:
    """Raise UsageError for what does not name a device."""
    if not isinstance(name, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"device {name!r}: expected auto, cpu, cuda or cuda:NUMBER")


def logits_bytes(job: Job) -> int:
    """The size in bytes of the logits that a job should return."""
    cells, _, classes = job.shape
    return 4 * (math.prod(job.shape) + cells * job.validation * classes)


def read_outcome(job: Job, value: Any) -> Outcome:
    """The outcome that a worker sent for a job. Raises BadOutcome for anything else."""
    match value:
        case {
            "predictions": np.ndarray() as predictions,
            "train_accuracy": float(accuracy),
            "seconds_fit": float(fit),
            "seconds_predict": float(predict),
            "peak_memory": int(memory),
            "notes": list(notes),
            "source_before": float() | None as before,
            "source_after": float() | None as after,
            "validation": np.ndarray() | None as validation,
        } if len(value) == len(fields(Outcome)) and predictions.dtype == np.float32:
            shares = [each for each in (accuracy, before, after) if each is not None]
            costs = (fit, predict, float(memory))
            if all(0 <= each <= 1 for each in shares) and all(0 <= each < math.inf for each in costs):
                kept = tuple(str(note)[:LONGEST_NOTE] for note in notes[:MOST_NOTES])
                return Outcome(predictions, accuracy, fit, predict, memory, kept, before, after, validation)
    raise BadOutcome("the worker returned something other than logits, accuracy, seconds, memory and notes")


def read_place(wanted: Preflight, value: Any) -> Place:
    """The place that a worker found. Raises BadOutcome for anything else."""
    match value:
        case {"device": str(device), "hardware": str(hardware), "torch": str(torch)}:
            check_device(device)
            return Place(device, hardware[:LONGEST_NOTE], torch[:LONGEST_NOTE])
    raise BadOutcome("the worker returned something other than its device, hardware and torch version")


@dataclass(frozen=True)
class Work(Generic[J, R]):
    """What workers do with a job, and how the parent reads the answer.

    `function` runs in the worker, as "module:name". `read` runs in the parent and makes the result from a job
    and the answer of a worker. `largest` is the number of bytes of arrays that a worker may send for a job.
    """

    function: str
    read: Callable[[J, Any], R]
    largest: Callable[[J], int]


PREFLIGHT: Work[Preflight, Place] = Work("fsbench.engine.worker:preflight", read_place, lambda wanted: 0)
TRIALS: Work[Job, Outcome] = Work("fsbench.engine.worker:run_job", read_outcome, logits_bytes)
REFITS: Work[Job, Outcome] = Work("fsbench.engine.worker:refit_job", read_outcome, logits_bytes)
MODEL = ".model"
"""The suffix of the folder of a refit's model, which is named after the split."""
