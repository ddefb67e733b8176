"""Two strategies compared with each other, on the trials that both did."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from fsbench.errors import UnknownName
from fsbench.metrics import Metric
from fsbench.report.contrasts import contrasts
from fsbench.report.differences import Terms
from fsbench.report.entries import Setting
from fsbench.report.leaderboard import Leaderboard
from fsbench.report.rows import OVERALL
from fsbench.stats import Estimate

Names = tuple[str, str]
"""Two strategies by their names in settings."""
SAME = "the same"
"""The verdict where every trial has the same value."""
_WORDS = {"helps": "better", "hurts": "worse"}


@dataclass(frozen=True)
class Pair:
    """The score of one strategy minus that of another on a task, or the mean over tasks ("overall").

    `p` is adjusted for the number of comparisons. The verdict is "better" or "worse" of the first strategy,
    "equivalent" if the difference certainly is within the margin, "not settled", or "withheld" where trials
    of one of them failed or have no value that others have, or all splits train on the same samples, or
    "the same" (`with_same`). `within`
    says whether the difference certainly is within the margin, which one that is better or worse may be, too.
    """

    task: str
    difference: Estimate
    p: float
    verdict: str
    within: bool = False


def compare(board: Leaderboard, first: str, second: str) -> list[Pair]:
    """The differences between two strategies on each task that both did, then over these tasks.

    Both are named as in the tables. Raises UnknownName for a strategy without records.
    """
    names = {board.name(name): name for setting in board.settings for name in setting.entries}
    for name in (first, second):
        if name not in names:
            raise UnknownName("strategy with results:", name, names)
    (found,) = compare_all(board.settings, [(names[first], names[second])], board.metric, board.margin)
    return found


def with_same(found: Sequence[Pair], board: Leaderboard, first: str, second: str) -> list[Pair]:
    """What `compare` gives, with "the same" as the verdict where every trial has the same value."""
    return [_nothing(each) if _is_same(each.task, board, {first, second}) else each for each in found]


def _nothing(pair: Pair) -> Pair:
    difference = replace(pair.difference, low=0.0, high=0.0)
    return replace(pair, difference=difference, p=1.0, verdict=SAME, within=True)


def _is_same(task: str, board: Leaderboard, names: Set[str]) -> bool:
    """Whether strategies have the same value in every trial of a task, or of all."""
    metric = board.metric.name
    for setting in board.settings:
        both = [entry for name, entry in setting.entries.items() if board.name(name) in names]
        if len(both) == len(names) and task in (OVERALL, setting.label):
            values = np.stack([entry.values(metric) for entry in both])
            known = np.isfinite(values).all(0)
            apart = (values != values[0])[:, known].any()
            if apart or any(setting.lacks(entry, metric) for entry in both):
                return False
    return True


def compare_all(
    found: Sequence[Setting], pairs: Sequence[Names], metric: Metric, margin: float
) -> list[list[Pair]]:
    """For each pair of strategies, the differences on each task that both did, then over these tasks."""
    judged = contrasts(found, {pair: _difference(*pair) for pair in pairs}, metric, margin)
    return [
        [Pair(e.task, e.estimate, e.p, _WORDS.get(e.verdict, e.verdict), e.within) for e in judged[pair]]
        for pair in pairs
    ]


def _difference(first: str, second: str) -> Callable[[Setting], Terms]:
    def terms(setting: Setting) -> Terms:
        entries = setting.entries
        both = first in entries and second in entries
        return ((entries[first], 1.0), (entries[second], -1.0)) if both else ()

    return terms
