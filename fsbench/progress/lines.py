"""Progress in plain lines, for files, pipes and simple terminals."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from fsbench.metrics import DEFAULT_METRIC
from fsbench.progress.beat import Beat
from fsbench.progress.observer import Observer
from fsbench.progress.tally import Tally
from fsbench.progress.trials import described, said
from fsbench.record import Record, Trial, Tried
from fsbench.words import plural, printable

if TYPE_CHECKING:
    from fsbench.plan import Plan

_LONGEST_SILENCE = 1.5
# The start of Python takes part of the first two seconds.
_FIRST_SILENCE = 1.0
_BEAT = 0.25


class Warnings(Observer):
    """Prints warnings, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Print the warnings about the user's own data."""
        for line in remarks:
            self.warned(line)

    def warned(self, line: str) -> None:
        """Print the warning."""
        print(f"warning: {printable(line)}", file=self._stream, flush=True)


class Lines(Tally):
    """What every display says line by line, to `put`; with `verbose`, also each trial as it ends."""

    def __init__(self, put: Callable[[str], object], metric: str, verbose: bool = False) -> None:
        super().__init__(metric)
        self._put, self._verbose = put, verbose

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Print what was read, then the warnings."""
        for line in facts:
            self._say(line)
        for line in remarks:
            self.warned(line)

    def warned(self, line: str) -> None:
        """Print the warning."""
        self._say(f"warning: {line}")

    def outlook(self, lines: Sequence[str]) -> None:
        """Print each line."""
        for line in lines:
            self._say(line)

    def left_out(self, tasks: Sequence[str], missing: Sequence[str]) -> None:
        """Print how many tasks are left out, and which datasets are missing."""
        number = plural(len(tasks), "task")
        self._say(f"left out: {number} whose data is missing ({', '.join(missing)})")

    def complete(self, plan: Plan) -> None:
        """Print that every trial is done already."""
        self._say(f"nothing to run: {plan.done} of {plan.total} trials are done already")

    def tried(self, trial: Trial, found: Tried) -> None:
        """Count a try."""
        super().tried(trial, found)
        if self._verbose:
            self._say(f"try of {said(trial)}: {found.reason or f'{found.score:.4g}'}, {found.seconds:.1f} s")

    def finished(self, record: Record) -> None:
        """Count a trial."""
        super().finished(record)
        if self._verbose:
            for line in described(record, self.standing.metric):
                self._say(line)

    def _say(self, line: str) -> None:
        self._put(printable(line))


class PlainProgress(Lines):
    """A line at the start, after about every tenth of the trials, after a silence, and at the end."""

    def __init__(self, stream: TextIO, metric: str = DEFAULT_METRIC, verbose: bool = False) -> None:
        super().__init__(functools.partial(print, file=stream, flush=True), metric, verbose)
        self._speaking = threading.Lock()
        self._tenth = 0
        self._said = time.monotonic() - _LONGEST_SILENCE + _FIRST_SILENCE
        self._beat = Beat(self._break_silence, _BEAT)

    def doing(self, what: str) -> None:
        """Remember the step, which is printed if it lasts."""
        super().doing(what)
        self._beat.start()

    def reading(self, done: int, total: int) -> None:
        """Print the progress from time to time."""
        super().reading(done, total)
        self._break_silence()

    def searching(self, number: int, total: int, tries: int) -> None:
        """Print the number of tries to run."""
        super().searching(number, total, tries)
        self._tenth = 0
        self._say(f"tuning, round {number} of {total}: {plural(tries, self.noun)} to run")

    def planned(self, plan: Plan) -> None:
        """Print the number of trials to run."""
        super().planned(plan)
        self._tenth = 0
        self._say(f"{plural(self.to_do, self.noun)} to run, {plan.done} of {plan.total} already done")

    def tried(self, trial: Trial, found: Tried) -> None:
        """Print the progress after every tenth of the tries."""
        super().tried(trial, found)
        self._advance()

    def finished(self, record: Record) -> None:
        """Print the progress after every tenth of the trials."""
        super().finished(record)
        self._advance()

    def ended(self) -> None:
        """Print what was done."""
        super().ended()
        self._beat.stop()
        if self.to_do:
            self._say(self.summary)
            self.to_do = 0

    def _advance(self) -> None:
        tenth = 10 * self.done // self.to_do
        if tenth > self._tenth and self.done < self.to_do:
            self._tenth = tenth
            self._say(f"{self.so_far}, {self.left}")

    def _break_silence(self) -> None:
        if time.monotonic() - self._said > _LONGEST_SILENCE:
            self._say(", ".join(filter(None, (self.so_far, self.left, self.now))))

    def _say(self, line: str) -> None:
        with self._speaking:
            self._said = time.monotonic()
            super()._say(line)
