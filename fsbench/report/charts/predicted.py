"""Confusion matrices and reliability diagrams, from stored predictions and stored test labels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fsbench.errors import StoreError
from fsbench.metrics.influence import log_softmax
from fsbench.report.data import class_names
from fsbench.report.entries import Entry, Setting
from fsbench.report.leaderboard import Leaderboard

BINS = 10
_ROWS_AT_ONCE = 10


@dataclass(frozen=True, eq=False)
class Bins:
    """Test samples in bins of equal width, from 0 to 1, of the confidence: the predicted class's probability.

    `counts` [B] int64 are the samples in each bin, `confidences` [B] the sums of their confidences, and
    `correct` [B] int64 how many were predicted correctly. Bins can be added.
    """

    counts: np.ndarray
    confidences: np.ndarray
    correct: np.ndarray

    def __add__(self, other: Bins) -> Bins:
        return Bins(
            self.counts + other.counts, self.confidences + other.confidences, self.correct + other.correct
        )

    @property
    def confidence(self) -> np.ndarray:
        """The mean confidence in each bin `[B]`, NaN where a bin is empty."""
        return _ratios(self.confidences, self.counts)

    @property
    def accuracy(self) -> np.ndarray:
        """The accuracy in each bin `[B]`, NaN where a bin is empty."""
        return _ratios(self.correct, self.counts)


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions of a strategy on a task, of `trials` trials together.

    `confusion` [C, C] int64 counts test samples by their class (row) and the predicted class (column);
    `classes` [C] are the names of the classes, or their numbers where the data is not known. Test episodes
    have classes of their own each, so there `confusion` is None and `classes` is empty.
    """

    task: str
    strategy: str
    trials: int
    bins: Bins
    confusion: np.ndarray | None
    classes: tuple[str, ...]

    @cached_property
    def recall(self) -> np.ndarray:
        """The fraction of each class that was predicted correctly, `[C]`; NaN for a class without samples."""
        table = np.zeros((0, 0), dtype=np.int64) if self.confusion is None else self.confusion
        return _ratios(np.diag(table), table.sum(1))


def predicted(board: Leaderboard) -> tuple[Predicted, ...]:
    """The predictions behind each row of the tasks; none where predictions or labels are not stored.

    In the order of the tables. The predictions of a few rows are read at a time.
    """
    found = []
    for setting, (label, rows) in zip(board.settings, board.tasks, strict=True):
        by_name = {board.name(name): entry for name, entry in setting.entries.items()}
        names = functools.cache(_names(setting))
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = [row.strategy for row in rows[first : first + _ROWS_AT_ONCE]]
            trials = predictions_of(setting, [by_name[name] for name in some])
            found += [
                _together(label, name, names, each) for name, each in zip(some, trials, strict=True) if each
            ]
    return tuple(found)


def predicted_on(board: Leaderboard, strategy: str, task: str) -> Predicted | None:
    """The predictions of a strategy on a task, by their names in the tables; None without any stored."""
    setting, entry = board.find(strategy, task)
    (trials,) = predictions_of(setting, [entry])
    return _together(setting.label, strategy, _names(setting), trials) if trials else None


def predictions_of(
    setting: Setting, entries: Sequence[Entry], which: np.ndarray | None = None
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """For each entry, the logits float32 `[E, M, C]` and the labels int64 `[E, M]` of its successful trials.

    Trials that lack one of them are left out. `which` bool `[P]` chooses among the pairs of seeds.
    """
    columns, evidence = setting.columns, setting.columns.evidence
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in entries]
    of: dict[str, tuple[int, np.ndarray]] = {}
    for number, entry in enumerate(entries):
        for row in entry.rows[entry.ok if which is None else entry.ok & which]:
            drawn = evidence.drawn.get(columns.fingerprints[columns.split[row]])
            if drawn is not None:
                of[columns.key[row].decode()] = number, drawn.test_y
    for key, logits in evidence.predictions(list(of)) if of else ():
        number, labels = of[key]
        found[number].append((logits, labels))
    return found


def bins_of(logits: np.ndarray, labels: np.ndarray) -> Bins:
    """The samples of logits `[E, M, C]` and labels `[E, M]` in bins of their confidence."""
    confidence = np.exp(log_softmax(logits).max(-1)).ravel()
    correct = (logits.argmax(-1) == labels).ravel()
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts, confidences, right = (np.bincount(place, w, BINS) for w in (None, confidence, correct))
    return Bins(counts, confidences, right.astype(np.int64))


def confusion_of(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The confusion matrix `[C, C]` int64 of logits `[E, M, C]` and labels `[E, M]`; a row per true class."""
    classes = logits.shape[-1]
    places = np.ravel_multi_index((labels.ravel(), logits.argmax(-1).ravel()), (classes, classes))
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)


def _names(setting: Setting) -> Callable[[int], tuple[str, ...]]:
    """What gives the names of a task's classes, of which there are so many."""
    return functools.partial(class_names, setting.task, evidence=setting.columns.evidence)


def _ratios(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Numbers divided by counts, NaN where a count is 0."""
    found: np.ndarray = np.divide(numbers, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return found


def _together(
    label: str,
    strategy: str,
    names: Callable[[int], tuple[str, ...]],
    trials: list[tuple[np.ndarray, np.ndarray]],
) -> Predicted:
    cells, _, classes = trials[0][0].shape
    if any(logits.shape[2] != classes for logits, _ in trials):
        raise StoreError(f"the stored predictions of {strategy} on {label} differ in their number of classes")
    # All samples at once, as those of one long test part.
    logits = np.concatenate([each.reshape(1, -1, classes) for each, _ in trials], axis=1)
    labels = np.concatenate([each.reshape(1, -1) for _, each in trials], axis=1)
    bins = bins_of(logits, labels)
    if cells > 1:
        return Predicted(label, strategy, len(trials), bins, None, ())
    return Predicted(label, strategy, len(trials), bins, confusion_of(logits, labels), names(classes))
