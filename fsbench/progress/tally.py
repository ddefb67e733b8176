"""Where a run stands, for displays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsbench.metrics import DEFAULT_METRIC, get_metric
from fsbench.progress.observer import Observer
from fsbench.progress.standing import Standing
from fsbench.progress.trials import said
from fsbench.record import Record, Trial, Tried
from fsbench.words import duration, plural, printable

if TYPE_CHECKING:
    from fsbench.plan import Plan

_READING = "reading:"
_PREPARING = "preparing what was read"
_STARTING = "drawing the first split and starting workers"


class Tally(Observer):
    """Counts trials, or the tries of a search, and knows which run, since when, and how strategies stand.

    Another thread may read it at any time.
    """

    def __init__(self, metric: str = DEFAULT_METRIC) -> None:
        self.standing = Standing(get_metric(metric))
        self.running: dict[str, tuple[Trial, float]] = {}
        self.step, self.since = "starting", time.monotonic()
        self._count("trial", 0)

    def _count(self, noun: str, to_do: int, before: int = 0) -> None:
        """Begin to count: `to_do` will run, `before` have a result already."""
        self.noun, self.to_do, self.before = noun, to_do, before
        self.done = self.failed = 0
        self.begun = time.monotonic()

    def doing(self, what: str) -> None:
        """Remember the step."""
        self.step, self.since = what, time.monotonic()

    def reading(self, done: int, total: int) -> None:
        """Remember how much is read."""
        if done == total:
            self.step, self.since = _PREPARING, time.monotonic()
            return
        if not self.step.startswith(_READING):
            self.since = time.monotonic()
        self.step = f"{_READING} {done} of {total} samples"

    def stored(self, records: Sequence[Record]) -> None:
        """Count records in the standing."""
        self.standing.add(records)

    def planned(self, plan: Plan) -> None:
        """Begin to count the trials of a plan."""
        self.doing(_STARTING)
        self._count("trial", len(plan.trials), plan.done)

    def searching(self, number: int, total: int, tries: int) -> None:
        """Begin to count the tries of a round."""
        self.doing(f"tuning, round {number} of {total}")
        self._count("try", tries)

    def started(self, trial: Trial) -> None:
        """Remember that a trial runs."""
        self.running[trial.key] = trial, time.monotonic()

    def tried(self, trial: Trial, found: Tried) -> None:
        """Count a try."""
        self._end(trial.key, bool(found.reason))

    def finished(self, record: Record) -> None:
        """Count a trial."""
        self._end(record.key, record.status == "failed")
        self.standing.add([record])

    def ended(self) -> None:
        """Forget the trials that were running."""
        self.running.clear()

    def _end(self, key: str, failed: bool) -> None:
        self.running.pop(key, None)
        self.done += 1
        self.failed += failed

    @property
    def seconds(self) -> float:
        """Seconds since counting began."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> str:
        """About how long the rest will take, "" if nothing is known."""
        if not 0 < self.done < self.to_do:
            return ""
        return f"about {duration(self.seconds / self.done * (self.to_do - self.done))} to go"

    @property
    def so_far(self) -> str:
        """How many of those to do are done and have failed: `3/30 trials, 1 failed`; "" without any to do."""
        if not self.to_do:
            return ""
        nouns = plural(2, self.noun).partition(" ")[2]
        return f"{self.done}/{self.to_do} {nouns}" + (f", {self.failed} failed" if self.failed else "")

    @property
    def status(self) -> str:
        """The state in one line: what is done, since when, and the time to go; "" before a plan."""
        before = f"{self.before} done before" if self.before else ""
        parts = (self.so_far, before, duration(self.seconds), self.left)
        return ", ".join(filter(None, parts)) if self.to_do else ""

    @property
    def summary(self) -> str:
        """What was done in which time."""
        return f"{self.so_far} in {duration(self.seconds)}"

    @property
    def now(self) -> str:
        """What goes on, and since when: the trial that has run longest and how many others, or the step."""
        running = list(self.running.values())
        if not running:
            return f"{printable(self.step)}, {_since(self.since)}"
        trial, since = running[0]
        more = f"; {len(running) - 1} more" if len(running) > 1 else ""
        return f"{said(trial)}, {_since(since)}{more}"


def _since(then: float) -> str:
    return duration(time.monotonic() - then)
