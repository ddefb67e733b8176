"""From what a worker sent to a record: predictions are checked, and scored against the sealed labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fsbench.errors import BadPrediction, NonFinite, TrialError
from fsbench.failure import Failure
from fsbench.metrics import resolution, score
from fsbench.types import Record, Trial

if TYPE_CHECKING:
    from fsbench.engine.worker import Outcome
    from fsbench.tasks.splits import SealedSplit

FROM_WORKER = ("device", "notes", "peak_memory", "seconds_fit", "seconds_predict", "train_accuracy")
"""The fields of a record that only the worker knows."""


def judge(
    trial: Trial, result: Outcome | Failure, split: SealedSplit, known: Mapping[str, Any]
) -> tuple[Record, np.ndarray | None]:
    """The record of a trial and, if it went well, its predictions: logits float32 `[E, M, C]`.

    `known` holds what the parent knows of the trial: `uses`, `versions`, and the `device` of a worker that
    does not live to say its own. Of what a worker says only `FROM_WORKER` and the version of torch count.
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
    fields |= {name: value for name, value in result.fields.items() if name in FROM_WORKER}
    if torch := result.fields.get("torch"):
        fields["versions"] = {**known["versions"], "torch": torch}
    reason = result.reason or _fault(result.predictions, split)
    if reason is not None or result.predictions is None:
        return Record(**vars(trial), **fields, status="failed", reason=reason), None
    problems: list[str] = []
    fields["metrics"] = score(result.predictions, split.test_y, problems)
    fields["resolution"] = resolution(split.test_y, problems)
    fields["notes"] = (*fields.get("notes", ()), *problems)
    fields["overlap"] = split.overlap
    return Record(**vars(trial), **fields, status="ok"), result.predictions


def timestamp() -> str:
    """Now, as records say it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fault(predictions: object, split: SealedSplit) -> dict[str, str] | None:
    """What is wrong with predictions that should be finite float logits `[E, M, C]`, or None."""
    error: TrialError | None = None
    expected = (*split.test_y.shape, split.num_classes)
    if not isinstance(predictions, np.ndarray) or predictions.dtype != np.float32:
        kind = getattr(predictions, "dtype", type(predictions).__name__)
        error = BadPrediction(f"the worker returned {kind}; expected float32 logits")
    elif predictions.shape != expected:
        shape = list(predictions.shape)
        error = BadPrediction(f"the worker returned shape {shape}; expected {list(expected)}")
    elif not np.isfinite(predictions).all():
        error = NonFinite("the worker returned logits that are NaN or infinite")
    return {"kind": type(error).__name__, "message": str(error)} if error else None
