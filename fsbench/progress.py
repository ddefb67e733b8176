"""Reports of a running run: the observer, and its displays for terminals and for files."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from fsbench.types import Record, Trial, Tried
from fsbench.words import plural

if TYPE_CHECKING:
    from rich.progress import Progress

    from fsbench.plan import Plan

_SECONDS_BETWEEN = 3.0


class Observer:
    """Receives a run's events, in the parent process, in this order.

    The base class prints nothing except warnings about the user's own data.
    """

    def reading(self, done: int, total: int) -> None:
        """Some of the files of the user's own data have been read."""

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """The user's own data has been read; the arguments describe it and what to check in it."""
        for line in remarks:
            warnings.warn(line, UserWarning, stacklevel=4)

    def outlook(self, lines: Sequence[str]) -> None:
        """What a run on the user's own data can settle, known before it begins."""

    def left_out(self, tasks: Sequence[str], missing: Sequence[str]) -> None:
        """Tasks are left out because datasets that they need are not on this machine."""

    def complete(self, plan: Plan) -> None:
        """There is nothing to run: the results folder contains every trial of the plan."""

    def planned(self, plan: Plan) -> None:
        """The plan is made and will now be run."""

    def searching(self, number: int, total: int, tries: int) -> None:
        """A round of the searches of tuned trials begins: its number of `total`, and its number of tries."""

    def tried(self, trial: Trial, found: Tried) -> None:
        """A configuration has been tried on a part of a split."""

    def started(self, trial: Trial) -> None:
        """A worker has begun with a trial (again, if the first worker died before it began)."""

    def finished(self, record: Record) -> None:
        """The record of a trial has been stored."""

    def ended(self) -> None:
        """The run is over, complete or not."""


def make_observer(stream: TextIO, quiet: bool = False) -> Observer:
    """A live display if the stream is a terminal, otherwise a plain line from time to time.

    A `quiet` one prints only warnings about the user's own data.
    """
    if quiet:
        return Warnings(stream)
    return LiveProgress(stream) if stream.isatty() else PlainProgress(stream)


class Warnings(Observer):
    """Prints warnings about the user's own data, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Print the warnings."""
        for line in remarks:
            print(f"warning: {line}", file=self._stream, flush=True)


class _Lines(Observer):
    """What both displays print line by line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = time.monotonic()

    def reading(self, done: int, total: int) -> None:
        """Print the progress every few seconds."""
        if time.monotonic() - self._told > _SECONDS_BETWEEN:
            self._told = time.monotonic()
            self._say(f"reading: {done} of {total} images")

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """Print what was read, then the warnings."""
        for line in (*facts, *(f"warning: {line}" for line in remarks)):
            self._say(line)

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

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class PlainProgress(_Lines):
    """One line at the start, one after about every tenth of the trials, one at the end."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._count("trials", 0)

    def searching(self, number: int, total: int, tries: int) -> None:
        """Print the number of tries to run."""
        self._count("tries", tries)
        self._say(f"tuning, round {number} of {total}: {tries} {'try' if tries == 1 else 'tries'} to run")

    def tried(self, trial: Trial, found: Tried) -> None:
        """Print the progress after every tenth of the tries."""
        self._advance(bool(found.reason))

    def planned(self, plan: Plan) -> None:
        """Print the number of trials to run."""
        self._count("trials", len(plan.trials))
        self._say(f"{plural(self._planned, 'trial')} to run, {plan.done} of {plan.total} already done")

    def finished(self, record: Record) -> None:
        """Print the progress after every tenth of the trials."""
        self._advance(record.status == "failed")

    def _count(self, what: str, planned: int) -> None:
        self._what, self._planned, self._begin = what, planned, time.monotonic()
        self._finished = self._failed = self._shown = 0

    def _advance(self, failed: bool) -> None:
        self._finished += 1
        self._failed += failed
        tenth = 10 * self._finished // self._planned
        if tenth > self._shown and self._finished < self._planned:
            self._shown = tenth
            seconds = time.monotonic() - self._begin
            left = seconds / self._finished * (self._planned - self._finished)
            self._say(f"{self._so_far()}, about {left:.0f} s to go")

    def ended(self) -> None:
        """Print what was done."""
        if self._planned:
            self._say(f"{self._so_far()} in {time.monotonic() - self._begin:.0f} s")

    def _so_far(self) -> str:
        return f"{self._finished}/{self._planned} {self._what}{self._failures()}"

    def _failures(self) -> str:
        return f", {self._failed} failed" if self._failed else ""


class LiveProgress(_Lines):
    """A bar with the remaining time, the failures and the running trials."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._running: dict[str, Trial] = {}
        self._failed = 0
        self._bar: Progress | None = None

    def searching(self, number: int, total: int, tries: int) -> None:
        """Show a bar of the tries of a round."""
        self._show_bar(f"tuning, round {number} of {total}", tries)

    def tried(self, trial: Trial, found: Tried) -> None:
        """Advance the bar."""
        self._running.pop(trial.key, None)
        self._failed += bool(found.reason)
        self._show(advance=1)

    def planned(self, plan: Plan) -> None:
        """Show a bar of the trials."""
        self._show_bar("starting workers", plan.total, plan.done)

    def _show_bar(self, text: str, total: int, done: int = 0) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        now = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
        self.ended()
        self._failed = 0
        self._bar = Progress(
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            now,
            console=Console(file=self._stream),
            transient=True,
            expand=True,
            speed_estimate_period=600,
        )
        self._line = self._bar.add_task(text, total=total, completed=done)
        self._bar.start()

    def started(self, trial: Trial) -> None:
        """Show a trial as running."""
        self._running[trial.key] = trial
        self._show(advance=0)

    def finished(self, record: Record) -> None:
        """Advance the bar."""
        self._running.pop(record.key, None)
        self._failed += record.status == "failed"
        self._show(advance=1)

    def ended(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def _show(self, advance: int) -> None:
        if self._bar is None:
            return
        current = "; ".join(f"{t.spec} on {t.task}#{t.split_seed}" for t in self._running.values())
        failed = f"{self._failed} failed | " if self._failed else ""
        self._bar.update(self._line, advance=advance, description=failed + current)
