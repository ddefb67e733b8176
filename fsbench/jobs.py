"""What travels between the parent and its workers: jobs by value, and what may come back. No torch here.

A job names the split that it is about and leaves the place to the executor. What comes back is a stranger's
word: it is read field by field, and says nothing that the parent knows by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np

from fsbench.errors import TrialError, UsageError
from fsbench.types import Trial

J = TypeVar("J")
R = TypeVar("R")

MOST_NOTES, LONGEST_NOTE = 100, 500


class BadOutcome(TrialError):
    """A worker returned something else than the outcome of a trial."""


@dataclass(frozen=True)
class Job:
    """A trial, the name of its split, and the device to run on ("cpu", "cuda:0").

    `shape` is that of the logits `[E, M, C]` which the trial is to give.
    """

    trial: Trial
    split: str
    device: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Outcome:
    """What a worker may say of a trial that went well: logits `[E, M, C]` float32, and what only it can know.

    Seconds are wall-clock, `peak_memory` is in bytes.
    """

    predictions: np.ndarray
    train_accuracy: float
    seconds_fit: float
    seconds_predict: float
    peak_memory: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """What must be there before the first trial: a device, and a network for every task.

    `networks` names each distinct network once: a recipe, a kind of samples, their shape, the number of
    classes, and the first task that has them.
    """

    device: str
    networks: tuple[tuple[str, str, tuple[int, ...], int, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where trials will run: the device that a name meant, its hardware's name, and the version of torch."""

    device: str
    hardware: str
    torch: str


def check_device(name: str) -> None:
    """Raise UsageError for what is not the name of any device."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"device {name!r}: expected auto, cpu, cuda or cuda:NUMBER")


def logits_bytes(job: Job) -> int:
    """The size of the logits that a job is to give."""
    return 4 * math.prod(job.shape)


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
        } if len(value) == len(fields(Outcome)) and predictions.dtype == np.float32:
            if 0 <= accuracy <= 1 and 0 <= fit < math.inf and 0 <= predict < math.inf and memory >= 0:
                kept = tuple(str(note)[:LONGEST_NOTE] for note in notes[:MOST_NOTES])
                return Outcome(predictions, accuracy, fit, predict, memory, kept)
    raise BadOutcome("the worker returned something else than logits, accuracy, seconds, memory and notes")


def read_place(wanted: Preflight, value: Any) -> Place:
    """The place that a worker found. Raises BadOutcome for anything else."""
    match value:
        case {"device": str(device), "hardware": str(hardware), "torch": str(torch)}:
            check_device(device)
            return Place(device, hardware[:LONGEST_NOTE], torch[:LONGEST_NOTE])
    raise BadOutcome("the worker returned something else than its device, its hardware and its torch")


@dataclass(frozen=True)
class Work(Generic[J, R]):
    """What workers do with a job, and what the parent makes of it.

    `function` is theirs, as "module:name". `read` is the parent's: of a job and what a worker sent for it, it
    makes the result. `largest` is how many bytes of arrays a worker may send for a job.
    """

    function: str
    read: Callable[[J, Any], R]
    largest: Callable[[J], int]


PREFLIGHT: Work[Preflight, Place] = Work("fsbench.engine.worker:preflight", read_place, lambda wanted: 0)
TRIALS: Work[Job, Outcome] = Work("fsbench.engine.worker:run_job", read_outcome, logits_bytes)
