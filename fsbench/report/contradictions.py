"""What two runs of one trial cannot differ in: what a split, a strategy or equal predictions determine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fsbench.evidence import Drawn, unpack_influences
from fsbench.metrics import DEFAULT_METRIC, METRICS, ROUNDING
from fsbench.record import Record
from fsbench.report.published import Contents

# Probabilities are computed from logits; their last bits, and so their ties, depend on the processor.
_OF_PROBABILITIES = 1e-3
_STEPS = 2 / 127

Facts = Mapping[tuple[str, str], tuple[Any, float]]
"""Values and how far apart two may be, by name and the mark of the code that computed them."""


@dataclass(frozen=True, eq=False)
class Run:
    """A successful record, what is known beside it ("" or None if unknown), and `where` it is, in words."""

    record: Record
    where: str = ""
    digest: str = ""
    influence: bytes | None = None
    drawn: Drawn | None = None

    @classmethod
    def of(cls, record: Record, contents: Contents, where: str) -> Run:
        """A record of some contents with what they have beside it."""
        key, drawn = record.key, contents.drawn.get(record.split_fingerprint)
        return cls(record, where, contents.digests.get(key, ""), contents.influences.get(key), drawn)

    def predicts_as(self, other: Run) -> bool:
        """Whether the predictions are the same: by their digests or, if one is unknown, by all metrics."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return bool(self.record.metrics) and self.record.metrics == other.record.metrics


def contradiction(one: Run, other: Run, limit: float) -> str:
    """The first thing in which two runs of a trial cannot differ and do; "" if there is none.

    More must agree where the predictions are the same. What was computed with other predictions than those
    of the test part may then differ by `limit`.
    """
    return next(_contradictions(one, other, limit), "")


def _contradictions(one: Run, other: Run, limit: float) -> Iterator[str]:
    same = one.predicts_as(other)
    ours, theirs = (_facts(run.record, same, limit) for run in (one, other))
    because = ", from the same predictions" if same else ""
    for name, (value, tolerance) in ours.items():
        if name in theirs and not _close(value, theirs[name][0], tolerance):
            texts = [_shown(name[0], each[name][0]) for each in (ours, theirs)]
            yield f"{_named(name[0])} is {texts[0]} {one.where} and {texts[1]} {other.where}{because}"
    if same and one.influence and other.influence and not _alike(one.influence, other.influence):
        yield f"the influences of test samples {one.where} are not those {other.where}{because}"
    for lacking, having in ((one, other), (other, one)):
        # Whoever stored the digest of predictions stored these too.
        if same and lacking.digest and having.influence and not lacking.influence:
            yield f"the influences of test samples are missing {lacking.where}, and there {having.where}"
        if lacking.digest and having.drawn and not lacking.drawn:
            yield f"the samples of the split are missing {lacking.where}, and there {having.where}"
    if one.drawn and other.drawn and one.drawn.pack() != other.drawn.pack():
        yield f"the samples of the split {one.where} are not those {other.where}"


def _facts(record: Record, same: bool, limit: float) -> Facts:
    found: dict[tuple[str, str], tuple[Any, float]] = {}
    if same:
        found[DEFAULT_METRIC, ""] = record.metrics.get(DEFAULT_METRIC), ROUNDING
        for name, value in record.metrics.items():
            found.setdefault((name, record.metric_codes.get(name, "")), (value, _OF_PROBABILITIES))
        for name, value in record.resolution.items():
            found[f"the resolution of {name}", ""] = value, ROUNDING
        for name in ("train_accuracy", "source_before", "source_after"):
            found[name, ""] = getattr(record, name), limit
    found["overlap", ""] = record.overlap, ROUNDING
    found["baseline", ""] = record.baseline, 0
    found["uses", ""] = ", ".join(record.uses) or "nothing", 0
    return found | {(name, ""): (getattr(record, name), 0) for name in ("n_train", "n_test")}


def _close(one: Any, other: Any, tolerance: float) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return bool(one == other or (numbers and abs(one - other) <= tolerance))


def _alike(one: bytes, other: bytes) -> bool:
    """Whether packed influences are equal but for rounding."""
    first, second = unpack_influences([one]) + unpack_influences([other])
    if first.shape != second.shape:
        return False
    return bool(np.abs(first - second).max(initial=0.0) <= _STEPS * np.abs(second).max(initial=0.0))


def _named(name: str) -> str:
    return METRICS[name].title if name in METRICS else name


def _shown(name: str, value: Any) -> str:
    """A value as text; those of metrics in percent are shown in percent."""
    if name in METRICS and METRICS[name].percent and value is not None:
        return f"{100 * value:.6g}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
