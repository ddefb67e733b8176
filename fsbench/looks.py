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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

ERROR = 0.05
_SPENT = ERROR / 2
OPEN = "not settled"

Key = tuple[str, str, str]
"""A comparison: its task or "overall", its recipe, and the full spec of the strategy."""

Found = Mapping[Key, tuple[float, str]]
"""For each comparison the adjusted p-value and the verdict."""
_FAMILIES = ("found", "against")


def spent(number: int) -> float:
    """The error that look `number`, from 1, may spend: a half, a quarter, ... of 2.5 %."""
    return _SPENT * 0.5**number


def adjusted(p: float, number: int, comparisons: int) -> float:
    """A p-value of look `number` among some comparisons, so that it can be compared with 5 %."""
    return min(1.0, p * comparisons * ERROR / spent(number))


@dataclass(frozen=True)
class Look:
    """What a look found: for each comparison that it judged, the adjusted p-value and the verdict.

    `found` are the comparisons with ERM, `against` those with the `baselines`, which are given by their full
    specs. `seeds` is the number of split seeds that the judged comparisons have, and `metric` and `margin`
    are those by which they were judged. `comparisons` is the number on single tasks that this look or an
    earlier one had, whichever is larger.
    """

    number: int
    seeds: int
    metric: str
    margin: float
    comparisons: int
    found: Found = field(default_factory=dict)
    against: Found = field(default_factory=dict)
    baselines: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As a text."""
        lists = {name: [[*key, *each] for key, each in getattr(self, name).items()] for name in _FAMILIES}
        return json.dumps(asdict(replace(self, found={}, against={})) | lists)

    @classmethod
    def from_json(cls, text: str) -> Look:
        """Read what `to_json` wrote. Raises ValueError or TypeError for anything else."""
        values = json.loads(text)
        for name in _FAMILIES:
            values[name] = {tuple(each[:3]): (each[3], each[4]) for each in values.get(name, ())}
        return cls(**values | {"baselines": tuple(values.get("baselines", ()))})


def summed_up(looks: Iterable[Look], baselines: Sequence[str] | None = None) -> dict[Key, tuple[float, str]]:
    """For each comparison with ERM the smallest adjusted p-value, and the first verdict that settled it.

    With `baselines`, for each comparison with these, at the looks that had them.
    """
    found: dict[Key, tuple[float, str]] = {}
    for look in sorted(looks, key=lambda each: each.number):
        judged = look.against if look.baselines == baselines else {}
        for key, (p, word) in (look.found if baselines is None else judged).items():
            before = found.get(key, (1.0, OPEN))
            found[key] = (min(before[0], p), word if before[1] == OPEN else before[1])
    return found
