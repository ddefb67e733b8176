"""What a run tells while it goes on: the observer that hears it, and one for several."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fsbench.record import Record, Trial, Tried

if TYPE_CHECKING:
    from fsbench.plan import Plan

# From `read` through `Several` to the line that calls `fsbench.run`.
_CALLER = 6


class Observer:
    """Receives a run's events, in the parent process.

    The base class prints nothing; warnings become Python warnings.
    """

    def doing(self, what: str) -> None:
        """A step begins that may take seconds, such as "starting workers"."""

    def reading(self, done: int, total: int) -> None:
        """Some of the files of the user's own data have been read."""

    def read(self, facts: Sequence[str], remarks: Sequence[str]) -> None:
        """The user's own data has been read; the arguments describe it and what to check in it."""
        for line in remarks:
            warnings.warn(line, UserWarning, stacklevel=_CALLER)

    def outlook(self, lines: Sequence[str]) -> None:
        """What a run on the user's own data can settle, known before it begins."""

    def left_out(self, tasks: Sequence[str], missing: Sequence[str]) -> None:
        """Tasks are left out because datasets that they need are not on this machine."""

    def warned(self, line: str) -> None:
        """Something went wrong that the run survives."""
        warnings.warn(line, RuntimeWarning, stacklevel=_CALLER)

    def complete(self, plan: Plan) -> None:
        """There is nothing to run: the results folder contains every trial of the plan."""

    def stored(self, records: Sequence[Record]) -> None:
        """The results folder has these records of the plan's trials already."""

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
        """The run is over, complete or not; it may be told twice."""


EVENTS = tuple(name for name in vars(Observer) if not name.startswith("_"))
"""The names of all events."""


class Several(Observer):
    """Passes every event on to several observers, in their order."""

    def __init__(self, *observers: Observer) -> None:
        for event in EVENTS:
            setattr(self, event, functools.partial(_tell, [getattr(each, event) for each in observers]))


def _tell(hearers: Sequence[Any], *args: Any) -> None:
    for hear in hearers:
        hear(*args)
