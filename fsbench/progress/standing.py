"""How strategies stand while a run goes on: provisional means, without intervals or verdicts.

A verdict before the end would be a further look at the data, and each look is another chance of a wrong one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fsbench.composition import BASELINE
from fsbench.metrics import Metric
from fsbench.record import Record
from fsbench.tuning.tuned import row_name

PROVISIONAL = (
    "So far (provisional means of {}; verdicts only at the end, because looking early makes chance look like "
    "a finding):"
)
"""The heading of a standing; its placeholder is the metric's title."""


_Name = tuple[str, bool]
"""The name of a row, and whether it is that of plain training."""


@dataclass(frozen=True)
class Place:
    """A strategy so far: means over tasks of its score and of the gain over plain training.

    Both are over the `trials` that also have a result of plain training, which is the baseline.
    """

    strategy: str
    score: float
    gain: float
    trials: int
    is_baseline: bool


class Standing:
    """Collects finished trials and compares them with those of plain training on the same split and seed."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._waiting: dict[tuple[object, ...], list[tuple[_Name, float]]] = defaultdict(list)
        self._known: set[str] = set()
        self._plain: dict[tuple[object, ...], float] = {}
        self._sums: dict[_Name, dict[str, list[float]]] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Take in records, each once; those without a value of the metric are left out."""
        for record in records:
            value = record.metrics.get(self.metric.name)
            if record.status == "ok" and value is not None and record.key not in self._known:
                self._known.add(record.key)
                self._add(record, value)

    def _add(self, record: Record, value: float) -> None:
        pair = record.task, record.recipe, record.split_seed, record.init_seed, record.tuning
        name = row_name(record.spec, record.tuning), record.spec == BASELINE
        self._waiting[pair].append((name, value))
        if record.spec == BASELINE:
            self._plain[pair] = value
        if pair in self._plain:
            for each, score in self._waiting.pop(pair):
                self._count(each, record.task, score, score - self._plain[pair])

    def _count(self, name: _Name, task: str, score: float, gain: float) -> None:
        sums = self._sums.setdefault(name, {}).setdefault(task, [0.0, 0.0, 0.0])
        for place, more in enumerate((score, gain, 1.0)):
            sums[place] += more

    def places(self) -> list[Place]:
        """Every strategy that can be compared, the largest gain first."""
        found = [_place(name, list(tasks.values())) for name, tasks in list(self._sums.items())]
        return sorted(found, key=lambda each: each.gain, reverse=self.metric.higher_is_better)


def ends(places: list[Place], most: int) -> tuple[list[Place], int]:
    """All places or, if they are too many, the first and the last ones; and how many are left out."""
    if len(places) <= most:
        return places, 0
    last = most // 3
    return [*places[: most - last], *places[len(places) - last :]], len(places) - most


def _place(name: _Name, tasks: list[list[float]]) -> Place:
    scores, gains = ([sums[place] / sums[2] for sums in tasks] for place in (0, 1))
    trials = int(sum(sums[2] for sums in tasks))
    strategy, is_baseline = name
    return Place(strategy, sum(scores) / len(tasks), sum(gains) / len(tasks), trials, is_baseline)
