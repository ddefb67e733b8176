"""Accuracy on the training labels against that on the test part: what is over- or underfitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fsbench.metrics import TRAINING_METRIC
from fsbench.report.leaderboard import Leaderboard


@dataclass(frozen=True)
class Fit:
    """The mean accuracies of a strategy on a task, in [0, 1], over the `n` trials that have both.

    `train` is on the training labels as given, `test` on the test part.
    """

    task: str
    strategy: str
    train: float
    test: float
    n: int


def fits(board: Leaderboard) -> tuple[Fit, ...]:
    """The fit of each strategy on each task, in the order of the tables.

    Empty unless the columns of the leaderboard were read with `TRAINING_METRIC`.
    """
    found = []
    for setting, (label, rows) in zip(board.settings, board.tasks, strict=True):
        if TRAINING_METRIC not in setting.columns.values:
            continue
        entries = {board.name(entry.strategy): entry for entry in setting.entries.values()}
        for row in rows:
            entry = entries.get(row.strategy)
            if entry is None:
                continue
            train, test = entry.numbers("train_accuracy"), entry.values(TRAINING_METRIC)
            both = np.isfinite(train) & np.isfinite(test)
            if both.any():
                means = float(train[both].mean()), float(test[both].mean())
                found.append(Fit(label, row.strategy, *means, int(both.sum())))
    return tuple(found)
