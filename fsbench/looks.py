"""Looks at results that are still being collected, and the rule that keeps their verdicts honest.

Whoever looks at results after some split seeds, and runs more seeds where nothing is settled, has several
chances of a wrong verdict. So the 5 % error of a family of comparisons is divided among the looks beforehand
(alpha spending, Lan & DeMets 1983, "Discrete sequential boundaries for clinical trials"): all looks together
spend 2.5 %, each one half of what is left. The other 2.5 % are a reserve, because p-values are less exact at
such small levels. At a look, this is divided evenly among the comparisons of the family, because they are
not all looked at equally often. By the union bound, the probability of any wrong verdict at any look stays at
most 5 %, whatever decides which comparisons get more seeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

ERROR = 0.05
_SPENT = ERROR / 2
OPEN = "not settled"

Key = tuple[str, str, str]
"""A comparison: its task or "overall", its recipe, and the full spec of the strategy."""


def spent(number: int) -> float:
    """The error that look `number`, from 1, may spend: a half, a quarter, ... of 2.5 %."""
    return _SPENT * 0.5**number


def adjusted(p: float, number: int, comparisons: int) -> float:
    """A p-value of look `number` among some comparisons, so that it can be compared with 5 %."""
    return min(1.0, p * comparisons * ERROR / spent(number))


@dataclass(frozen=True)
class Look:
    """What a look found: for each comparison that it judged, the adjusted p-value and the verdict.

    `seeds` is the number of split seeds that the judged comparisons have, and `metric` and `margin` are those
    by which they were judged. `comparisons` is the number on single tasks that the first look had.
    """

    number: int
    seeds: int
    metric: str
    margin: float
    comparisons: int
    found: Mapping[Key, tuple[float, str]] = field(default_factory=dict)

    def to_json(self) -> str:
        """As a text."""
        return json.dumps(asdict(self) | {"found": [[*key, *found] for key, found in self.found.items()]})

    @classmethod
    def from_json(cls, text: str) -> Look:
        """Read what `to_json` wrote. Raises ValueError or TypeError for anything else."""
        values = json.loads(text)
        values["found"] = {(task, recipe, spec): (p, word) for task, recipe, spec, p, word in values["found"]}
        return cls(**values)


def summed_up(looks: Iterable[Look]) -> dict[Key, tuple[float, str]]:
    """For each comparison the smallest adjusted p-value, and the first verdict that settled it."""
    found: dict[Key, tuple[float, str]] = {}
    for look in sorted(looks, key=lambda each: each.number):
        for key, (p, word) in look.found.items():
            before = found.get(key, (1.0, OPEN))
            found[key] = (min(before[0], p), word if before[1] == OPEN else before[1])
    return found
