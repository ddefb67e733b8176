"""The splits of a run: each is drawn once, before its first trial, and deleted after its last."""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fsbench.datasets.known import keep_datasets
from fsbench.record import Trial
from fsbench.same_data import SameData
from fsbench.tasks.expressions import Task
from fsbench.tasks.parts import Part
from fsbench.tasks.splits import SealedSplit, draw_split, drawn, materialise, take
from fsbench.tuning.search import Try

ROOM = 2**28
"""The bytes of datasets that are kept for the next split seed, in which every task comes again."""

Group = tuple[str, int, Part | None]
"""A task, a split seed and, for a try, the part of the split that it is on."""


class Splits:
    """The splits of some trials, written below `folder` for the workers while trials need them.

    The datasets of the split drawn last, others of up to ROOM bytes in all, and the test labels of the
    current splits are in memory.
    """

    def __init__(
        self, trials: Iterable[Trial], tasks: Mapping[str, Task], same: SameData, folder: Path
    ) -> None:
        self._left = Counter(map(_group, trials))
        self._tasks = tasks
        self._same = same
        self._folder = folder
        self._at_hand: dict[Group, SealedSplit] = {}
        self._removing = ThreadPoolExecutor(1)

    def of(self, trial: Trial) -> SealedSplit:
        """The split of a trial that is not done yet, drawn if necessary.

        Raises DataError if it is not the split that the suite names, StoreError if the store has results on
        other data or the folder cannot be written, TaskError if it cannot be drawn.
        """
        group = _group(trial)
        if group not in self._at_hand:
            self._at_hand[group] = self._draw(*group)
        return self._at_hand[group]

    def done(self, trial: Trial) -> None:
        """Mark a trial as done; after the last trial of a split, the split is deleted."""
        group = _group(trial)
        self._left[group] -= 1
        if not self._left[group]:
            # Deleting a folder takes longer than scoring a trial, so a thread does it. What cannot be deleted
            # now (on some systems, what a worker has mapped) is deleted with the run's scratch folder.
            path = Path(self._at_hand.pop(group).path)
            with suppress(OSError):
                gone = path.rename(path.with_name(f"gone-{path.name}"))
                self._removing.submit(shutil.rmtree, gone, ignore_errors=True)

    def _draw(self, text: str, seed: int, part: Part | None) -> SealedSplit:
        task = self._tasks[text]
        keep_datasets(task.protocol.datasets, ROOM)
        split = draw_split(task, seed)
        self._same.check(text, seed, split.fingerprint)
        # A search draws in several rounds, and what could not be deleted after one keeps its name.
        folder = self._folder / f"split-{secrets.token_hex(8)}"
        if part is not None:
            found = materialise(*take(task, split, seed, part), folder)
            return replace(found, drawn=drawn(task, split))  # of the whole split, which its fingerprint names
        return materialise(task, split, folder)


def _group(trial: Trial) -> Group:
    return trial.task, trial.split_seed, trial.part if isinstance(trial, Try) else None
