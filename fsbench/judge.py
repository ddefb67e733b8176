"""Makes a record from what a worker sent: checks predictions and scores them against the sealed labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import BadPrediction, NonFinite, TrialError
from fsbench.evidence import LARGEST_INFLUENCE
from fsbench.failure import Failure
from fsbench.jobs import Outcome
from fsbench.metrics import influences, resolution, score
from fsbench.record import Record, Trial
from fsbench.store import Judgement, Validated
from fsbench.words import timestamp

if TYPE_CHECKING:
    from fsbench.tasks.splits import SealedSplit


_BESIDE = ("predictions", "validation")
"""What an outcome has that is stored beside its record."""


def judge(trial: Trial, result: Outcome | Failure, split: SealedSplit, known: Mapping[str, Any]) -> Judgement:
    """The judgement of a trial.

    `known` holds the fields of the record that the parent knows, such as `uses`, `versions` and `device`.
    """
    fields = {
        **known,
        "split_fingerprint": split.fingerprint,
        "n_train": split.n_train,
        "n_test": split.test_y.size,
        "created": timestamp(),
    }
    if isinstance(result, Failure):
        return Judgement(Record(**vars(trial), **fields, status="failed", reason=_reason(result)))
    fields |= {name: value for name, value in vars(result).items() if name not in _BESIDE}
    reason = fault(result.predictions, split)
    if reason is not None:
        return Judgement(Record(**vars(trial), **fields, status="failed", reason=reason))
    problems: list[str] = []
    fields["metrics"] = score(result.predictions, split.test_y, problems)
    fields["resolution"] = resolution(split.test_y, problems)
    found = _storable(influences(result.predictions, split.test_y, fields["metrics"], problems), problems)
    fields["notes"] = (*fields.get("notes", ()), *problems)
    fields["overlap"] = split.overlap
    record = Record(**vars(trial), **fields, status="ok")
    return Judgement(record, result.predictions, found, split.drawn, _validated(result, split))


def _storable(found: Mapping[str, np.ndarray], problems: list[str]) -> dict[str, np.ndarray]:
    """The influences that can be stored; adds a line about each of the others."""
    kept = {}
    for name, values in found.items():
        if np.abs(values).max(initial=0.0) < LARGEST_INFLUENCE:
            kept[name] = values
        else:
            problems.append(f"metric {name}: influences of {LARGEST_INFLUENCE:g} or more are not stored")
    return kept


def _reason(failure: Failure) -> dict[str, str]:
    return {"kind": failure.kind, "message": failure.message, "traceback": failure.traceback}


def _validated(result: Outcome, split: SealedSplit) -> Validated | None:
    """The logits of the validation part with its labels, if they are there and finite."""
    logits, y = result.validation, split.val_y
    good = logits is not None and logits.shape == (*y.shape, split.num_classes) and np.isfinite(logits).all()
    return Validated(logits, y) if good and logits is not None else None


def failed(trial: Trial, failure: Failure, known: Mapping[str, Any]) -> Judgement:
    """The judgement of a trial that failed before its split was needed; `known` is as in `judge`."""
    record = Record(**vars(trial), **known, status="failed", reason=_reason(failure), created=timestamp())
    return Judgement(record)


def fault(predictions: np.ndarray, split: SealedSplit) -> dict[str, str] | None:
    """What is wrong with predictions float32 that should be finite logits `[E, M, C]`, or None."""
    error: TrialError | None = None
    expected = (*split.test_y.shape, split.num_classes)
    if predictions.shape != expected:
        error = BadPrediction(
            f"the worker returned shape {list(predictions.shape)}; expected {list(expected)}"
        )
    elif not np.isfinite(predictions).all():
        error = NonFinite("the worker returned logits that are NaN or infinite")
    return {"kind": type(error).__name__, "message": str(error)} if error else None
