"""Makes a record from what a worker sent: checks predictions and scores them against the sealed labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import BadPrediction, NonFinite, TrialError
from fsbench.failure import Failure
from fsbench.jobs import Outcome
from fsbench.metrics import resolution, score
from fsbench.types import Record, Trial

if TYPE_CHECKING:
    from fsbench.tasks.splits import SealedSplit


def judge(
    trial: Trial, result: Outcome | Failure, split: SealedSplit, known: Mapping[str, Any]
) -> tuple[Record, np.ndarray | None]:
    """The record of a trial and, if it succeeded, its predictions: logits float32 `[E, M, C]`.

    `known` holds what the parent knows of the trial: `uses`, `versions`, `device` and `isolation`.
    """
    fields = {
        **known,
        "split_fingerprint": split.fingerprint,
        "n_train": split.n_train,
        "n_test": split.test_y.size,
        "created": timestamp(),
    }
    if isinstance(result, Failure):
        return Record(**vars(trial), **fields, status="failed", reason=asdict(result)), None
    fields |= {name: value for name, value in vars(result).items() if name != "predictions"}
    reason = _fault(result.predictions, split)
    if reason is not None:
        return Record(**vars(trial), **fields, status="failed", reason=reason), None
    problems: list[str] = []
    fields["metrics"] = score(result.predictions, split.test_y, problems)
    fields["resolution"] = resolution(split.test_y, problems)
    fields["notes"] = (*fields.get("notes", ()), *problems)
    fields["overlap"] = split.overlap
    return Record(**vars(trial), **fields, status="ok"), result.predictions


def timestamp() -> str:
    """The current time as in records: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fault(predictions: np.ndarray, split: SealedSplit) -> dict[str, str] | None:
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
