"""Where published records come from, and who has run some of them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Agreement = Literal["bitwise", "within noise", "mismatch"]
"""What a trial that was run again gave: the same bits, a score within the noise of training, or another."""

AGREEMENTS: tuple[Agreement, ...] = get_args(Agreement)


@dataclass(frozen=True)
class Provenance:
    """Where some records come from.

    `by` says who published them, "" if that is not said, and `records` how many they are, 0 if that is not
    said. `first` and `last` are when the oldest and the newest was computed, `hardware` on what, and
    `versions` with what packages.
    """

    by: str = ""
    records: int = 0
    first: str = ""
    last: str = ""
    hardware: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """Trials that somebody ran again, with what came of each, by key (`AGREEMENTS`)."""

    by: str
    date: str = ""
    hardware: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)

    def said(self, keys: Sequence[str]) -> str:
        """One line about those of some trials that were run again; "" if none was."""
        shown = set(keys)
        counts = Counter(word for key, word in self.outcomes.items() if key in shown)
        if not counts:
            return ""
        words = ", ".join(f"{counts[word]} {word}" for word in AGREEMENTS if counts[word])
        when, where = f" on {self.date[:10]}" if self.date else "", ", ".join(self.hardware)
        what = "reproduced" if self.agrees(keys) else "not reproduced"
        return f"{what} by {self.by}{when}{f' ({where})' if where else ''}: {counts.total()} trials, {words}"

    def agrees(self, keys: Sequence[str]) -> bool:
        """Whether any of some trials was run again and agreed."""
        return any(self.outcomes.get(key, "mismatch") != "mismatch" for key in keys)
