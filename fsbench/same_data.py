"""Compares splits with those that a suite names and those of stored results."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from fsbench.columns import Columns
from fsbench.datasets.known import DATASETS
from fsbench.errors import AbsentData, DataError, StoreError, TaskError, UnknownName
from fsbench.sorts import HOUSE
from fsbench.spec import parse_call
from fsbench.store import other_data
from fsbench.tasks.expressions import named_datasets, parse_tasks
from fsbench.tasks.protocols.base import PROTOCOLS
from fsbench.tasks.splits import draw_split
from fsbench.tasks.suites import Suite


def check_split(suite: Suite, task: str, seed: int, fingerprint: str) -> None:
    """Raise DataError if a split of a task is not the one that the suite names."""
    known = suite.fingerprints.get(task, ())
    if seed < len(known) and not fingerprint.startswith(known[seed]):
        raise DataError(
            f"{suite.name}: split {seed} of {task} is {fingerprint[:16]}, not {known[seed]}: the data or "
            "the random numbers of the installed libraries differ, so results cannot be compared; to run "
            "without the suite, name the tasks themselves"
        )


def check_records(records: Columns, suite: Suite, place: Path) -> None:
    """Raise StoreError if a record that `place` holds is of another split than the suite names."""
    for shared, seed, fingerprint in records.splits():
        if fingerprint or shared.status == "ok":
            try:
                check_split(suite, shared.task, seed, fingerprint)
            except DataError as error:
                raise StoreError(
                    f"{place} contains a record of {shared.spec} on other data: {error}"
                ) from None


def _is_of_plugin(task: str) -> bool:
    """Whether the protocol or a dataset of a task does not come with fsbench."""
    origins = [PROTOCOLS.origin(parse_call(task).name), *map(DATASETS.origin, named_datasets(task))]
    return any(origin is not None and origin.distribution != HOUSE for origin in origins)


class SameData:
    """What the splits of a run must agree with: its suite, and the results that `place` holds.

    `fingerprints` are those of the splits that these are on, by task and split seed (`Store.fingerprints`).
    """

    def __init__(self, suite: Suite, fingerprints: Mapping[tuple[str, int], str], place: Path) -> None:
        self._suite = suite
        self._place = place
        self._stored: dict[str, dict[int, str]] = defaultdict(dict)
        for (task, seed), fingerprint in fingerprints.items():
            self._stored[task][seed] = fingerprint
        self._agreed: set[str] = set()

    def check(self, task: str, seed: int, fingerprint: str) -> None:
        """Compare a drawn split with the suite's and with the stored one.

        If the store only has other splits of the task, one of them is drawn again, once per task. Raises
        DataError or StoreError.
        """
        check_split(self._suite, task, seed, fingerprint)
        stored = self._stored.get(task, {})
        if seed in stored:
            self._compare(task, seed, fingerprint)
        elif stored and task not in self._agreed:
            other = next(iter(stored))
            self._compare_again(task, other)
        self._agreed.add(task)

    def check_own(self, name: str) -> None:
        """Raise StoreError if stored results under the name of own data are about other data.

        A name is only the last part of a path, so every stored task on it is drawn again and compared. A task
        that cannot be drawn because other data is missing is not run either.
        """
        for task, stored in self._stored.items():
            if name in named_datasets(task):
                seed = next(iter(stored))
                with contextlib.suppress(AbsentData, UnknownName):
                    self._compare_again(task, seed)
                    self._agreed.add(task)

    def check_plugins(self, tasks: Iterable[str]) -> None:
        """Compare a stored split of each task that a plugin brings, or its data, with what it now draws.

        For tasks of which nothing will be drawn: their code may have been edited.
        """
        for task in tasks:
            if (stored := self._stored.get(task)) and _is_of_plugin(task):
                self._compare_again(task, next(iter(stored)))

    def _compare(self, task: str, seed: int, drawn: str) -> None:
        if self._stored[task][seed] != drawn:
            raise self._other_data(task, seed, drawn[:12])

    def _compare_again(self, task: str, seed: int) -> None:
        """Compare a stored split with what the task now draws. Raises DataError for damaged data."""
        try:
            (parsed,) = parse_tasks(task)
            drawn = draw_split(parsed, seed).fingerprint
        except TaskError as error:
            raise self._other_data(task, seed, f"impossible: {error}") from error
        self._compare(task, seed, drawn)

    def _other_data(self, task: str, seed: int, now: str) -> StoreError:
        return StoreError(other_data(self._place, task, seed, self._stored[task][seed], now))
