"""Successive halving of strategies over the splits of a task: what to run next, and who is left.

All candidates are tried on the first split, the better half on the next one too, then again the better half
on twice as many splits (Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS). After the first round, sums of the better half join. What is decided
depends on nothing but the scores, so the same scores always give the same choice.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Scores = Mapping[tuple[str, int], float | None]
"""What came of a strategy on a split, higher is better; None if it failed. Missing if it has not run."""

_DIGITS = 9  # so that equal means are equal, whatever the order of their splits


@dataclass(frozen=True)
class Halving:
    """A search among `candidates`, in which the best of each group in `kept` always stays.

    `rounds` is the number of splits that a strategy has been tried on after each round. `sums` makes further
    candidates of the better half after the first round, the best first.
    """

    candidates: tuple[str, ...]
    kept: tuple[frozenset[str], ...]
    rounds: tuple[int, ...]
    sums: Callable[[Sequence[str]], Sequence[str]] = lambda best: ()

    def wanted(self, scores: Scores) -> list[tuple[str, int]]:
        """The strategies and splits to run next, in order; none when the search is over."""
        for number, splits in enumerate(self.rounds):
            field = self.field(scores, number)
            places = [(strategy, split) for split in range(splits) for strategy in field]
            if lacking := [place for place in places if place not in scores]:
                return lacking
        return []

    def ranked(self, scores: Scores) -> list[str]:
        """The strategies of the last round without a failure, the best first. The search must be over."""
        last = len(self.rounds) - 1
        return _ranked(self.field(scores, last), self.rounds[last], scores)

    def field(self, scores: Scores, number: int) -> list[str]:
        """The strategies of a round, numbered from 0. The rounds before it must be over."""
        field = list(self.candidates)
        for done, splits in enumerate(self.rounds[:number]):
            ranked = _ranked(field, splits, scores)
            better = ranked[: math.ceil(len(field) / 2)]
            joining = [each for each in self.sums(better) if each not in field] if done == 0 else []
            staying = [next((each for each in ranked if each in group), "") for group in self.kept]
            field = [each for each in dict.fromkeys([*better, *staying, *joining]) if each]
        return field


def _ranked(field: Sequence[str], splits: int, scores: Scores) -> list[str]:
    """Strategies by their mean score on the first splits, the first of equals first, without failed ones."""
    means: dict[str, float] = {}
    for strategy in field:
        values = [scores[strategy, split] for split in range(splits)]
        known = [value for value in values if value is not None]
        if len(known) == splits:
            means[strategy] = round(statistics.fmean(known), _DIGITS)
    return sorted(means, key=lambda strategy: -means[strategy])
