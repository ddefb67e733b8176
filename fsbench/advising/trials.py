"""The trials of an advice: runs what is wanted until time is over, and keeps what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fsbench.advising.halving import Halving
from fsbench.deadline import Deadline
from fsbench.executors.local import default_workers
from fsbench.metrics import Metric
from fsbench.progress import Observer
from fsbench.record import Record, Trial
from fsbench.results import Results

_FITS_OF_A_MODEL = 6
_REPORT = 3.0


class Place(NamedTuple):
    """What a trial is about: a task, one of its splits, and a strategy."""

    task: str
    split: int
    strategy: str


class Stopwatch(Deadline):
    """A deadline that also measures a run: the seconds until its first trial begins, and of its trials.

    A trial that fails, or does not end, has the seconds since it began. `within` is how many seconds the
    trials have, if they have fewer than the run.
    """

    def __init__(
        self, inner: Observer, seconds: float, clock: Callable[[], float], within: float = math.inf
    ) -> None:
        super().__init__(inner, seconds, clock)
        self._begin, self._within = clock(), within
        self.start: float | None = None
        self._ended = 0.0
        self._began: dict[str, float] = {}

    @property
    def trained(self) -> float:
        """The seconds of all trials so far."""
        return self._ended + sum(self._clock() - began for began in self._began.values())

    def started(self, trial: Trial) -> None:
        """Note when a trial begins."""
        self._began[trial.key] = self._clock()
        if self.start is None:
            self.start = self._clock() - self._begin
            self.end_within(self._within)
        self._inner.started(trial)

    def finished(self, record: Record) -> None:
        """Note how long the trial took."""
        since_start = self._clock() - self._began.pop(record.key, self._clock())
        self._ended += seconds(record) or since_start
        super().finished(record)


@dataclass
class Trials:
    """Runs trials with `run`, which takes the arguments of `fsbench.run`, before `deadline`.

    `stored` has the seconds of trials that were there before, `records` what came of those that were asked
    for. `pace` is how many seconds pass for a second of a trial's own work, and `start` how many before the
    first trial of a run begins; both are measured. The first run says nothing about `start`: its workers
    import torch, for later ones too.
    """

    run: Callable[..., Results]
    deadline: Deadline
    metric: Metric
    observer: Observer
    clock: Callable[[], float] = time.monotonic
    stored: Mapping[Place, float] = field(default_factory=dict)
    records: dict[Place, Record] = field(default_factory=dict)
    pace: float = field(default_factory=lambda: 1.2 / default_workers("cpu"))
    start: float = 1.5
    _passed: float = 0.0
    _trained: float = 0.0

    def get(self, places: Iterable[Place], within: float = math.inf) -> bool:
        """Run what is missing, for at most so many seconds; returns whether all of it has a record now.

        The seconds count from the first trial.

        Raises KeyboardInterrupt if the user ends the run.
        """
        missing = [place for place in dict.fromkeys(places) if place not in self.records]
        if not missing:
            return True
        time_left = self.deadline.left - _REPORT
        if time_left > 0:
            self._run(missing, time_left, within)
        return all(place in self.records for place in missing)

    def search(self, halving: Halving, tasks: Sequence[str]) -> list[str]:
        """Run a search on each task, side by side; returns those on which it is over."""
        while wanted := [
            Place(task, split, strategy)
            for task in tasks
            for strategy, split in halving.wanted(self.scores(task))
        ]:
            if not self.get(wanted):
                break
        return [task for task in tasks if not halving.wanted(self.scores(task))]

    def scores(self, task: str) -> dict[tuple[str, int], float | None]:
        """What came of the trials on a task, higher is better; None for those without a value."""
        sign = 1 if self.metric.higher_is_better else -1
        found = {}
        for place, record in self.records.items():
            if place.task == task:
                value = record.metrics.get(self.metric.name) if record.status == "ok" else None
                found[place.strategy, place.split] = None if value is None else sign * value
        return found

    def seconds_of(self, places: Iterable[Place]) -> float:
        """The wall-clock seconds that trials with a record take, at the measured pace."""
        return self.pace * sum(seconds(self.records[place]) for place in places if place in self.records)

    def model_seconds(self, record: Record) -> float:
        """About how long a fit of a strategy on all labels takes, with the fits that calibrate it.

        `record` is of one of its trials. Workers start three times: to look at the device, to fit, and to
        calibrate.
        """
        return _FITS_OF_A_MODEL * seconds(record) + 3 * self.start

    def _run(self, missing: Sequence[Place], time_left: float, within: float) -> None:
        wanted, watch = set(missing), Stopwatch(self.observer, time_left, self.clock, within)
        begin, arguments = self.clock(), _arguments(missing)
        try:
            with watch.watched():
                found = self.run(
                    **arguments,
                    only=lambda trials: _task_by_task([t for t in trials if _place(t) in wanted]),
                    observer=watch,
                )
        except KeyboardInterrupt:
            if not watch.over:
                raise
            return
        if found.interrupted and not watch.over:
            raise KeyboardInterrupt
        self.records |= {_place(each): each for each in found.records}
        if watch.start is not None and watch.trained > 0:
            self.start = watch.start if self._trained else self.start
            self._passed += self.clock() - begin - watch.start
            self._trained += watch.trained
            self.pace = self._passed / self._trained


def _place(trial: Trial | Record) -> Place:
    return Place(trial.task, trial.split_seed, trial.spec)


def _task_by_task(trials: Sequence[Trial]) -> list[Trial]:
    """Trials ordered by task, so that if time ends, as many tasks as possible have all that is wanted."""
    tasks = list(dict.fromkeys(trial.task for trial in trials))
    return sorted(trials, key=lambda trial: tasks.index(trial.task))


def seconds(record: Record) -> float:
    """The seconds of a trial's own work; 0 if it did not end."""
    return record.seconds_fit + record.seconds_predict


def _arguments(places: Sequence[Place]) -> dict[str, Any]:
    """The arguments of a run that has these trials among others."""
    return {
        "plugins": [*dict.fromkeys(place.strategy for place in places)],
        "tasks": [*dict.fromkeys(place.task for place in places)],
        "seeds": sorted({place.split for place in places}),
    }
