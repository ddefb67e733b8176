"""The splits of a run: each is drawn once, when its first trial comes up, and gone after its last."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from fsbench.datasets.known import keep_datasets
from fsbench.same_data import SameData
from fsbench.tasks.expressions import Task
from fsbench.tasks.splits import SealedSplit, draw_split, materialise
from fsbench.types import Trial

Group = tuple[str, int]
"""A task and a split seed."""


class Splits:
    """The splits that some trials need, written below `folder` for the workers while trials need them.

    What is in memory: the datasets of the split drawn last, and the test labels of the splits at hand.
    """

    def __init__(
        self, trials: Iterable[Trial], tasks: Mapping[str, Task], same: SameData, folder: Path
    ) -> None:
        self._left = Counter(map(_group, trials))
        self._tasks = tasks
        self._same = same
        self._folder = folder
        self._names = map("split-{}".format, count())
        self._at_hand: dict[Group, SealedSplit] = {}
        self._removing = ThreadPoolExecutor(1)

    def of(self, trial: Trial) -> SealedSplit:
        """The split of a trial that is not done yet, drawn if it is not at hand.

        Raises DataError where it is not the split that the suite names, StoreError where the store has
        results on other data or the folder cannot be written, TaskError where it cannot be drawn.
        """
        group = _group(trial)
        if group not in self._at_hand:
            self._at_hand[group] = self._draw(*group)
        return self._at_hand[group]

    def done(self, trial: Trial) -> None:
        """A trial needs its split no more; with the last of them the split goes."""
        group = _group(trial)
        self._left[group] -= 1
        if not self._left[group]:
            # Removing a folder takes longer than scoring a trial, so it is done beside. What cannot go
            # because a worker has it mapped goes with the run's scratch folder.
            path = Path(self._at_hand.pop(group).path)
            gone = path.rename(path.with_name(f"gone-{path.name}"))
            self._removing.submit(shutil.rmtree, gone, ignore_errors=True)

    def _draw(self, text: str, seed: int) -> SealedSplit:
        task = self._tasks[text]
        keep_datasets(task.protocol.datasets)
        split = draw_split(task, seed)
        self._same.check(text, seed, split.fingerprint)
        return materialise(task, split, self._folder / next(self._names))


def _group(trial: Trial) -> Group:
    return trial.task, trial.split_seed
