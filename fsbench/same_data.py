"""The same data? Splits compared with those that a suite names and those that stored results are about."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from fsbench.errors import AbsentData, DataError, StoreError, TaskError, UnknownName
from fsbench.tasks.expressions import named_datasets, parse_tasks
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import Suite
from fsbench.types import Record


def check_split(suite: Suite, task: str, seed: int, fingerprint: str) -> None:
    """Raise DataError if a split of a task is not the one that the suite names."""
    known = suite.fingerprints.get(task, ())
    if seed < len(known) and not fingerprint.startswith(known[seed]):
        raise DataError(
            f"{suite.name}: split {seed} of {task} is {fingerprint[:16]}, not {known[seed]}: the data or "
            "the random numbers of the installed libraries differ, and results do not compare; "
            "name the tasks themselves to do without the suite"
        )


def check_records(records: Iterable[Record], suite: Suite, place: Path) -> None:
    """Raise StoreError if a record that `place` holds is of another split than the suite names."""
    for record in records:
        if record.split_fingerprint or record.status == "ok":
            try:
                check_split(suite, record.task, record.split_seed, record.split_fingerprint)
            except DataError as error:
                raise StoreError(
                    f"{place} holds a record of {record.spec} on other data than {error}"
                ) from None


class SameData:
    """What the splits of a run must agree with: its suite, and the records that `place` holds."""

    def __init__(self, suite: Suite, records: Iterable[Record], place: Path) -> None:
        self._suite = suite
        self._place = place
        self._stored: dict[str, dict[int, str]] = defaultdict(dict)
        for record in records:
            if record.split_fingerprint:
                self._stored[record.task][record.split_seed] = record.split_fingerprint
        self._agreed: set[str] = set()

    def check(self, task: str, seed: int, fingerprint: str) -> None:
        """Compare a split that was drawn with the suite's, and with the stored one.

        Where the store has other splits of the task only, one of them is drawn again, once for each task.
        Raises DataError or StoreError.
        """
        check_split(self._suite, task, seed, fingerprint)
        stored = self._stored.get(task, {})
        if seed in stored:
            self._compare(task, seed, fingerprint)
        elif stored and task not in self._agreed:
            other = next(iter(stored))
            self._compare(task, other, _draw_again(task, other))
        self._agreed.add(task)

    def check_own(self, name: str) -> None:
        """Raise StoreError if stored results of data under a name are about other data than are there now.

        A name is the last part of a path only, so every stored task on it is drawn again and compared. What
        cannot be drawn here, for want of other data, is not run either.
        """
        for task, stored in self._stored.items():
            if name in named_datasets(task):
                seed = next(iter(stored))
                with contextlib.suppress(AbsentData, UnknownName):
                    self._compare(task, seed, _draw_again(task, seed))
                    self._agreed.add(task)

    def _compare(self, task: str, seed: int, drawn: str) -> None:
        known = self._stored[task][seed]
        if known != drawn:
            raise StoreError(
                f"{self._place} holds results of {task} on other data, or on data read with other options "
                f"(split {seed} was {known[:12]}, is now {drawn[:12] or 'impossible'}); they do not mix: "
                "name another results folder"
            )


def _draw_again(task: str, seed: int) -> str:
    """The fingerprint of a split now; empty where the data do not allow the task any more."""
    try:
        (parsed,) = parse_tasks(task)
        return draw_split(parsed, seed).fingerprint
    except AbsentData:
        raise
    except (TaskError, DataError):
        return ""
