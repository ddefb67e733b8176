"""Mean ranks of strategies and their critical difference (Demsar 2006)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fsbench.report.leaderboard import Leaderboard
from fsbench.stats import LEVEL

_FEWEST = 2
_PERMUTED, _AT_ONCE = 5000, 500


@dataclass(frozen=True)
class Ranks:
    """The mean ranks of the strategies that have a result in every trial; rank 1 is the best.

    Tasks with common data are not independent, so each group of tasks (docs/statistics.md) counts once:
    strategies are ranked on each task, and the means of these ranks in a group are ranked again. `strategies`
    [S] are sorted by `mean` [S], the mean over `groups`, which has the labels of the tasks of each group.
    Mean ranks that differ by less than `critical_difference` are not significantly different at the 5 % level
    (Nemenyi test); `cliques` are the largest sets of neighbours, as first and last place in `strategies`, of
    which this holds. `p` is the p-value of "all strategies are equal" (Friedman test by permutation). Both
    are None with fewer than two groups. `left_out` are the strategies without a result in some trial.

    Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7.
    """

    strategies: tuple[str, ...]
    mean: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    critical_difference: float | None
    p: float | None
    cliques: tuple[tuple[int, int], ...]
    left_out: tuple[str, ...]


def ranks(board: Leaderboard) -> Ranks | None:
    """The ranks of a leaderboard; None with fewer than two strategies that can be ranked."""
    names = [row.strategy for row in board.overall if row.complete and row.score]
    left_out = tuple(row.strategy for row in board.overall if row.strategy not in names)
    if len(names) < _FEWEST:
        return None
    table, groups = _ranked(board, names)
    mean = table.mean(0)
    order = np.lexsort((np.array(names), mean))
    several = len(groups) >= _FEWEST
    distance = critical_difference(len(names), len(groups)) if several else None
    return Ranks(
        strategies=tuple(names[place] for place in order),
        mean=tuple(mean[order].tolist()),
        groups=groups,
        critical_difference=distance,
        p=friedman(table) if several else None,
        cliques=() if distance is None else _cliques(mean[order], distance),
        left_out=left_out,
    )


def critical_difference(strategies: int, groups: int) -> float:
    """The difference of mean ranks over independent groups that is significant at the 5 % level (Nemenyi)."""
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(LEVEL, strategies, np.inf)) / np.sqrt(2)
    return float(quantile * np.sqrt(strategies * (strategies + 1) / (6 * groups)))


def friedman(table: np.ndarray) -> float:
    """The p-value of "all columns have the same mean rank" for ranks `[N, S]`, with ties.

    Friedman 1937, "The use of ranks to avoid the assumption of normality". The distribution of the sum of
    squared rank sums is that over permutations of the ranks within groups, from fixed random draws: with two
    or three groups, approximations are far off.
    """
    rng, reached = np.random.default_rng(0), 0
    observed = _uneven(table[None])
    for _ in range(_PERMUTED // _AT_ONCE):
        drawn = rng.permuted(np.repeat(table[None], _AT_ONCE, axis=0), axis=2)
        reached += int((_uneven(drawn) >= observed - 1e-9).sum())
    return (1 + reached) / (1 + _PERMUTED)


def _uneven(tables: np.ndarray) -> np.ndarray:
    """How far the rank sums of tables `[B, N, S]` are from being equal, `[B]`."""
    sums = tables.sum(1)
    uneven: np.ndarray = ((sums - sums.mean(1, keepdims=True)) ** 2).sum(1)
    return uneven


def _ranked(board: Leaderboard, names: Sequence[str]) -> tuple[np.ndarray, tuple[tuple[str, ...], ...]]:
    """The ranks of strategies in each independent group of tasks, `[N, S]`, and the tasks of each."""
    from scipy.stats import rankdata

    sign = -1 if board.metric.higher_is_better else 1
    by_group: dict[int, list[np.ndarray]] = defaultdict(list)
    labels: dict[int, list[str]] = defaultdict(list)
    for setting, (label, rows) in zip(board.settings, board.tasks, strict=True):
        means = {row.strategy: row.score.mean for row in rows if row.score}
        # Rounded, so that scores which are equal up to rounding errors are ties.
        by_group[setting.group].append(rankdata([round(sign * means[name], 9) for name in names]))
        labels[setting.group].append(label)
    table = np.stack([rankdata(np.mean(found, axis=0)) for found in by_group.values()])
    return table, tuple(map(tuple, labels.values()))


def _cliques(mean: np.ndarray, distance: float) -> tuple[tuple[int, int], ...]:
    """The longest runs of neighbours, at least two, whose ascending ranks differ by less than `distance`."""
    last = np.searchsorted(mean, mean + distance, side="left") - 1
    runs = [(first, int(end)) for first, end in enumerate(last) if end > first]
    return tuple(run for place, run in enumerate(runs) if not place or run[1] > runs[place - 1][1])
