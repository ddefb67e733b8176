"""An advice: what to use on somebody's own data, how good that will be, and what is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fsbench.advising.checking import Checked
from fsbench.advising.more_labels import Gain
from fsbench.metrics import Metric
from fsbench.stats import Estimate

NO_TIME = "not enough time"
"""The reason why strategies are left out that the same call with a larger budget would try."""

FAILED = "failed: "
"""How the reason begins why strategies are left out that failed on a split."""


@dataclass(frozen=True)
class Alternative:
    """A cheaper strategy that is `equivalent` to the recommended one, or may be as good.

    `difference` is its score minus that of the recommended strategy, `cost` its seconds over those of that.
    """

    strategy: str
    difference: Estimate
    cost: float
    equivalent: bool

    def worst(self, metric: Metric) -> float:
        """How much worse it may be by a metric: the end of the interval."""
        end = self.difference.low if metric.higher_is_better else self.difference.high
        return abs(end or 0.0)


@dataclass(frozen=True)
class Advice:
    """What a search on somebody's own data found.

    `use` is the recommended strategy, the best of `tried` in the last of `rounds` (numbers of splits).
    `labels` is the number of labels, of which the splits train on `trained` and keep `tested` for the test.
    `checked` says how good a strategy is that was found so; None if there was no time or no check has a
    score. `plain` is the score of plain training on the splits that chose, `chance` that of the most frequent
    class. `hurts` are sentences. `left_out` has strategies that were not tried to the end, or that
    failed in a check, by the reason. Seconds are wall-clock; `longer` is about how much time everything would
    take if something was left out for lack of it. `report` and `model` are paths, None for what was not
    written; `no_model` then says why.
    """

    use: str
    task: str
    metric: Metric
    labels: int
    trained: int
    tested: int
    rounds: tuple[int, ...]
    tried: int
    checked: Checked | None
    plain: Estimate | None
    chance: float | None
    alternative: Alternative | None
    gain: Gain | None
    uses: tuple[str, ...]
    hurts: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    seconds: float
    budget: float
    longer: float | None
    report: Path | None = None
    model: Path | None = None
    no_model: str = ""

    def to_json(self) -> str:
        """As a JSON text; what intervals are computed with is left out."""
        values = asdict(self) | {"metric": self.metric.name}
        for name in ("report", "model"):
            values[name] = None if values[name] is None else str(values[name])
        return json.dumps(_without_tails(values), indent=1)


def _without_tails(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_tails(each) for name, each in value.items() if name != "tails"}
    return [_without_tails(each) for each in value] if isinstance(value, list | tuple) else value
