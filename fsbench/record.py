"""What a trial is, and what is stored about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Trial:
    """The unit of work, of storage and of resumption, as canonical texts and numbers.

    `spec` has the arguments that differ from their defaults; `full_spec` has every argument and everything
    else that identifies the result: hashes of files and marks of code. `tuning` is the text of the search by
    which the trial chooses its configuration (`tuning(n=8)`), "" if it runs the spec under the recipe as they
    are.
    """

    task: str
    split_seed: int
    init_seed: int
    spec: str
    recipe: str
    key: str
    full_spec: str = ""
    tuning: str = ""


LOST = ("Crash: ", "MemoryError: ", "OutOfMemoryError: ")
"""How the reasons of tries begin that may have failed because something else took the memory."""


@dataclass(frozen=True)
class Tried:
    """What came of a try: its score and its seconds to fit and predict or, if it failed, the reason."""

    score: float | None = None
    seconds: float = 0.0
    reason: str = ""

    @property
    def lost(self) -> bool:
        """Whether its worker died or had too little memory, which may be due to something else that runs."""
        return self.reason.startswith(LOST)


@dataclass(frozen=True)
class Record:
    """What is stored about a trial. Seconds are wall-clock; `peak_memory` is in bytes.

    `reason` is None for a successful trial, otherwise `{"kind": ..., "message": ...}`, with a `traceback`
    after an exception. `created` is the time of its end in UTC (ISO 8601). `metrics` maps a metric's name to
    its value on the test part; `train_accuracy` is on at most 2000 training labels as given. `source_before`
    and `source_after` are accuracies on held-out source samples before and after the fit of a strategy that
    starts from source data. `full_spec` is the trial's; records of older stores have none. `resolution` is
    the effect of one decision on this test part on each metric. `overlap` is the number of test samples per
    training sample if every split uses all samples of the dataset, otherwise 0. `metric_codes` has the marks
    of the code that computed the metrics of plugins. `baseline` says whether the strategy is declared as a
    baseline. `isolation` is "trial" if the trial had its own process, "split" if the trials of its split
    shared one. `tuning` is the trial's; `search` then says what was tried: the criterion, the chosen
    configuration, and the scores of each on the parts held out (`tuning.search`). Seconds include the search.
    """

    key: str
    status: Status
    task: str
    split_seed: int
    init_seed: int
    spec: str
    recipe: str
    uses: tuple[str, ...] = ()
    reason: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    split_fingerprint: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    train_accuracy: float | None = None
    n_train: int = 0
    n_test: int = 0
    seconds_fit: float = 0.0
    seconds_predict: float = 0.0
    peak_memory: int = 0
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    full_spec: str = ""
    resolution: Mapping[str, float] = field(default_factory=dict)
    overlap: float = 0.0
    isolation: str = ""
    metric_codes: Mapping[str, str] = field(default_factory=dict)
    tuning: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False
    source_before: float | None = None
    source_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-serialisable dictionary that shares its values with the record."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """Read what `to_dict` wrote; fields that this version does not know are ignored."""
        known = {f.name for f in fields(cls)}
        kept = {k: v for k, v in values.items() if k in known}
        kept |= {name: tuple(kept.get(name) or ()) for name in ("uses", "notes")}
        return cls(**kept)
