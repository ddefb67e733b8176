"""Every exception that fsbench raises on purpose.

FsbenchError                 one clear line; exit status 1
├── UsageError               the caller gave something wrong; exit status 2
│   ├── SpecError            text that is not an expression, or a bad argument in it
│   ├── UnknownName          a name that nothing is registered under; suggests the nearest
│   ├── ConflictError        two components own one stage
│   └── TaskError            a task that its dataset does not allow (k too large, ...)
├── DataError                a dataset is absent, damaged or not what its name says
│   └── AbsentData           a dataset is not on this machine
├── CannotSave               what a strategy predicts with cannot be saved
├── StoreError               a results store cannot be read or written
├── PluginError              a plugin cannot be loaded or breaks its contract
├── WorkerError              no worker process can be started
└── TrialError               a trial failed; the name of the class is the reason in the record
    ├── InertComponent       a component that had no effect
    ├── UndeclaredUse        a component used what it did not declare in `uses`
    ├── NonFinite            a loss or a prediction is NaN or infinite
    ├── BadPrediction        a predictor returned something that is not logits [N, C]
    ├── BadOutcome           a worker returned something that is not the outcome of a trial
    └── BadReply             a worker sent something that is not a message
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class FsbenchError(Exception):
    """Base of all deliberate errors. The message is one line that says what to do next."""

    exit_status = 1


class UsageError(FsbenchError):
    """What the caller asked for cannot work."""

    exit_status = 2


class SpecError(UsageError):
    """A text is not an expression of the grammar, or an argument in it is invalid."""


_MANY, _SHOWN = 30, 12


class UnknownName(UsageError):
    """A name that nothing is registered under.

    Parameters: `kind` ("strategy", "dataset", ...), the `name` given, the `known` names, what `else_` the
    name may be meant for, and whether `fsbench list` shows all known names (`listed`).
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], else_: Iterable[str] = (), listed: bool = False
    ) -> None:
        known = sorted(known)
        meant = {each.lower(): each for each in (*else_, *known)}
        near = difflib.get_close_matches(name.lower(), meant, n=1)
        if near:
            hint = f"did you mean {meant[near[0]]!r}?"
        elif len(known) <= _MANY:
            hint = f"known: {', '.join(known)}"
        elif listed:
            hint = f"`fsbench list` shows all {len(known)}"
        else:
            hint = f"known: {', '.join(known[:_SHOWN])} and {len(known) - _SHOWN} more"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class ConflictError(UsageError):
    """Two components of a composition own the same stage."""


class TaskError(UsageError):
    """A task cannot be made from its dataset."""


class DataError(FsbenchError):
    """A dataset is absent, damaged or not what its name says."""


class AbsentData(DataError):
    """A dataset is not on this machine; the message says how to get it."""


class CannotSave(FsbenchError):
    """A fitted predictor contains something that cannot be written to a file."""


class StoreError(FsbenchError):
    """A results store cannot be opened, read or written."""


class PluginError(FsbenchError):
    """A plugin cannot be loaded or breaks its contract."""


class WorkerError(FsbenchError):
    """No worker process can be started, or workers end before they get a job."""


class TrialError(FsbenchError):
    """A trial failed for a reason that fsbench checks for; the class name is the record's reason."""


class InertComponent(TrialError):
    """A component of the spec had no effect, so the result would be that of another method."""


class UndeclaredUse(TrialError):
    """A component used data or weights that its `uses` does not name."""


class NonFinite(TrialError):
    """A loss or a prediction is NaN or infinite."""


class BadPrediction(TrialError):
    """A predictor returned something that is not finite logits `[N, C]`."""


class BadOutcome(TrialError):
    """A worker returned something other than the outcome of a trial."""


class BadReply(TrialError):
    """A worker sent something that is not a message, or a longer one than its job allows."""


def require_finite(losses: torch.Tensor, advice: str, name: str = "loss") -> None:
    """Raise NonFinite if one of the losses `[steps]` of a training is NaN or infinite.

    The message has the `name` of the loss, the first such step, and the `advice`: what to do next, unless
    this is the first step of all.
    """
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        step = int(bad[0, 0])
        advice = advice if step else "no update came before, so an input or a term of the loss is not finite"
        raise NonFinite(f"the {name} became {losses[step].item()} at step {step} of {len(losses)}; {advice}")
