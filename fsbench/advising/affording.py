"""How large a search can be in the time that there is: from what one split of each strategy took."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fsbench.advising.sums import MOST

_CURVE = 15
_OF_A_SUM = 1.5
_OF_A_STRATEGY = 20


@dataclass(frozen=True)
class Size:
    """The rounds of a search, as numbers of splits, and how often the whole search is checked."""

    rounds: tuple[int, ...]
    checks: int


SIZES = (
    Size((1, 2, 4, 8), 10),
    Size((1, 2, 4, 8), 5),
    Size((1, 2, 4), 5),
    Size((1, 2, 4), 3),
    Size((1, 2), 3),
)
"""From the best to the smallest. An interval from fewer than three checks would say next to nothing."""


@dataclass(frozen=True)
class Speed:
    """How fast trials run: seconds that pass for a second of their work, and before the first of a run."""

    pace: float
    start: float


def affordable(
    costs: Mapping[str, float], kept: Collection[str], seconds: float, speed: Speed
) -> tuple[Size, list[str]] | None:
    """The best size that fits into some seconds, and the strategies to leave out for it.

    `costs` are the seconds that a trial of each candidate works. The costliest are left out first: those that
    would take the whole time if they stayed in the search, then as many as the smallest size requires.
    Strategies in `kept` are never left out. None if even they take too long.
    """
    order = sorted((name for name in costs if name not in kept), key=lambda name: -costs[name])
    left_out = [name for name in order if _OF_A_STRATEGY * speed.pace * costs[name] > seconds]
    for number in range(len(left_out), len(order) + 1):
        left = {name: cost for name, cost in costs.items() if name not in order[:number]}
        if number == len(order) and order:
            break
        sizes = SIZES if number == len(left_out) else SIZES[-1:]
        for size in sizes:
            if whole_seconds(left, kept, size, speed) <= seconds:
                return size, order[:number]
    return None


def whole_seconds(costs: Mapping[str, float], kept: Collection[str], size: Size, speed: Speed) -> float:
    """About how long a search after its first round, its checks, and a learning curve take.

    The first checks run side by side, and so do the others.
    """
    work = (1 + size.checks) * search_work(costs, kept, size.rounds) - math.fsum(costs.values())
    rounds, batches = len(size.rounds), 1 if size.checks == SIZES[-1].checks else 2
    starts = rounds - 1 + batches * (rounds + 1) + 1
    return speed.pace * (work + _CURVE * _typical(costs, kept)) + speed.start * starts


def search_work(costs: Mapping[str, float], kept: Collection[str], rounds: Sequence[int]) -> float:
    """About how many seconds the trials of a search work, if what survives is as costly as the rest."""
    typical, staying = _typical(costs, kept), math.fsum(costs[name] for name in costs if name in kept)
    field, work = len(costs), math.fsum(costs.values())
    for before, now in itertools.pairwise(rounds):
        field = math.ceil(field / 2)
        work += (now - before) * (field * typical + staying)
        if before == rounds[0]:
            sums = min(MOST, math.comb(field, 2))
            work += now * sums * _OF_A_SUM * typical
            field += sums
    return work


def _typical(costs: Mapping[str, float], kept: Collection[str]) -> float:
    return statistics.fmean([cost for name, cost in costs.items() if name not in kept] or costs.values())
